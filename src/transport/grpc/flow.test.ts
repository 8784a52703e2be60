/** Whoever is slow is waited for, whoever leaves is let go: over real connections, both ways. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import http2 from 'node:http2';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { AppError } from '../../domain/errors.ts';
import type { Call } from '../../pipeline/call.ts';
import { frame } from './frames.ts';
import { type Behaviour, BYTES_MAX, bytesOf, encode, startTestServer } from './test-server.ts';

/** Random, so that nothing makes it smaller on its way. */
const CHUNK = randomBytes(64 * 1024);
/** HTTP/2's windows hold 64 KiB, and each side's buffers some more. */
const CHUNKS_UNDER_WAY_MAX = 12;

const behaviour: Partial<Behaviour> = {};
const server = await startTestServer(behaviour);
const session = http2.connect(`http://127.0.0.1:${server.port}`);
after(async () => {
  session.destroy();
  await server[Symbol.asyncDispose]();
});

interface Caller {
  readonly stream: http2.ClientHttp2Stream;
  /** The status, once it has come. */
  readonly status: Promise<string>;
}

/** Opens a call and leaves it open. */
function open(method: string, on = session, more: http2.OutgoingHttpHeaders = {}): Caller {
  const stream = on.request({
    ':method': 'POST',
    ':path': `/test.Bytes/${method}`,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...more,
  });
  const status = new Promise<string>((resolve) => {
    const look = (headers: http2.IncomingHttpHeaders) => {
      if (headers['grpc-status'] !== undefined) resolve(String(headers['grpc-status']));
    };
    stream.on('response', look);
    stream.on('trailers', look);
    stream.on('close', () => resolve('none'));
  });
  stream.on('error', () => {});
  return { stream, status };
}

const EMPTY = frame(0, encode(Buffer.alloc(0)));
const FULL = frame(0, encode(CHUNK));

async function until(what: string, look: () => boolean): Promise<void> {
  for (let waited = 0; !look(); waited += 5) {
    assert.ok(waited < 5000, `${what}: not in time`);
    await sleep(5);
  }
}

/** Waits until a count no longer grows. */
async function settled(count: () => number): Promise<number> {
  for (let before = -1; before !== count(); await sleep(150)) before = count();
  return count();
}

test('a slow reader of a long stream makes the service wait', async () => {
  let made = 0;
  let left = false;
  behaviour.down = async function* () {
    try {
      for (; made < 1000; made++) yield bytesOf(CHUNK);
    } finally {
      left = true;
    }
  };
  const { stream, status } = open('Down');
  stream.end(EMPTY);
  assert.ok((await settled(() => made)) <= CHUNKS_UNDER_WAY_MAX, `${made} messages were made`);
  // It goes on as the reader does, and stops with it.
  let read = 0;
  stream.on('data', (chunk: Buffer) => {
    read += chunk.length;
    if (read > 50 * FULL.length) stream.pause();
  });
  await until('more messages', () => read > 50 * FULL.length);
  const more = await settled(() => made);
  assert.ok(more >= 50 && more <= 51 + CHUNKS_UNDER_WAY_MAX, `${more} messages were made`);
  assert.equal(left, false);
  // Leaving ends the service's generator, though it waits for the reader.
  stream.close(http2.constants.NGHTTP2_CANCEL);
  await until('the end of the service', () => left);
  assert.equal(await status, 'none');
});

test('a service that does not read makes the sender wait, and nobody else', async () => {
  const gate = Promise.withResolvers<void>();
  let received = 0;
  behaviour.up = async (requests) => {
    await gate.promise;
    for await (const { value } of requests) received += value.length;
    return bytesOf(Buffer.alloc(0));
  };
  behaviour.one = (request) => request;
  const { stream, status } = open('Up');
  let sent = 0;
  const send = async () => {
    for (; sent < 200; sent++) {
      if (!stream.write(FULL)) await new Promise((resolve) => stream.once('drain', resolve));
    }
    stream.end();
  };
  const all = send();
  assert.ok((await settled(() => sent)) <= CHUNKS_UNDER_WAY_MAX, `${sent} messages were sent`);
  const other = open('One');
  other.stream.end(FULL);
  other.stream.resume();
  assert.equal(await other.status, '0');
  gate.resolve();
  await all;
  stream.resume();
  assert.equal(await status, '0');
  assert.equal(received, 200 * CHUNK.length);
});

