/**
 * The bytes of most answers, by functions that are made once of the descriptor and write into one
 * buffer that is used again. Lists that are frozen, through and through, are the same in many answers:
 * their bytes are kept as long as they are.
 */
import {
  type DescField,
  type DescMessage,
  type Message,
  ScalarType,
  toBinary,
} from '@bufbuild/protobuf';
import { DurationSchema, TimestampSchema } from '@bufbuild/protobuf/wkt';
import { frame } from './frames.ts';

type Put = (value: never) => void;
type Values = Readonly<Record<string, unknown>>;

/** What is written comes here first; it grows, and is used again by the next message. */
const BYTES_AT_FIRST = 4096;
let bytes = Buffer.allocUnsafe(BYTES_AT_FIRST);
let at = 0;
/** A larger one is let go after its message. */
const BYTES_KEPT = 1 << 20;

/** Bytes of a varint of 32 and of 64 bits at most. */
const VARINT32_BYTES = 5;
const VARINT64_BYTES = 10;
/** The most that UTF-8 takes for one UTF-16 unit. */
const UNIT_BYTES = 3;
/** The first length that takes two bytes. */
const LONG = 0x80;

const WIRE_VARINT = 0;
const WIRE_BYTES = 2;

/** Those that are messages like any other. */
const PLAIN_OF_GOOGLES: readonly string[] = [TimestampSchema.typeName, DurationSchema.typeName];

const writers = new WeakMap<DescMessage, Put | null>();

/**
 * A message as protobuf writes it, behind the prefix of a frame that is not compressed. Answers are made
 * here: what one might hold of fields that nobody knows is not written.
 */
export function frameOf(desc: DescMessage, message: Message): Buffer {
  const write = writerOf(desc);
  if (write === null) return frame(0, toBinary(desc, message));
  at = 0;
  write(message as never);
  const framed = frame(0, bytes.subarray(0, at));
  if (bytes.length > BYTES_KEPT) bytes = Buffer.allocUnsafe(BYTES_AT_FIRST);
  return framed;
}

function writerOf(desc: DescMessage): Put | null {
  let write = writers.get(desc);
  if (write === undefined) {
    write = isSimple(desc, new Set()) ? messageOf(desc) : null;
    writers.set(desc, write);
  }
  return write;
}

/**
 * True where all that messages of this kind may hold is written here. Of google.protobuf's, some are no
 * messages to the library but what they stand for.
 */
function isSimple(desc: DescMessage, seen: Set<DescMessage>): boolean {
  if (seen.has(desc)) return true;
  seen.add(desc);
  const isGoogles = desc.typeName.startsWith('google.protobuf.');
  if (isGoogles && !PLAIN_OF_GOOGLES.includes(desc.typeName)) return false;
  return desc.fields.every(
    ({ fieldKind, scalar, proto, message }) =>
      fieldKind !== 'map' &&
      !proto.proto3Optional &&
      (scalar === undefined || SCALARS[scalar] !== undefined) &&
      (message === undefined || isSimple(message, seen)),
  );
}

function messageOf(desc: DescMessage): Put {
  const fields = desc.fields.toSorted((a, b) => a.number - b.number).map(fieldOf);
  return (message: Values) => {
    for (const put of fields) put(message);
  };
}

/** Writes a field of a message, if it is set. */
function fieldOf(field: DescField): (message: Values) => void {
  const { localName, oneof } = field;
  if (field.fieldKind === 'list') {
    const put = listOf(field);
    return (message) => put(message[localName] as never);
  }
  const put = taggedOf(field);
  if (oneof !== undefined) {
    return (message) => {
      const { case: set, value } = message[oneof.localName] as { case?: string; value?: never };
      if (set === localName) put(value as never);
    };
  }
  // A message is there or not; of all else what is zero is left out.
  return (message) => {
    const value = message[localName];
    if (value !== undefined && value !== '' && value !== 0 && value !== 0n && value !== false) {
      put(value as never);
    }
  };
}

