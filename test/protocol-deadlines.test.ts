/** Deadlines and cancellations: whoever sets them, the caller hears and the service sees. */
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { after, test } from 'node:test';
import type { DescMethodUnary } from '@bufbuild/protobuf';
import { AppError } from '../src/domain/errors.ts';
import type { Call } from '../src/pipeline/call.ts';
import { type CallFailure, endOf, failureOf } from './clients/client.ts';
import { Four, inEach } from './clients/four.ts';
import { echoMethod } from './echo-contract.ts';
import { echoService } from './echo-service.ts';
import { talk } from './raw.ts';
import { startHere } from './start.ts';
import { claimsOf, StepClock, writeKey } from './steps.ts';
import { lineOf, linesOf, until } from './wait.ts';

const SENTENCE = 'Крайний срок истек до завершения операции';
const echo = echoService();
const clock = new StepClock();
const server = await startHere(['--deadline-ms-max', '150'], {
  extraServices: [echo.registration],
  clock,
});
const four = new Four(server);
after(async () => {
  await four[Symbol.asyncDispose]();
  await server.stop();
});

const silent = echoMethod('silent') as DescMethodUnary;
const silentStream = echoMethod('silentStream');

/** The newest call that the service took. */
function latest(): Call {
  const call = echo.calls.at(-1)?.call;
  assert.ok(call);
  return call;
}

function reasonOf(call: Call): unknown {
  assert.ok(call.signal.aborted);
  assert.ok(call.signal.reason instanceof AppError);
  return call.signal.reason.reason;
}

async function assertLate(failure: CallFailure, ms: number): Promise<void> {
  assert.equal(failure.code, 4);
  assert.equal(failure.message, `the deadline of ${ms} ms passed before the answer`);
  assert.equal(failure.reason, 'DEADLINE_EXCEEDED');
  assert.deepEqual(failure.localized, { locale: 'ru', message: SENTENCE });
  if (failure.httpStatus !== undefined) assert.equal(failure.httpStatus, 504);
  const line = await lineOf(server.log, failure.headers['x-request-id']);
  assert.equal(line.code, 'DEADLINE_EXCEEDED');
  assert.ok(Number(line.ms) >= ms - 1, `${line.ms} ms`);
  assert.equal(reasonOf(latest()), 'DEADLINE_EXCEEDED');
}

// As metadata, so that the client does not end the call before the server does.
inEach(four.all, "the client's deadline ends a call that is not answered", async (client) => {
  for (const [header, ms] of [
    ['30m', 30],
    ['40000u', 40],
    ['20000000n', 20],
  ] as const) {
    const metadata = { 'grpc-timeout': header };
    await assertLate(await failureOf(client.call(silent, {}, { metadata })), ms);
  }
});

inEach(four.all, "the server's own deadline ends what the client lets run", async (client) => {
  await assertLate(await failureOf(client.call(silent, {})), 150);
  const metadata = { 'grpc-timeout': '1H' };
  await assertLate(await failureOf(client.call(silent, {}, { metadata })), 150);
});

inEach(four.all, 'a deadline that has passed already', async (client) => {
  const metadata = { 'grpc-timeout': '0S' };
  const failure = await failureOf(client.call(silent, {}, { metadata }));
  assert.equal(failure.code, 4);
  assert.equal(failure.reason, 'DEADLINE_EXCEEDED');
});

inEach(four.all, 'a deadline that cannot be read is said to be so', async (client) => {
  for (const bad of ['5', 'S', '1x', '-1S', '123456789S', '1.5S', '1 S']) {
    const metadata = { 'grpc-timeout': bad };
    const failure = await failureOf(client.call(silent, {}, { metadata }));
    assert.equal(failure.code, 3, bad);
    assert.equal(failure.reason, 'INVALID_REQUEST');
    assert.match(failure.message, /grpc-timeout/);
  }
});

inEach(four.all, 'a call within its deadline is answered', async (client) => {
  const metadata = { 'grpc-timeout': '5S' };
  assert.ok(await client.auth(server.secret, '', { metadata }));
});

inEach(
  four.streaming,
  "a stream has the client's deadline and not the server's",
  async (client) => {
    const metadata = { 'grpc-timeout': '250m' };
    const failure = await endOf(client.stream(silentStream, [{}], { metadata }));
    // Not 150: that is for unary calls alone.
    await assertLate(failure, 250);
  },
);

inEach(four.streaming, "a renewal stream outlives the server's deadline", async (client) => {
  const tokens = client.renewal(server.secret);
  const first = await tokens.next();
  // Meanwhile that deadline passes, twice.
  for (let i = 0; i < 2; i++) await assertLate(await failureOf(client.call(silent, {})), 150);
  try {
    clock.offsetMs += 850_000;
    const next = tokens.next();
    await writeKey(server.server.store, 'demo');
    const second = await next;
    assert.ok(first.value && second.value);
    assert.notEqual(claimsOf(second.value).jti, claimsOf(first.value).jti);
  } finally {
    clock.offsetMs = 0;
    await tokens.return();
  }
});

