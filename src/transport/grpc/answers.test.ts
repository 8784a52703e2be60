/** What answers look like on the wire, and to clients of other people. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import http2 from 'node:http2';
import { after, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { BytesValue } from '@bufbuild/protobuf/wkt';
import * as grpc from '@grpc/grpc-js';
import type { Call, Metadata } from '../../pipeline/call.ts';
import { COMPRESSED_BYTES_MIN } from './compression.ts';
import { type Frame, FrameReader, frame } from './frames.ts';
import { BYTES_MAX, bytesOf, decode, encode, startTestServer } from './test-server.ts';

/** What the service sends, whatever it is asked. */
let answers: readonly Uint8Array[] = [];
let headers: Metadata = [];
let trailers: Metadata = [];
let asked: Call | undefined;

function first(call: Call): BytesValue {
  asked = call;
  call.responseHeaders.push(...headers);
  call.responseTrailers.push(...trailers);
  return bytesOf(answers[0] ?? Buffer.alloc(0));
}

const server = await startTestServer({
  one: (_request, call) => first(call),
  async *down(_request, call) {
    first(call);
    for (const answer of answers) yield bytesOf(answer);
  },
  up: async (_requests, call) => first(call),
});
const session = http2.connect(`http://127.0.0.1:${server.port}`);
after(async () => {
  session.destroy();
  await server[Symbol.asyncDispose]();
});

interface Answer {
  readonly headers: http2.IncomingHttpHeaders;
  readonly frames: readonly Frame[];
}

/** Asks with an empty message and reads the answer as it is. */
function ask(method: string, more: http2.OutgoingHttpHeaders): Promise<Answer> {
  const stream = session.request({
    ':method': 'POST',
    ':path': `/test.Bytes/${method}`,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...more,
  });
  const reader = new FrameReader(BYTES_MAX + 100);
  let received: http2.IncomingHttpHeaders = {};
  stream.on('response', (head) => {
    received = head;
  });
  stream.on('data', (chunk: Buffer) => reader.push(chunk));
  stream.end(frame(0, encode(Buffer.alloc(0))));
  return new Promise((resolve, reject) => {
    stream.on('error', reject);
    stream.on('end', () => {
      const frames: Frame[] = [];
      for (let next = reader.next(); next !== undefined; next = reader.next()) frames.push(next);
      resolve({ headers: received, frames });
    });
  });
}

/** The message in a frame. */
function read({ flags, data }: Frame): Buffer {
  return Buffer.from(decode(flags === 1 ? gunzipSync(data) : data));
}

const DULL = Buffer.alloc(50_000, 'dull');
const SMALL = Buffer.from('small');
const GZIP = { 'grpc-accept-encoding': 'identity,deflate,gzip' };

for (const [kind, more] of [
  ['gRPC', {}],
  ['gRPC-Web', { 'content-type': 'application/grpc-web+proto' }],
] as const) {
  const isWeb = kind === 'gRPC-Web';
  /** Without the frame of trailers, which is never compressed. */
  const messages = ({ frames }: Answer): readonly Frame[] => {
    if (!isWeb) return frames;
    assert.equal(frames.at(-1)?.flags, 0x80);
    assert.match(frames.at(-1)?.data.toString() ?? '', /^grpc-status: 0\r\n/);
    return frames.slice(0, -1);
  };

  test(`${kind}: one answer is compressed where the caller takes it and it is large`, async () => {
    for (const method of ['One', 'Up']) {
      answers = [DULL];
      const packed = await ask(method, { ...more, ...GZIP });
      assert.equal(packed.headers['grpc-encoding'], 'gzip');
      const [message, ...others] = messages(packed);
      assert.deepEqual([message?.flags, others], [1, []]);
      assert.ok(message !== undefined && message.data.length < 1000);
      assert.deepEqual(read(message), DULL);
      for (const [answer, accept] of [
        [DULL, {}],
        [DULL, { 'grpc-accept-encoding': 'identity,br' }],
        [SMALL, GZIP],
        [Buffer.alloc(0), GZIP],
        [randomBytes(50_000), GZIP],
      ] as const) {
        answers = [answer];
        const plain = await ask(method, { ...more, ...accept });
        assert.equal(plain.headers['grpc-encoding'], undefined);
        const [only, ...rest] = messages(plain);
        assert.deepEqual([only?.flags, rest], [0, []]);
        assert.deepEqual(only && read(only), answer);
      }
    }
  });

  test(`${kind}: of a stream, the large answers are compressed`, async () => {
    answers = [SMALL, DULL, SMALL, randomBytes(5000), DULL];
    const packed = await ask('Down', { ...more, ...GZIP });
    assert.equal(packed.headers['grpc-encoding'], 'gzip');
    assert.deepEqual(
      messages(packed).map(({ flags }) => flags),
      [0, 1, 0, 0, 1],
    );
    assert.deepEqual(messages(packed).map(read), answers);
    const plain = await ask('Down', more);
    assert.equal(plain.headers['grpc-encoding'], undefined);
    assert.ok(messages(plain).every(({ flags }) => flags === 0));
    assert.deepEqual(messages(plain).map(read), answers);
  });
}

