/** SIGTERM under load: no call in flight fails, streams are told to come back, exit code 0. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DescMethodUnary } from '@bufbuild/protobuf';
import { HealthCheckResponse_ServingStatus as Serving } from '../src/gen/health/v1/health_pb.js';
import { putOperator } from './administration.ts';
import { CallFailure, failureOf } from './clients/client.ts';
import { Four } from './clients/four.ts';
import { GrpcClient } from './clients/grpc.ts';
import { echoMethod } from './echo-contract.ts';
import { echoService } from './echo-service.ts';
import { besidesEngines } from './engines.ts';
import {
  END_HEADERS,
  END_STREAM,
  FrameType,
  frameOf,
  framesIn,
  headersOf,
  PREFACE,
  pseudo,
} from './http2-frames.ts';
import { talk } from './raw.ts';
import { type InChild, startDev, startHere, startServe } from './start.ts';
import { until } from './wait.ts';

const SESSIONS = '/v1/sessions';
/** How long the server under load answers what was on its way. */
const NOTICE_MS = 300;

/** Far less than a request may take to arrive, or calls to finish. */
const PUBLIC_END_MS_MAX = 5_000;

/** What a worker saw until it could go on no longer. */
interface Seen {
  answered: number;
  /** Calls that were sent on an open connection and got no answer: there must be none. */
  readonly lost: string[];
  /** Why it stopped: no connection could be had. */
  stopped: string;
}

type Worker = (server: InChild, seen: Seen) => Promise<void>;

function isRefused(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
}

/** One call after the other on kept-alive connections, until a new one is refused. */
async function rest1(server: InChild, seen: Seen): Promise<void> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const body = JSON.stringify({ secret: server.secret });
  const call = () =>
    new Promise<number>((resolve, reject) => {
      const options = {
        port: server.port,
        host: '127.0.0.1',
        path: SESSIONS,
        method: 'POST',
        agent,
      };
      const request = http.request(options, (response) => {
        response.resume().on('end', () => resolve(response.statusCode ?? 0));
        response.on('error', reject);
      });
      request.on('error', reject);
      request.end(body);
    });
  while (seen.stopped === '') {
    try {
      const status = await call();
      if (status === 200) seen.answered++;
      else seen.lost.push(`HTTP ${status}`);
    } catch (error) {
      if (isRefused(error)) seen.stopped = 'refused';
      else seen.lost.push(String(error));
    }
  }
  agent.destroy();
}

/** Several calls at a time on one HTTP/2 connection, until it has been told to go away. */
async function rest2(server: InChild, seen: Seen): Promise<void> {
  const session = http2.connect(server.url);
  let toldAtMs = Number.POSITIVE_INFINITY;
  session.on('error', (error) => seen.lost.push(`session: ${error}`));
  session.on('goaway', () => {
    seen.stopped ||= 'goaway';
    toldAtMs = Math.min(toldAtMs, performance.now());
  });
  // Node's client itself refuses, and does not send, what it was asked for in that very moment; the
  // server would refuse it when its notice is over.
  const isUnsent = (error: unknown) =>
    /REFUSED_STREAM/.test(String(error)) && performance.now() - toldAtMs < NOTICE_MS / 2;
  const body = JSON.stringify({ secret: server.secret });
  const call = () =>
    new Promise<number>((resolve, reject) => {
      const stream = session.request({ ':method': 'POST', ':path': SESSIONS });
      let status = 0;
      stream.on('response', (headers) => {
        status = Number(headers[':status']);
      });
      stream.on('error', reject);
      stream.on('close', () => (status === 0 ? reject(new Error('unanswered')) : resolve(status)));
      stream.resume().end(body);
    });
  const work = async () => {
    while (seen.stopped === '') {
      const status = await call().catch((error) => (isUnsent(error) ? 0 : String(error)));
      if (status === 200) seen.answered++;
      else if (status !== 0) seen.lost.push(`HTTP/2 ${status}`);
    }
  };
  await Promise.all(Array.from({ length: 4 }, work));
  session.close();
  if (!session.destroyed) await once(session, 'close');
}

/**
 * Several calls at a time by grpc-js as it comes: told to go away, it connects again, and sends there
 * what it had not sent here.
 */