function listOf(field: DescField & { fieldKind: 'list' }): Put {
  const put = field.packed ? packedOf(field) : eachOf(taggedOf(field));
  const kept = new WeakMap<readonly never[], Buffer>();
  return (list: readonly never[]) => {
    if (list.length === 0) return;
    const known = kept.get(list);
    if (known !== undefined) {
      reserve(known.length);
      at += known.copy(bytes, at);
      return;
    }
    const from = at;
    put(list as never);
    if (Object.isFrozen(list)) kept.set(list, Buffer.from(bytes.subarray(from, at)));
  };
}

function eachOf(put: Put): Put {
  return (list: readonly never[]) => {
    for (const value of list) put(value);
  };
}

function packedOf(field: DescField): Put {
  const tag = (field.number << 3) | WIRE_BYTES;
  const put = eachOf(putOf(field));
  return (list: never) => {
    varint32(tag);
    sized(put, list);
  };
}

/** Writes one value with its field's number. */
function taggedOf(field: DescField): Put {
  const put = putOf(field);
  const isBytes = field.message !== undefined || field.scalar === ScalarType.STRING;
  const tag = (field.number << 3) | (isBytes ? WIRE_BYTES : WIRE_VARINT);
  return (value: never) => {
    varint32(tag);
    put(value);
  };
}

function putOf({ message, scalar }: DescField): Put {
  if (message !== undefined) {
    // Not before it is asked for: messages may be in circles.
    const put = (value: never) => (writerOf(message) as Put)(value);
    return (value: never) => sized(put, value);
  }
  // An enum is written as its number.
  return SCALARS[scalar ?? ScalarType.INT32] as Put;
}

const SCALARS: { readonly [S in ScalarType]?: Put } = {
  [ScalarType.STRING]: text,
  [ScalarType.BOOL]: (value: boolean) => varint32(Number(value)),
  [ScalarType.INT32]: int32,
  [ScalarType.UINT32]: uint32,
  [ScalarType.INT64]: varint64,
  [ScalarType.UINT64]: varint64,
};

function int32(value: number): void {
  // NaN, fractions and what is too large are no int32 either.
  if (value !== (value | 0)) throw new RangeError(`${value} is no int32`);
  if (value < 0) varint64(BigInt(value));
  else varint32(value);
}

function uint32(value: number): void {
  if (value !== value >>> 0) throw new RangeError(`${value} is no uint32`);
  varint32(value);
}

function reserve(more: number): void {
  if (at + more <= bytes.length) return;
  const larger = Buffer.allocUnsafe(Math.max(bytes.length * 2, at + more));
  bytes.copy(larger, 0, 0, at);
  bytes = larger;
}

function varint32(value: number): void {
  reserve(VARINT32_BYTES);
  let rest = value >>> 0;
  while (rest >= LONG) {
    bytes[at++] = (rest & 0x7f) | LONG;
    rest >>>= 7;
  }
  bytes[at++] = rest;
}

function varint64(value: bigint): void {
  if (value >= 0n && value < 0x1_0000_0000n) {
    varint32(Number(value));
    return;
  }
  reserve(VARINT64_BYTES);
  let rest = BigInt.asUintN(64, value);
  while (rest >= 0x80n) {
    bytes[at++] = Number(rest & 0x7fn) | LONG;
    rest >>= 7n;
  }
  bytes[at++] = Number(rest);
}

/** Writes what `put` writes after its length, which is known only then. */
function sized(put: Put, value: never): void {
  reserve(1);
  const from = ++at;
  put(value);
  const length = at - from;
  if (length < LONG) {
    bytes[from - 1] = length;
    return;
  }
  reserve(VARINT32_BYTES);
  at = from - 1;
  const end = from + length;
  const widthOf = Math.ceil((32 - Math.clz32(length)) / 7);
  bytes.copyWithin(at + widthOf, from, end);
  varint32(length);
  at += length;
}

function text(value: string): void {
  const most = value.length * UNIT_BYTES;
  if (most < LONG) {
    reserve(1 + most);
    const length = bytes.write(value, at + 1);
    bytes[at] = length;
    at += 1 + length;
    return;
  }
  const length = Buffer.byteLength(value);
  varint32(length);
  reserve(length);
  at += bytes.write(value, at);
}
