import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { AppError } from '../../domain/errors.ts';
import { type Frame, FrameReader, frame, onlyFrame, unpack } from './frames.ts';

const messages = fc.array(fc.tuple(fc.integer({ min: 0, max: 255 }), fc.uint8Array()), {
  maxLength: 8,
});

/** Everything that can be read after these chunks. */
function readAll(chunks: readonly Buffer[], bytesMax = 1000): Frame[] {
  const reader = new FrameReader(bytesMax);
  const frames: Frame[] = [];
  for (const chunk of chunks) {
    reader.push(chunk);
    for (let next = reader.next(); next !== undefined; next = reader.next()) frames.push(next);
  }
  reader.end();
  return frames;
}

function cut(bytes: Buffer, at: readonly number[]): Buffer[] {
  const places = [0, ...at.map((place) => place % (bytes.length + 1)), bytes.length];
  places.sort((a, b) => a - b);
  return places.slice(1).map((end, i) => bytes.subarray(places[i], end));
}

test('frames are the same wherever the stream of bytes is cut', () => {
  fc.assert(
    fc.property(messages, fc.array(fc.nat()), (sent, at) => {
      const bytes = Buffer.concat(sent.map(([flags, data]) => frame(flags, data)));
      const read = readAll(cut(bytes, at)).map(({ flags, data }) => [flags, Uint8Array.from(data)]);
      assert.deepEqual(
        read,
        sent.map(([flags, data]) => [flags, Uint8Array.from(data)]),
      );
    }),
    { numRuns: 500 },
  );
});

test('one byte at a time', () => {
  const bytes = Buffer.concat([frame(0, Buffer.from('one')), frame(1, Buffer.alloc(0))]);
  const read = readAll([...bytes].map((byte) => Buffer.from([byte])));
  assert.deepEqual(
    read.map(({ flags, data }) => [flags, data.toString()]),
    [
      [0, 'one'],
      [1, ''],
    ],
  );
});

test('a stream that ends inside a frame is refused, at any place', () => {
  const bytes = frame(0, Buffer.from('message'));
  for (let length = 1; length < bytes.length; length++) {
    assert.throws(() => readAll([bytes.subarray(0, length)]), isRefusal('INVALID_REQUEST'));
  }
});

test('a message over the limit is refused by its prefix alone', () => {
  assert.equal(readAll([frame(0, Buffer.alloc(10))], 10).length, 1);
  const prefix = frame(0, Buffer.alloc(11)).subarray(0, 5);
  assert.throws(() => readAll([prefix], 10), isRefusal('BODY_TOO_LARGE'));
  const huge = Buffer.from([0, 0xff, 0xff, 0xff, 0xff]);
  assert.throws(() => readAll([huge], 10), isRefusal('BODY_TOO_LARGE'));
});

function isRefusal(reason: string) {
  return (error: unknown) => error instanceof AppError && error.reason === reason;
}

test('unpack: plain, compressed, and what it refuses', async () => {
  const data = Buffer.from('data');
  const packed = gzipSync(data);
  assert.deepEqual(await unpack({ flags: 0, data }, 'identity', 10), data);
  assert.deepEqual(await unpack({ flags: 0, data }, 'gzip', 10), data);
  assert.deepEqual(await unpack({ flags: 1, data: packed }, 'gzip', 10), data);
  const refuses = (flags: number, bytes: Buffer, encoding: string, reason: string) =>
    assert.rejects(async () => unpack({ flags, data: bytes }, encoding, 10), isRefusal(reason));
  await refuses(1, packed, 'identity', 'COMPRESSION_UNDECLARED');
  await refuses(1, data, 'gzip', 'INVALID_REQUEST');
  await refuses(1, packed.subarray(0, -3), 'gzip', 'INVALID_REQUEST');
  await refuses(2, data, 'gzip', 'INVALID_REQUEST');
  await refuses(0x80, data, 'gzip', 'INVALID_REQUEST');
  await refuses(1, gzipSync(Buffer.alloc(1_000_000)), 'gzip', 'BODY_TOO_LARGE');
});

test('a frame of a stream keeps nothing of what was read of the socket beside it', () => {
  const read = Buffer.alloc(65_536);
  const sent = frame(0, Buffer.from('data'));
  sent.copy(read);
  const reader = new FrameReader(10);
  reader.push(read.subarray(0, sent.length));
  assert.notEqual(reader.next()?.data.buffer, read.buffer);
});

test('onlyFrame: exactly one', () => {
  const one = frame(0, Buffer.from('data'));
  assert.deepEqual(onlyFrame(one, 4), { flags: 0, data: Buffer.from('data') });
  const refuses = (body: Buffer, reason: string) =>
    assert.throws(() => onlyFrame(body, 4), isRefusal(reason));
  refuses(Buffer.alloc(0), 'MESSAGE_COUNT_WRONG');
  refuses(Buffer.concat([one, one]), 'MESSAGE_COUNT_WRONG');
  refuses(one.subarray(0, -1), 'INVALID_REQUEST');
  refuses(one.subarray(0, 3), 'INVALID_REQUEST');
  refuses(Buffer.concat([one, one.subarray(0, 6)]), 'INVALID_REQUEST');
  refuses(frame(0, Buffer.from('datas')), 'BODY_TOO_LARGE');
});