async function grpc(server: InChild, seen: Seen): Promise<void> {
  const options = { 'grpc.enable_retries': 1 };
  await using client = new GrpcClient(server.authority, undefined, options);
  const work = async () => {
    while (seen.stopped === '') {
      try {
        await client.auth(server.secret);
        seen.answered++;
      } catch (error) {
        const isGone = error instanceof CallFailure && /ECONNREFUSED/.test(error.message);
        if (isGone) seen.stopped = 'refused';
        else seen.lost.push(String(error));
      }
    }
  };
  await Promise.all(Array.from({ length: 4 }, work));
}

const WORKERS: Readonly<Record<string, Worker>> = { rest1, rest2, grpc };

test('SIGTERM under load: every call that was sent is answered', async () => {
  await using server = await startDev({
    args: ['--drain-notice-ms', `${NOTICE_MS}`, '--limit', '1000000'],
  });
  const seen = Object.keys(WORKERS).flatMap((name) =>
    [1, 2].map(() => ({ name, answered: 0, lost: [] as string[], stopped: '' })),
  );
  const work = seen.map((each) => WORKERS[each.name]?.(server, each));
  await until('load', () => seen.every(({ answered }) => answered >= 20));
  const startedMs = performance.now();
  assert.equal(await server.stop('SIGTERM'), 0);
  assert.ok(performance.now() - startedMs < 5000, 'within a bounded time');
  await Promise.all(work);
  for (const { name, lost } of seen) assert.deepEqual(lost, [], name);
  assert.deepEqual(besidesEngines(server.output.stderr.split('\n')), ['']);
});

test('the streams of a server that stops', async () => {
  await using server = await startDev({ args: ['--drain-notice-ms', '200', '--limit', '1000000'] });
  await using four = new Four(server);
  const watches = four.streaming.map((client) => client.watch());
  const renewals = four.streaming.map((client) => client.renewal(server.secret));
  for (const watch of watches) assert.equal((await watch.next()).value, Serving.SERVING);
  for (const renewal of renewals) assert.ok((await renewal.next()).value);
  const last = watches.map((watch) => watch.next());
  const ends = renewals.map((renewal) => failureOf(renewal.next()));
  const code = server.stop('SIGTERM');
  // Health first, so that a load balancer knows; then the end, which invites to come back.
  for (const each of last) assert.equal((await each).value, Serving.NOT_SERVING);
  for (const watch of watches) assert.equal((await failureOf(watch.next())).code, 14);
  for (const end of ends) assert.equal((await end).code, 14);
  assert.equal(await code, 0);
});

test('new connections are refused, those that are open are still answered', async () => {
  await using server = await startHere(['--drain-notice-ms', '300']);
  const body = JSON.stringify({ secret: server.secret });
  const head = `POST ${SESSIONS} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`;
  const open = talk(server.port, ['GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n', 100, head, 20, body]);
  await sleep(50);
  const stopped = server.stop();
  await until('the refusal', () => connect(server.port).then(() => false, isRefused), 200);
  const { text, isClosed } = await open;
  assert.match(text, /^HTTP\/1\.1 200 .*"ready"/s);
  const [, second = ''] = text.split('{"status":"ready"}');
  assert.match(second, /^HTTP\/1\.1 200 OK\r\n.*connection: close\r\n.*"token"/is);
  assert.ok(isClosed);
  await stopped;
});

function connect(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', reject);
  });
}

test('a call that crosses the notice of HTTP/2 on its way is answered', async () => {
  await using server = await startHere(['--drain-notice-ms', '300']);
  const body = Buffer.from(JSON.stringify({ secret: server.secret }));
  const call = (stream: number) =>
    Buffer.concat([
      headersOf(stream, pseudo('POST', SESSIONS), END_HEADERS),
      frameOf(FrameType.DATA, END_STREAM, stream, body),
    ]);
  const settings = frameOf(FrameType.SETTINGS, 0, 0);
  const ack = frameOf(FrameType.SETTINGS, 1, 0);
  const heard = talk(server.port, [PREFACE, settings, ack, call(1), 100, call(3), 100, call(5)]);
  await sleep(60);
  await server.stop();
  const frames = framesIn((await heard).bytes);
  const last = frames.filter(({ type }) => type === FrameType.GOAWAY).map(({ payload }) => payload);
  // First that the connection will end, refusing nothing; then, with all answered, that it ends.
  assert.equal(last[0]?.readUInt32BE(0), 2 ** 31 - 1);
  assert.equal(last.at(-1)?.readUInt32BE(0), 5);
  for (const stream of [1, 3, 5]) {
    const data = frames.find((frame) => frame.type === FrameType.DATA && frame.stream === stream);
    assert.match(data?.payload.toString() ?? '', /"token"/, `stream ${stream}`);
  }
});

