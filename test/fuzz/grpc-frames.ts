/** Bodies of gRPC and gRPC-Web: messages behind their prefixes, right and wrong. */
import { gzipSync } from 'node:zlib';
import type { DescMessage } from '@bufbuild/protobuf';
import { mutate } from './mutate.ts';
import { protobufBody } from './protobuf.ts';
import type { Random } from './random.ts';

const FLAGS = [1, 2, 0x80, 0x81, 0xff] as const;
const LENGTHS = [0, 1, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff] as const;

/** Little that becomes much: a megabyte or three of nothing. Made once, compressing is slow. */
const BOMBS = [1 << 20, 3 << 20].map((size) => gzipSync(Buffer.alloc(size)));

function prefixed(flags: number, length: number, data: Uint8Array): Buffer {
  const framed = Buffer.alloc(5 + data.length);
  framed[0] = flags;
  framed.writeUInt32BE(length, 1);
  framed.set(data, 5);
  return framed;
}

function compressed(random: Random, data: Uint8Array): Buffer {
  return random.weighted<() => Buffer>([
    [6, () => gzipSync(data)],
    [2, () => mutate(random, gzipSync(data))],
    [1, () => random.pick(BOMBS)],
    [1, () => Buffer.concat([gzipSync(data), random.bytes(random.below(9))])],
  ])();
}

function oneFrame(random: Random, desc: DescMessage): Buffer {
  const data = protobufBody(random, desc);
  const isCompressed = random.oneIn(8);
  const body = isCompressed ? compressed(random, data) : data;
  const flags = random.oneIn(12) ? random.pick(FLAGS) : Number(isCompressed);
  const length = random.oneIn(12) ? random.pick(LENGTHS) : body.length;
  return prefixed(flags, length, body);
}

/** What is sent to a method that takes `desc`: mostly one message. */
export function grpcBody(random: Random, desc: DescMessage, isStream: boolean): Buffer {
  const count = isStream || random.oneIn(10) ? random.below(6) : 1;
  const whole = Buffer.concat(random.list(count, () => oneFrame(random, desc)));
  return random.weighted<() => Buffer>([
    [12, () => whole],
    [1, () => whole.subarray(0, random.below(whole.length + 1))],
    [1, () => mutate(random, whole)],
    [1, () => Buffer.concat([whole, random.bytes(random.below(6))])],
  ])();
}
