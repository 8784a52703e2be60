/** Overload: what is too much is refused at its head, alike in every protocol; the rest goes on. */
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { after, test } from 'node:test';
import type { DescMethodUnary } from '@bufbuild/protobuf';
import { type Client, failureOf } from './clients/client.ts';
import { Four, inEach } from './clients/four.ts';
import { echoMethod } from './echo-contract.ts';
import { echoService } from './echo-service.ts';
import { talk } from './raw.ts';
import { type InProcess, startHere } from './start.ts';
import { lineOf, linesOf, until } from './wait.ts';

const MIB = 1 << 20;
const echo = echoMethod('echo') as DescMethodUnary;
const silent = echoMethod('silent') as DescMethodUnary;

/** A server with small limits, and clients. */
class Scene implements AsyncDisposable {
  readonly server: InProcess;
  readonly four: Four;
  readonly echo: ReturnType<typeof echoService>;

  private constructor(server: InProcess, echo: ReturnType<typeof echoService>) {
    this.server = server;
    this.echo = echo;
    this.four = new Four(server);
  }

  static async start(...args: readonly string[]): Promise<Scene> {
    const echo = echoService();
    const extraServices = [echo.registration];
    return new Scene(await startHere(args, { extraServices }), echo);
  }

  /** Unary calls that are never answered; the result ends them all. */
  async fill(calls: number): Promise<() => Promise<void>> {
    const gone = new AbortController();
    const before = this.echo.calls.length;
    const { signal } = gone;
    const ends = Array.from({ length: calls }, () => this.four.grpc.call(silent, {}, { signal }));
    const settled = Promise.allSettled(ends);
    await until('the calls', () => this.echo.calls.length === before + calls);
    const taken = this.echo.calls.slice(before);
    return async () => {
      gone.abort();
      await settled;
      await until('their end', () => taken.every(({ call }) => call.ended !== undefined));
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.four[Symbol.asyncDispose]();
    await this.server.stop();
  }
}

// Four under way: GetUsageMetrics is refused from the second on, Auth from the third.
const full = await Scene.start('--calls-max', '4', '--streams-max', '3');
after(() => full[Symbol.asyncDispose]());

async function assertShed(scene: Scene, answer: Promise<unknown>): Promise<void> {
  const failure = await failureOf(answer);
  assert.equal(failure.code, 14);
  assert.equal(failure.reason, 'UNAVAILABLE');
  assert.equal(failure.detail('RetryInfo')?.retry_delay, '1s');
  assert.equal(failure.headers.ratelimit, undefined);
  if (failure.httpStatus !== undefined) {
    assert.equal(failure.httpStatus, 503);
    assert.equal(failure.headers['retry-after'], '1');
  }
  const line = await lineOf(scene.server.log, failure.headers['x-request-id']);
  assert.deepEqual([line.level, line.reason], [20, 'OVERLOADED']);
}

inEach(full.four.all, 'calls in hand: refused in order, and let in again', async (client) => {
  const { server } = full;
  const token = await client.auth(server.secret);
  const usage = () => client.usage(token);
  const before = countsOf(await usage());
  const free: (() => Promise<void>)[] = [];
  free.push(await full.fill(2));
  await assertShed(full, usage());
  assert.ok(await client.auth(server.secret));
  free.push(await full.fill(1));
  await assertShed(full, client.auth(server.secret));
  assert.ok(await client.tokenDetails(token));
  free.push(await full.fill(1));
  await assertShed(full, client.tokenDetails(token));
  await assertHealthy(full);
  for (const end of free) await end();
  // What was refused was counted nowhere.
  const counts = countsOf(await usage());
  assert.equal(counts.get('Auth'), Number(before.get('Auth')) + 1);
  assert.equal(counts.get('TokenDetails'), Number(before.get('TokenDetails')) + 1);
});

/** How many calls of each method count. */
function countsOf({ message }: Awaited<ReturnType<Client['usage']>>): Map<string, number> {
  return new Map(
    message.quotas.map(({ name, limit, remaining }) => [name, Number(limit) - Number(remaining)]),
  );
}

async function assertHealthy({ server, four }: Scene): Promise<void> {
  for (const path of ['/healthz', '/readyz']) {
    assert.equal((await fetch(server.url + path)).status, 200, path);
  }
  for (const client of four.streaming) assert.equal(await client.check(), 1, client.name);
}

test('the answer does not wait for the body', async () => {
  const free = await full.fill(4);
  const { port, url } = full.server;
  const head = (path: string, type: string) =>
    `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-type: ${type}\r\ncontent-length: 1000\r\n\r\n`;
  const rest = await talk(port, [head('/v1/sessions', 'application/json')]);
  assert.match(rest.text, /^HTTP\/1\.1 503 .*RetryInfo/s);
  const details = '/grpc.tradeapi.v1.auth.AuthService/TokenDetails';
  const web = await talk(port, [head(details, 'application/grpc-web+proto')]);
  assert.match(web.text, /^HTTP\/1\.1 200 .*grpc-status: 14\r\n/s);
  const session = http2.connect(url);
  try {
    for (const [path, type, name, value] of [
      ['/v1/sessions', 'application/json', ':status', 503],
      [details, 'application/grpc', 'grpc-status', '14'],
    ] as const) {
      const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': type });
      const headers = await new Promise<http2.IncomingHttpHeaders>((resolve, reject) => {
        stream.on('response', resolve).on('error', reject);
      });
      assert.equal(headers[name], value);
      stream.destroy();
    }
  } finally {
    session.destroy();
    await free();
  }
});

test('the log tells of the refused once a second', async () => {
  const free = await full.fill(4);
  const { log } = full.server;
  const lines = () => linesOf(log.slice(from)).filter(({ reason }) => reason === 'OVERLOADED');
  const told = () => lines().filter(({ level }) => level === 40);
  const count = () => told().reduce((sum, line) => sum + Number(line.refused), 0);
  // Those that other tests had refused are told by then.
  const from = log.length;
  await new Promise((resolve) => setTimeout(resolve, 1100));
  const before = count();
  for (let i = 0; i < 50; i++) await failureOf(full.four.rest2.tokenDetails('any'));
  await until('the count', () => count() === before + 50);
  assert.equal(lines().filter(({ level }) => level === 20).length, 50);
  const seconds = (Number(told().length) + 1) * 1000;
  assert.ok(told().length < 50, `${told().length} lines within about ${seconds} ms`);
  await free();
});

test('streams have a limit for all connections together', async () => {
  const { four, server } = full;
  const renewed = async (client: Client) => {
    for await (const _ of client.renewal(server.secret)) return;
  };
  const open = [four.grpc, four.web, four.grpc].map((client) => client.renewal(server.secret));
  for (const stream of open) assert.ok((await stream.next()).value);
  for (const client of four.streaming) await assertShed(full, renewed(client));
  assert.ok(await four.grpc.auth(server.secret));
  await assertHealthy(full);
  await open[0]?.return();
  await until('the place', () =>
    renewed(four.web).then(
      () => true,
      () => false,
    ),
  );
  for (const stream of open) await stream.return();
});

test('a shed order that names no method is told at the start', async () => {
  await assert.rejects(startHere(['--shed-first', 'Nothing']), {
    message: /^--shed-first: "Nothing" names no method; there are Auth, /,
  });
});

test('the order is a setting', async () => {
  await using scene = await Scene.start('--calls-max', '4', '--shed-first', 'TokenDetails');
  const { server, four } = scene;
  const token = await four.rest2.auth(server.secret);
  const free = await scene.fill(2);
  await assertShed(scene, four.rest2.tokenDetails(token));
  assert.ok(await four.rest2.auth(server.secret));
  assert.ok(await four.rest2.usage(token));
  await free();
});

const memory = await Scene.start(
  ...['--buffered-bytes-max', `${2 * MIB}`],
  ...['--stream-body-bytes-max', `${MIB}`],
  ...['--shed-first', 'GetUsageMetrics'],
);
after(() => memory[Symbol.asyncDispose]());
/** Two of them fit, and then no other of these. */
const LARGE = 'a'.repeat(700_000);
const LARGER = 'a'.repeat(900_000);

const UNFINISHED: Readonly<Record<string, [path: string, type: string, prefix: string]>> = {
  REST: ['/v1/echo', 'application/json', '{"text":"'],
  // A message of 1,000,000 bytes; its one field is a text that is as long, but for its own head.
  gRPC: ['/propusk.test.v1.EchoService/Echo', 'application/grpc', '\0\0\x0f\x42\x40'],
  'a gRPC stream': ['/propusk.test.v1.EchoService/Collect', 'application/grpc', '\0\0\x0f\x42\x40'],
};

/**
 * Opens two calls that send a large part of their body, and six for whose larger one there is no room
 * then; resolves when these have their answer.
 */
async function openMany(kind: string) {
  const [path = '', type = '', prefix = ''] = UNFINISHED[kind] ?? [];
  const session = http2.connect(memory.server.url);
  session.on('error', () => {});
  let refused = 0;
  const open = (text: string) => {
    const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': type });
    stream.on('error', () => {});
    stream.on('response', (headers) => {
      if (headers[':status'] === 503 || headers['grpc-status'] === '14') refused++;
    });
    const sent = new Promise((resolve) => {
      stream.write(Buffer.from(prefix + text, 'latin1'), resolve);
    });
    return { stream, sent };
  };
  const held = [open(LARGE), open(LARGE)];
  for (const { sent } of held) await sent;
  // When the ping is answered, what was sent before it has been read.
  await new Promise((answered) => session.ping(answered));
  for (let i = 0; i < 6; i++) open(LARGER);
  await until('the refusals', () => refused === 6, 20_000);
  return { session, streams: held.map(({ stream }) => stream) };
}

/** Large requests are let in again: what was held was given back. */
async function assertRoom(): Promise<void> {
  const text = LARGE;
  const passes = () =>
    memory.four.rest2.call(echo, { text }).then(
      () => true,
      () => false,
    );
  await until('room for a large request', passes);
  const both = await Promise.all([1, 2].map(() => memory.four.rest2.call(echo, { text })));
  assert.equal(both.length, 2);
}

const ENDS: Readonly<Record<string, (opened: Awaited<ReturnType<typeof openMany>>) => unknown>> = {
  cancel: ({ streams }) => streams.map((stream) => stream.close(http2.constants.NGHTTP2_CANCEL)),
  'a closed connection': ({ session }) => session.destroy(),
  'the end of the body': ({ streams }) => streams.map((stream) => stream.end('"}')),
};

for (const kind of Object.keys(UNFINISHED)) {
  for (const [name, end] of Object.entries(ENDS)) {
    test(`unfinished bodies: ${kind}, ended by ${name}, again and again`, async () => {
      for (let i = 0; i < 5; i++) {
        const opened = await openMany(kind);
        const { server, four } = memory;
        if (i === 0) {
          // Others are let in: the small always, the large not.
          assert.ok(await four.rest1.auth(server.secret));
          await assertShed(memory, four.rest1.call(echo, { text: LARGER }));
          assert.ok(await four.grpc.call(echo, { text: 'small' }));
        }
        end(opened);
        await assertRoom();
        opened.session.destroy();
      }
    });
  }
}