test('a call that crosses the notice of the internal port is answered as well', async () => {
  const server = await startServe(`--drain-notice-ms=${NOTICE_MS}`);
  const socket = net.connect({ port: server.internalPort ?? 0, host: '127.0.0.1' });
  const settings = frameOf(FrameType.SETTINGS, 0, 0);
  socket.write(Buffer.concat([PREFACE, settings, frameOf(FrameType.SETTINGS, 1, 0)]));
  let bytes = Buffer.alloc(0);
  const heard = (wanted: number) => framesIn(bytes).filter(({ type }) => type === wanted);
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
  });
  const isAcknowledged = () => heard(FrameType.SETTINGS).some(({ flags }) => flags === 1);
  await until('a connection', isAcknowledged);
  const stopped = server.stop();
  await until('the notice', () => heard(FrameType.GOAWAY).length > 0);
  socket.write(headersOf(1, pseudo('GET', '/readyz')));
  await stopped;
  const [answer] = heard(FrameType.DATA);
  assert.match(answer?.payload.toString() ?? '', /stopping/);
});

test('what the internal port waits for holds up no public one', async () => {
  const server = await startServe(`--drain-notice-ms=${NOTICE_MS}`);
  const { token } = await putOperator(server, 'service');
  const url = `http://127.0.0.1:${server.internalPort}`;
  const unfinished = http.request(`${url}/access/v1/check`, {
    method: 'POST',
    headers: { authorization: token, 'content-length': 9 },
  });
  unfinished.on('error', () => {}).flushHeaders();
  // Another connection is answered after it was read.
  await once(unfinished, 'socket');
  await (await fetch(`${url}/readyz`)).text();
  await sleep(NOTICE_MS);
  const stopped = server.stop();
  const isClosed = () =>
    fetch(`${url}/readyz`).then(
      () => false,
      () => true,
    );
  // It takes connections until the public port has been drained, which waits for none of its calls.
  await until('the end of the internal port', isClosed, PUBLIC_END_MS_MAX);
  unfinished.destroy();
  await stopped;
});

test('readiness says that it stops while it can still be asked', async () => {
  await using server = await startHere(['--drain-notice-ms', '200']);
  const ask = 'GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n';
  const open = talk(server.port, [ask, 80, ask]);
  await sleep(40);
  await server.stop();
  assert.match((await open).text, /HTTP\/1\.1 503 .*"stopping"/s);
});

test('calls that do not end are waited for only so long', async () => {
  const echo = echoService();
  await using server = await startHere(['--drain-ms-max', '100'], {
    extraServices: [echo.registration],
  });
  await using four = new Four(server);
  const silent = echoMethod('silent') as DescMethodUnary;
  const calls = four.all.map((client) => client.call(silent, {}).catch((error: unknown) => error));
  await until('the calls', () => echo.calls.length === four.all.length);
  const startedMs = performance.now();
  await server.stop();
  const ms = performance.now() - startedMs;
  assert.ok(ms >= 100 && ms < 2000, `${ms} ms`);
  for (const each of await Promise.all(calls)) assert.ok(each instanceof Error);
});

test('a call that ends while the server stops is answered', async () => {
  const echo = echoService();
  await using server = await startHere(['--deadline-ms-max', '150'], {
    extraServices: [echo.registration],
  });
  await using four = new Four(server);
  const silent = echoMethod('silent') as DescMethodUnary;
  const calls = four.all.map((client) => failureOf(client.call(silent, {})));
  await until('the calls', () => echo.calls.length === four.all.length);
  await server.stop();
  // Their answer is the deadline's, and it reaches them although the server is stopping.
  for (const each of calls) assert.equal((await each).code, 4);
});

test('peers that leave just before do not disturb the stop', async () => {
  for (let i = 0; i < 5; i++) {
    await using server = await startHere();
    const four = new Four(server);
    for (const client of four.all) await client.auth(server.secret);
    const tokens = four.grpc.renewal(server.secret);
    await tokens.next();
    // Not awaited: the server learns of it while it stops.
    void four[Symbol.asyncDispose]();
    if (i % 2 === 1) await sleep(i);
    await server.stop();
    await tokens.return().catch(() => {});
  }
});

test('a server with nothing to do stops at once, and twice is as good as once', async () => {
  const server = await startHere();
  const startedMs = performance.now();
  await server.stop();
  assert.ok(performance.now() - startedMs < 1000);
  await server.stop();
});