test('a message over the limit ends a stream with a status, packed or not', async () => {
  const large = Buffer.alloc(BYTES_MAX + 1);
  const count = async (requests: AsyncIterable<unknown>) => {
    let seen = 0;
    for await (const _ of requests) seen++;
    return bytesOf(Buffer.from([seen]));
  };
  behaviour.up = count;
  behaviour.both = async function* (requests) {
    yield await count(requests);
  };
  for (const method of ['Up', 'Both']) {
    for (const message of [
      // The prefix alone: what it announces is not waited for.
      frame(0, large).subarray(0, 5),
      frame(0, large),
      frame(1, gzipSync(large)),
    ]) {
      const { stream, status } = open(method, session, { 'grpc-encoding': 'gzip' });
      stream.resume();
      stream.write(EMPTY);
      stream.write(message);
      assert.equal(await status, '8', method);
    }
  }
});

test('a caller that leaves while it sends has cancelled, to the service and in the log', async () => {
  const before = server.reasons.length;
  const seen: unknown[] = [];
  const calls: Call[] = [];
  const readAll = async (requests: AsyncIterable<unknown>, call: Call) => {
    calls.push(call);
    try {
      for await (const _ of requests) await sleep(20);
    } catch (error) {
      seen.push(error);
      throw error;
    }
    return bytesOf(Buffer.alloc(0));
  };
  behaviour.up = readAll;
  behaviour.both = async function* (requests, call) {
    yield await readAll(requests, call);
  };
  for (const method of ['Up', 'Both']) {
    for (const code of [http2.constants.NGHTTP2_CANCEL, http2.constants.NGHTTP2_INTERNAL_ERROR]) {
      const { stream } = open(method);
      // More than there is room for: with nothing left to send, Node ends a stream and then resets it.
      for (let i = 0; i < CHUNKS_UNDER_WAY_MAX; i++) stream.write(FULL);
      const count = calls.length + 1;
      await until('the call', () => calls.length === count);
      stream.close(code);
      await until('the end of the call', () => calls.at(-1)?.ended !== undefined);
      await until('the end of the requests', () => seen.length === count);
    }
  }
  for (const error of seen) assert.ok(error instanceof AppError && error.reason === 'CANCELLED');
  // One whose connection breaks is no different.
  const lost = http2.connect(`http://127.0.0.1:${server.port}`);
  lost.on('error', () => {});
  const { stream } = open('Up', lost);
  stream.write(EMPTY);
  await until('the call', () => calls.length === 5);
  lost.destroy();
  await until('the end of the requests', () => seen.length === 5);
  await until('the log', () => server.reasons.length === before + 5);
  assert.deepEqual(new Set(server.reasons.slice(before)), new Set(['CANCELLED']));
});

test('a service that ends early is heard by a caller that still sends', async () => {
  behaviour.both = async function* (requests) {
    for await (const request of requests) {
      yield request;
      throw new AppError('ACCOUNT_NOT_IN_TOKEN', 'enough');
    }
  };
  const { stream, status } = open('Both');
  stream.resume();
  let isOpen = true;
  stream.on('close', () => {
    isOpen = false;
  });
  for (let i = 0; isOpen && i < 2000; i++) {
    stream.write(FULL);
    await sleep(1);
  }
  assert.equal(await status, '5');
  assert.equal(isOpen, false, 'the caller is told that nobody reads');
  assert.equal(stream.rstCode, http2.constants.NGHTTP2_NO_ERROR);
});

test('draining: a call under way is answered, a stream is told to come again elsewhere', async () => {
  await using other = await startTestServer({
    one: async (request) => {
      await sleep(150);
      return request;
    },
    async *down(request, call) {
      yield request;
      await new Promise<void>((resolve) => call.onEnd(() => resolve()));
    },
  });
  const connection = http2.connect(`http://127.0.0.1:${other.port}`);
  let code: number | undefined;
  connection.on('goaway', (errorCode) => {
    code ??= errorCode;
  });
  const closed = new Promise((resolve) => connection.on('close', resolve));
  const one = open('One', connection);
  one.stream.end(EMPTY);
  one.stream.resume();
  const down = open('Down', connection);
  down.stream.end(EMPTY);
  await new Promise((resolve) => down.stream.once('data', resolve));
  other.pipeline.drain();
  const drained = other.listener.drain();
  assert.equal(await down.status, '14');
  await until('GOAWAY', () => code !== undefined);
  assert.equal(code, http2.constants.NGHTTP2_NO_ERROR);
  assert.equal(await one.status, '0');
  await drained;
  await closed;
});
