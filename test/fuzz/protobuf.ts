/** Protobuf bodies: of a message's own shape, spoilt, of any shape, and deep. */
import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { mutate } from './mutate.ts';
import type { Random } from './random.ts';
import { text } from './values.ts';

const DEPTH_MAX = 5;
const NUMBERS = [0, 1, 2, 3, 15, 16, 18999, 19000, 536_870_911, 536_870_912] as const;

/** A varint of any length, also longer than any number needs. */
function varint(random: Random): Buffer {
  const length = random.weighted([
    [5, 1],
    [3, random.between(1, 5)],
    [2, random.between(5, 11)],
  ]);
  const bytes = random.bytes(length);
  for (let i = 0; i < length - 1; i++) bytes[i] = (bytes[i] ?? 0) | 0x80;
  if (!random.oneIn(20)) bytes[length - 1] = (bytes[length - 1] ?? 0) & 0x7f;
  return bytes;
}

function tag(field: number, wireType: number): Uint8Array {
  return new BinaryWriter().uint32(((field << 3) | wireType) >>> 0).finish();
}

function lengthOf(bytes: Uint8Array): Uint8Array {
  return new BinaryWriter().uint32(bytes.length).finish();
}

function value(random: Random, wireType: number, field: DescField | undefined, depth: number) {
  switch (wireType) {
    case WireType.Varint:
      return varint(random);
    case WireType.Bit64:
      return random.bytes(8);
    case WireType.Bit32:
      return random.bytes(4);
    case WireType.LengthDelimited: {
      const inner = delimited(random, field, depth);
      // A length that lies, now and then.
      const length = random.oneIn(25) ? varint(random) : lengthOf(inner);
      return Buffer.concat([length, inner]);
    }
    default:
      return Buffer.alloc(0);
  }
}

function delimited(random: Random, field: DescField | undefined, depth: number): Uint8Array {
  if (field?.message !== undefined && !random.oneIn(8)) {
    return depth < DEPTH_MAX ? messageBytes(random, field.message, depth + 1) : Buffer.alloc(0);
  }
  if (field?.scalar === ScalarType.STRING || random.oneIn(2)) return Buffer.from(text(random));
  return random.oneIn(2) ? Buffer.concat(random.list(3, () => varint(random))) : random.bytes(9);
}

function wireTypeOf(field: DescField): number {
  if (field.message !== undefined) return WireType.LengthDelimited;
  switch (field.scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return WireType.LengthDelimited;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return WireType.Bit64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return WireType.Bit32;
    default:
      return WireType.Varint;
  }
}

/** Fields of a message, mostly of their own types. */
export function messageBytes(random: Random, desc: DescMessage, depth = 0): Buffer {
  const parts = random.list(random.length(desc.fields.length + 3), () => {
    const field =
      random.oneIn(8) || desc.fields.length === 0 ? undefined : random.pick(desc.fields);
    const number = field?.number ?? random.pick(NUMBERS);
    const wireType = field === undefined || random.oneIn(10) ? random.below(8) : wireTypeOf(field);
    return Buffer.concat([tag(number, wireType), value(random, wireType, field, depth)]);
  });
  return Buffer.concat(parts);
}

/** A message in itself, over and over, or a group that never ends. */
function deep(random: Random, desc: DescMessage): Buffer {
  const times = random.weighted([
    [4, random.between(90, 110)],
    [1, random.below(3000)],
  ]);
  const number = random.pick(desc.fields.map((field) => field.number).concat(6, 3, 1));
  if (random.oneIn(2)) {
    const ends = random.oneIn(2) ? times : random.below(times);
    return Buffer.concat([
      ...random.list(times, () => tag(number, WireType.StartGroup)),
      ...random.list(ends, () => tag(number, WireType.EndGroup)),
    ]);
  }
  const heads: Uint8Array[] = [];
  let size = 0;
  for (let i = 0; i < times; i++) {
    const head = Buffer.concat([
      tag(number, WireType.LengthDelimited),
      new BinaryWriter().uint32(size).finish(),
    ]);
    heads.push(head);
    size += head.length;
  }
  return Buffer.concat(heads.reverse());
}

/** The bytes of a message that a method which takes `desc` is sent. */
export function protobufBody(random: Random, desc: DescMessage): Buffer {
  return random.weighted<() => Buffer>([
    [12, () => messageBytes(random, desc)],
    [5, () => mutate(random, messageBytes(random, desc))],
    [1, () => deep(random, desc)],
    [2, () => random.bytes(random.below(80))],
  ])();
}
