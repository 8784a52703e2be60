/** Values of scalars and enums, from JSON and from the texts of paths and queries. */
import { type DescEnum, ScalarType } from '@bufbuild/protobuf';
import { base64Decode } from '@bufbuild/protobuf/wire';
import { type Json, LongNumber } from './json.ts';
import {
  finite,
  type Range,
  rangeOf,
  realOfJson,
  realOfText,
  wholeOfJson,
  wholeOfText,
} from './numbers.ts';

export type Scalar = string | boolean | number | bigint | Uint8Array;

const ENUM_RANGE = rangeOf(ScalarType.INT32) as Range;
const TRUE = /^(1|t|T|TRUE|true|True)$/;
const FALSE = /^(0|f|F|FALSE|false|False)$/;

const BASE64 = alphabet('A-Za-z0-9+/');
const BASE64_URL = alphabet('A-Za-z0-9_-');

function alphabet(characters: string) {
  const one = `[${characters}]`;
  return {
    padded: new RegExp(`^(${one}{4})*(${one}{2}==|${one}{3}=)?$`),
    bare: new RegExp(`^(${one}{4})*(${one}{2,3})?$`),
  };
}

/** Base64 of either alphabet, with padding or without, in lines or not. */
function bytesOf(text: string): Uint8Array | undefined {
  const { padded, bare } = /[-_]/.test(text) ? BASE64_URL : BASE64;
  const packed = text.replace(/[\r\n]/g, '');
  return (text.length % 4 === 0 ? padded : bare).test(packed) ? base64Decode(packed) : undefined;
}

/** The digits of a JSON number, or the string that may hold one. */
function digitsOf(json: Json): string | undefined {
  if (typeof json === 'string') return json;
  if (typeof json === 'number') return String(json);
  return json instanceof LongNumber ? json.text : undefined;
}

function wholeFromJson(json: Json, range: Range): number | bigint | undefined {
  const text = digitsOf(json);
  return text === undefined ? undefined : wholeOfJson(text, range);
}

function realFromJson(json: Json, isFloat: boolean): number | undefined {
  // As text, -0 would lose its sign.
  if (typeof json === 'number') return finite(json, isFloat);
  const text = digitsOf(json);
  return text === undefined ? undefined : realOfJson(text, isFloat);
}

/** A scalar from its JSON; undefined when it is of another type. */
export function scalarFromJson(scalar: ScalarType, json: Json): Scalar | undefined {
  switch (scalar) {
    case ScalarType.STRING:
      return typeof json === 'string' && json.isWellFormed() ? json : undefined;
    case ScalarType.BOOL:
      return typeof json === 'boolean' ? json : undefined;
    case ScalarType.BYTES:
      return typeof json === 'string' ? bytesOf(json) : undefined;
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return realFromJson(json, scalar === ScalarType.FLOAT);
    default:
      return wholeFromJson(json, rangeOf(scalar) as Range);
  }
}

/** A scalar from a path or query; undefined when the text is none of that type. */
export function scalarFromText(scalar: ScalarType, text: string): Scalar | undefined {
  switch (scalar) {
    case ScalarType.STRING:
      return text;
    case ScalarType.BOOL:
      if (TRUE.test(text)) return true;
      return FALSE.test(text) ? false : undefined;
    case ScalarType.BYTES:
      return bytesOf(text);
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return realOfText(text, scalar === ScalarType.FLOAT);
    default:
      return wholeOfText(text, rangeOf(scalar) as Range);
  }
}

/** The key of a map in JSON, where all keys are strings. */
export function keyFromJson(scalar: ScalarType, key: string): Scalar | undefined {
  if (scalar === ScalarType.STRING) return key.isWellFormed() ? key : undefined;
  if (scalar === ScalarType.BOOL) return key === 'true' || (key === 'false' ? false : undefined);
  return scalarFromText(scalar, key);
}

/** A name that the enum does not have: in JSON it is ignored, as unknown fields are. */
export const UNKNOWN_NAME = Symbol('unknown name');

/** An enum's number from its JSON: a name, or any number; undefined when it is neither. */
export function enumFromJson(desc: DescEnum, json: Json): number | typeof UNKNOWN_NAME | undefined {
  if (typeof json !== 'string') {
    return wholeFromJson(json, ENUM_RANGE) as number | undefined;
  }
  return desc.values.find(({ name }) => name === json)?.number ?? UNKNOWN_NAME;
}

/** An enum's number from a path or query: a name, or a number that has one. */
export function enumFromText(desc: DescEnum, text: string): number | undefined {
  const named = desc.values.find(({ name }) => name === text);
  const number = named?.number ?? (wholeOfText(text, ENUM_RANGE) as number | undefined);
  return desc.values.find((value) => value.number === number)?.number;
}