/** Sends a request of which a part never comes; resolves with its answer's head. */
function unfinished(session: http2.ClientHttp2Session, path: string, type: string) {
  const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': type });
  stream.on('error', () => {});
  stream.write(type === 'application/json' ? '{' : Buffer.from([0, 0, 0, 0, 9]));
  let text = '';
  stream.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  const answer = new Promise<{ head: http2.IncomingHttpHeaders; text: string }>((resolve) => {
    stream.on('response', (head) => {
      stream.on('end', () => resolve({ head, text }));
    });
  });
  return { stream, answer };
}

test('a method may have a deadline of its own, in every protocol', async () => {
  const flags = ['60000', 'TokenDetails=120'].flatMap((each) => ['--deadline-ms-max', each]);
  await using own = await startHere(flags);
  const session = http2.connect(own.url);
  const service = '/grpc.tradeapi.v1.auth.AuthService/';
  const late = 'the deadline of 120 ms passed before the answer';
  try {
    const slow = unfinished(session, '/v1/sessions', 'application/json');
    const rest = await unfinished(session, '/v1/sessions/details', 'application/json').answer;
    assert.equal(rest.head[':status'], 504);
    assert.equal(JSON.parse(rest.text).message, late);
    const grpc = await unfinished(session, `${service}TokenDetails`, 'application/grpc').answer;
    assert.deepEqual([grpc.head['grpc-status'], grpc.head['grpc-message']], ['4', late]);
    const path = `${service}TokenDetails`;
    const web = await unfinished(session, path, 'application/grpc-web+proto').answer;
    assert.ok(web.text.includes(`grpc-status: 4\r\ngrpc-message: ${late}\r\n`));
    const lines = ['host: a', 'content-type: application/json', 'content-length: 9'];
    const head = ['POST /v1/sessions/details HTTP/1.1', ...lines, '', '{'].join('\r\n');
    const { text } = await talk(own.port, [head]);
    assert.match(text, /^HTTP\/1\.1 504 /);
    assert.ok(text.includes(late));
    // Another method's call, older than all of these, has its own time.
    assert.equal(slow.stream.closed, false);
  } finally {
    session.destroy();
  }
});

inEach(four.all, 'a caller that goes away is seen by the service', async (client) => {
  const gone = new AbortController();
  const taken = echo.calls.length;
  const answer = client.call(silent, {}, { signal: gone.signal });
  answer.catch(() => {});
  await until('the call', () => echo.calls.length > taken);
  const call = latest();
  assert.equal(call.ended, undefined);
  gone.abort();
  await assert.rejects(answer);
  await until('the end of the call', () => call.ended !== undefined);
  assert.equal(reasonOf(call), 'CANCELLED');
  const line = await lineOf(server.log, call.requestId);
  assert.equal(line.code, 'CANCELLED');
});

inEach(four.streaming, 'a reader that leaves a stream is seen by the service', async (client) => {
  const gone = new AbortController();
  const taken = echo.calls.length;
  const end = Array.fromAsync(client.stream(silentStream, [{}], { signal: gone.signal }));
  end.catch(() => {});
  await until('the call', () => echo.calls.length > taken);
  gone.abort();
  await assert.rejects(end);
  await until('the end of the call', () => latest().ended !== undefined);
  assert.equal(reasonOf(latest()), 'CANCELLED');
});

test('a client deadline of the foreign clients themselves reaches the service', async () => {
  for (const client of [four.grpc, four.web]) {
    const taken = echo.calls.length;
    await assert.rejects(client.call(silent, {}, { timeoutMs: 60 }));
    await until('the call', () => echo.calls.length > taken);
    const { timeoutMs } = latest().head;
    assert.ok(timeoutMs !== undefined && timeoutMs > 0 && timeoutMs <= 60, `${timeoutMs}`);
    await until('the end of the call', () => latest().ended !== undefined);
  }
});

test('callers that leave at any moment do not disturb the server', async () => {
  const leave = async (delayMs: number) => {
    for (const client of four.all) {
      const signal = delayMs === 0 ? AbortSignal.abort() : AbortSignal.timeout(delayMs);
      await client.auth(server.secret, '', { signal }).catch(() => {});
    }
  };
  for (let i = 0; i < 40; i++) await leave(i % 8);
  for (const client of four.all) assert.ok(await client.auth(server.secret));
  const ours = linesOf(server.log).filter((line) => line.reason === 'INTERNAL');
  assert.deepEqual(ours, []);
});
