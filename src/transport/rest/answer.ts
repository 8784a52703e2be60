/** JSON of answers: names as in the proto files, zero values printed, unset messages left out. */
import {
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type Message,
  type Registry,
  ScalarType,
  toJson,
} from '@bufbuild/protobuf';
import { allWithin, isWellKnown, wrappedOf } from './fields.ts';
import { writeJson } from './json-writer.ts';
import { shortFloat } from './numbers.ts';

const OPTIONS = { alwaysEmitImplicit: true, useProtoFieldName: true } as const;

const floatHolders = new WeakMap<DescMessage, boolean>();

/** True when the message, or one inside it, has a float. */
function mayHoldFloats(message: DescMessage): boolean {
  let holds = floatHolders.get(message);
  if (holds === undefined) {
    holds = allWithin(message).some((one) => one.fields.some(isFloat));
    floatHolders.set(message, holds);
  }
  return holds;
}

function isFloat(field: DescField): boolean {
  const scalar = field.message === undefined ? field.scalar : wrappedOf(field.message)?.scalar;
  return scalar === ScalarType.FLOAT;
}

/**
 * A float is held as the double that equals it, and would be printed with that double's digits:
 * 0.1 as 0.10000000149011612. In place.
 */
function shorten(message: DescMessage, json: JsonObject): void {
  for (const field of message.fields) {
    const value = json[field.name];
    if (value === undefined) continue;
    const inner = field.message;
    if (isFloat(field)) json[field.name] = eachOf(field, value, shortOne);
    else if (inner !== undefined && !isWellKnown(inner) && mayHoldFloats(inner)) {
      eachOf(field, value, (one) => {
        shorten(inner, one as JsonObject);
        return one;
      });
    }
  }
}

function shortOne(value: JsonValue): JsonValue {
  return typeof value === 'number' ? shortFloat(value) : value;
}

/** Changes a field's value, or those in its list or map. */
function eachOf(
  field: DescField,
  json: JsonValue,
  change: (one: JsonValue) => JsonValue,
): JsonValue {
  if (field.fieldKind === 'list') return (json as JsonValue[]).map(change);
  if (field.fieldKind !== 'map') return change(json);
  return Object.fromEntries(
    Object.entries(json as JsonObject).map(([key, value]) => [key, change(value)]),
  );
}

/** The JSON of a message, its floats with their own digits. */
function treeOf(desc: DescMessage, message: Message, registry?: Registry): JsonValue {
  const json = toJson(desc, message, registry === undefined ? OPTIONS : { ...OPTIONS, registry });
  if (wrappedOf(desc)?.scalar === ScalarType.FLOAT) return shortOne(json);
  if (!isWellKnown(desc) && mayHoldFloats(desc)) shorten(desc, json as JsonObject);
  return json;
}

/**
 * The JSON text of a message.
 * @param registry resolves google.protobuf.Any
 */
export function jsonOf(desc: DescMessage, message: Message, registry?: Registry): string {
  const text = registry === undefined ? writeJson(desc, message) : undefined;
  return text ?? JSON.stringify(treeOf(desc, message, registry));
}

/** The JSON text of one field of a message; null when it is not set. */
export function jsonOfField(desc: DescMessage, message: Message, name: string): string {
  return JSON.stringify((treeOf(desc, message) as JsonObject)[name] ?? null);
}