test('the limit counts the bytes of the message', async () => {
  // Tag and length of the field take three bytes.
  for (const [length, flags] of [
    [COMPRESSED_BYTES_MIN - 4, 0],
    [COMPRESSED_BYTES_MIN - 3, 1],
  ] as const) {
    answers = [Buffer.alloc(length)];
    assert.equal((await ask('One', GZIP)).frames[0]?.flags, flags);
  }
});

const client = new grpc.Client(`127.0.0.1:${server.port}`, grpc.credentials.createInsecure());
after(() => client.close());

interface Heard {
  readonly value: Buffer;
  readonly headers: grpc.Metadata;
  readonly trailers: grpc.Metadata;
}

function callOne(value: Buffer, metadata = new grpc.Metadata()): Promise<Heard> {
  return new Promise((resolve, reject) => {
    let headers = new grpc.Metadata();
    let heard: Buffer | undefined;
    const read = (data: Buffer) => Buffer.from(decode(data));
    const call = client.makeUnaryRequest(
      ...(['/test.Bytes/One', encode, read, value, metadata] as const),
      (error, answer) => {
        if (error !== null) reject(error);
        heard = answer;
      },
    );
    call.on('metadata', (received) => {
      headers = received;
    });
    call.on('status', ({ metadata: trailers }) => {
      if (heard !== undefined) resolve({ value: heard, headers, trailers });
    });
  });
}

test('grpc-js reads what is compressed for it', async () => {
  for (const answer of [SMALL, DULL, randomBytes(5000)]) {
    answers = [answer];
    assert.deepEqual((await callOne(SMALL)).value, answer);
  }
  answers = [SMALL, DULL, SMALL, DULL];
  const read = (data: Buffer) => Buffer.from(decode(data));
  const stream = client.makeServerStreamRequest('/test.Bytes/Down', encode, read, SMALL);
  assert.deepEqual(await Array.fromAsync(stream), answers);
});

test('binary metadata comes and goes as it is', async () => {
  const bytes = [Buffer.from([0, 255, 10, 13]), randomBytes(100), Buffer.from('text')];
  const metadata = new grpc.Metadata();
  for (const each of bytes) metadata.add('in-bin', each);
  metadata.set('in', 'text');
  // Names that end in -bin carry base64, with or without its padding.
  headers = bytes.flatMap((each) => ['head-bin', each.toString('base64')]);
  trailers = bytes.flatMap((each) => ['tail-bin', each.toString('base64').replace(/=/g, '')]);
  answers = [SMALL];
  const heard = await callOne(SMALL, metadata);
  assert.deepEqual(heard.headers.get('head-bin'), bytes);
  assert.deepEqual(heard.trailers.get('tail-bin'), bytes);
  const { 'in-bin': received, in: text } = asked?.head.headers ?? {};
  const parts = String(received).split(/, ?/);
  assert.deepEqual(
    parts.map((part) => Buffer.from(part, 'base64')),
    bytes,
  );
  assert.equal(text, 'text');
  headers = [];
  trailers = [];
});
