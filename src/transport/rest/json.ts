/** JSON texts, read without what JSON.parse would lose: duplicate keys and the last digits of numbers. */
import { isAscii } from 'node:buffer';
import { fromJsonString } from '@bufbuild/protobuf';
import { EmptySchema } from '@bufbuild/protobuf/wkt';
import { AppError } from '../../domain/errors.ts';

/** A number by its digits, since JavaScript's own would round it. */
export class LongNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Json = null | boolean | number | string | LongNumber | Json[] | JsonObject;
export type JsonObject = { [key: string]: Json };

export function isObject(value: Json | undefined): value is JsonObject {
  if (typeof value !== 'object' || value === null) return false;
  return !Array.isArray(value) && !(value instanceof LongNumber);
}

/** True for texts that may hold a number that JavaScript would round; false alarms are harmless. */
const MAY_ROUND = /[\d.]{16}|\d[eE]/;
/** The white space of JSON; JavaScript's trim knows more of it. */
const BLANK = /^[ \t\r\n]*$/;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Half of a surrogate pair, perhaps: only an escape can bring one into a text that is UTF-8. */
const MAY_BE_HALF = /\\u[dD][89a-fA-F]/;

function isWellFormed(json: Json): boolean {
  if (typeof json === 'string') return json.isWellFormed();
  if (Array.isArray(json)) return json.every(isWellFormed);
  if (!isObject(json)) return true;
  return Object.entries(json).every(([key, value]) => key.isWellFormed() && isWellFormed(value));
}

/** True when every string in it, known to us or not, can be written in UTF-8. */
export function isUnicode(text: string, json: Json): boolean {
  return !MAY_BE_HALF.test(text) || isWellFormed(json);
}

function keepDigits(_key: string, value: unknown, { source }: { source?: string }): unknown {
  if (typeof value !== 'number' || source === undefined) return value;
  return /^-?\d{1,15}$/.test(source) ? value : new LongNumber(source);
}

function parse(text: string): Json {
  if (!MAY_ROUND.test(text)) return JSON.parse(text);
  // The compiler's library does not know the third argument of revivers yet.
  return JSON.parse(text, keepDigits as (key: string, value: unknown) => unknown);
}

function asRefusal(error: unknown): AppError {
  const { message } = error as Error;
  if (error instanceof RangeError)
    return new AppError('INVALID_REQUEST', 'the JSON nests too deep');
  if (message.includes('duplicate object key')) {
    // Which one is not said: a key that the caller made up may be a secret, and errors are logged.
    return new AppError('INVALID_REQUEST', 'the body has an object with a key more than once');
  }
  const position = /at position \d+/.exec(message)?.[0];
  const where = position === undefined ? 'it ends too early or breaks off' : `broken ${position}`;
  return new AppError('INVALID_REQUEST', `the body is not JSON: ${where}`);
}

/**
 * Reads a JSON text.
 * @throws AppError INVALID_REQUEST when it is not JSON, or an object in it has a key twice
 */
export function parseJson(text: string): Json {
  try {
    const json = parse(text);
    // Looks at the text for duplicates; a message without fields takes whatever the text holds.
    fromJsonString(EmptySchema, `{"":${text}}`, { ignoreUnknownFields: true });
    return json;
  } catch (error) {
    throw asRefusal(error);
  }
}

/**
 * The text of a body; undefined when there is nothing in it.
 * @throws AppError INVALID_REQUEST when it is not UTF-8
 */
export function textOf(body: Buffer): string | undefined {
  if (body.length === 0) return undefined;
  try {
    // What is ASCII alone is the same in Latin-1, which is read faster.
    const text = isAscii(body) ? body.toString('latin1') : utf8.decode(body);
    return BLANK.test(text) ? undefined : text;
  } catch {
    throw new AppError('INVALID_REQUEST', 'the body is not UTF-8');
  }
}
