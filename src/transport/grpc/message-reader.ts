/**
 * The messages of requests. Most hold texts alone and are read here, with less ado than the library
 * makes; whatever is out of the ordinary is left to it, and so are all its refusals.
 */
import { create, type DescMessage, fromBinary, type Message, ScalarType } from '@bufbuild/protobuf';
import { AppError } from '../../domain/errors.ts';

const WIRE_BYTES = 2;
/** From here on a tag or a length has a second byte, or a letter is none of ASCII. */
const LONG = 0x80;

/** By tag, the name of the field; null where messages of this kind hold more than texts. */
const textFields = new WeakMap<DescMessage, readonly (string | undefined)[] | null>();

/** Reads a message, which begins at `from`. Throws AppError INVALID_REQUEST. */
export function readMessage(desc: DescMessage, data: Buffer, from = 0): Message {
  const fields = textFieldsOf(desc);
  const read = fields === null ? undefined : readTexts(desc, fields, data, from);
  if (read !== undefined) return read;
  try {
    return fromBinary(desc, data.subarray(from));
  } catch (error) {
    const message = `the message is not a ${desc.typeName}: ${(error as Error).message}`;
    throw new AppError('INVALID_REQUEST', message);
  }
}

function textFieldsOf(desc: DescMessage): readonly (string | undefined)[] | null {
  let fields = textFields.get(desc);
  if (fields === undefined) {
    const areTexts = desc.fields.every(
      ({ fieldKind, scalar, oneof, proto }) =>
        fieldKind === 'scalar' &&
        scalar === ScalarType.STRING &&
        oneof === undefined &&
        !proto.proto3Optional,
    );
    fields = areTexts ? byTag(desc) : null;
    textFields.set(desc, fields);
  }
  return fields;
}

function byTag(desc: DescMessage): readonly (string | undefined)[] {
  const names: (string | undefined)[] = [];
  for (const { number, localName } of desc.fields) names[(number << 3) | WIRE_BYTES] = localName;
  return names;
}

/** undefined for what is not known, not ASCII, or not whole. */
function readTexts(
  desc: DescMessage,
  fields: readonly (string | undefined)[],
  data: Buffer,
  from: number,
): Message | undefined {
  const message = create(desc) as Message & Record<string, unknown>;
  let at = from;
  while (at < data.length) {
    const tag = data[at++] ?? LONG;
    const name = tag < LONG ? fields[tag] : undefined;
    if (name === undefined) return undefined;
    let length = data[at++] ?? LONG;
    if (length >= LONG) {
      const more = data[at++] ?? LONG;
      // Longer than 16 KiB, or ended too soon.
      if (more >= LONG) return undefined;
      length = (length & 0x7f) | (more << 7);
    }
    const end = at + length;
    if (end > data.length) return undefined;
    for (let i = at; i < end; i++) if ((data[i] as number) >= LONG) return undefined;
    message[name] = data.toString('latin1', at, end);
    at = end;
  }
  return message;
}
