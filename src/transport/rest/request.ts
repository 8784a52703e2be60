/** From the path, query and JSON body of a REST request to the method's request message. */
import {
  create,
  type DescField,
  type DescMessage,
  type Message,
  ScalarType,
} from '@bufbuild/protobuf';
import { type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect';
import { AppError } from '../../domain/errors.ts';
import { fieldNamed } from './fields.ts';
import { isObject, isUnicode, type Json, parseJson, textOf } from './json.ts';
import { MessageReader } from './message-json.ts';
import { Parameters } from './parameters.ts';
import { parseQuery } from './query.ts';
import type { Binding, Match } from './router.ts';
import { Violations } from './violations.ts';

/**
 * Reads a request. Names are taken in snake_case and camelCase, unknown ones are ignored unless the
 * method is strict, an empty body is `{}`; the path beats the body, and the query has what neither of
 * them has.
 * @param query without its question mark
 * @throws AppError INVALID_REQUEST, naming the fields where it is their fault
 */
export function readRequest(match: Match, query: string, body: Buffer): Message {
  const { binding, variables } = match;
  const { input } = binding.method;
  const text = binding.body === '' ? undefined : textOf(body);
  const isOdd = variables.size > 0 || (binding.isStrict && query !== '');
  if (binding.body === '*' && !isOdd && isPlain(input)) {
    const message = readPlain(input, text ?? '{}');
    if (message !== undefined) return message;
  }
  const root = reflect(input, undefined, false);
  const violations = new Violations();
  try {
    if (binding.body !== '') readBody(root, binding, text, violations);
    const parameters = new Parameters(root, violations);
    parameters.fromPath(variables);
    const held = binding.body === '' ? [...variables.keys()] : [...variables.keys(), binding.body];
    if (leavesSome(input, held)) parameters.fromQuery(parseQuery(query), held);
    else if (binding.isStrict && query !== '') throw unreadQuery();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new AppError('INVALID_REQUEST', 'the JSON nests too deep', { cause: error });
  }
  violations.refuseAny();
  return root.message;
}

function unreadQuery(): AppError {
  return new AppError('INVALID_REQUEST', 'the body says what is asked; take the query away');
}

/** True when the query may set a field: neither the body nor the path holds all of them. */
function leavesSome(input: DescMessage, held: readonly string[]): boolean {
  return !held.includes('*') && input.fields.some(({ name }) => !held.includes(name));
}

function readBody(
  root: ReflectMessage,
  { body, method, isStrict }: Binding,
  text: string | undefined,
  violations: Violations,
): void {
  const json = text === undefined ? undefined : parseJson(text);
  const reader = new MessageReader(violations, isStrict);
  if (body === '*') readWhole(root, json, reader);
  else readField(root, fieldNamed(method.input, body), json, reader);
  if (text === undefined || json === undefined || isUnicode(text, json)) return;
  // A field that is known and wrong says more.
  violations.refuseAny();
  throw new AppError('INVALID_REQUEST', 'the body has a string with half of a surrogate pair');
}

function readWhole(root: ReflectMessage, body: Json | undefined, reader: MessageReader): void {
  const json = body === undefined ? {} : body;
  if (!isObject(json)) throw new AppError('INVALID_REQUEST', 'the body is not a JSON object');
  reader.message(root, json);
}

function readField(
  root: ReflectMessage,
  field: DescField | undefined,
  json: Json | undefined,
  reader: MessageReader,
): void {
  if (field === undefined) throw new Error(`${root.desc} has no such field for a body`);
  const isMessage = field.fieldKind === 'message';
  // Elsewhere null leaves a field out; here it stands for a message, and is none.
  if (json == null && !isMessage) return;
  reader.field(root, field, json === undefined ? {} : json, field.name);
}

const plain = new WeakMap<DescMessage, boolean>();

/** True for messages of strings, booleans and enums alone. */
function isPlain(message: DescMessage): boolean {
  let is = plain.get(message);
  if (is === undefined) {
    is = message.fields.every(isPlainField);
    plain.set(message, is);
  }
  return is;
}

function isPlainField({ fieldKind, scalar, enum: named, oneof }: DescField): boolean {
  if (oneof !== undefined) return false;
  if (fieldKind === 'enum') return named?.typeName !== 'google.protobuf.NullValue';
  return fieldKind === 'scalar' && (scalar === ScalarType.STRING || scalar === ScalarType.BOOL);
}

/**
 * Most requests there are, fast; undefined for one that must be looked at more closely. Where nothing
 * is escaped every quote begins or ends a string: what an object's keys and values leave over are keys
 * that came twice, which JSON.parse hides.
 */
function readPlain(message: DescMessage, text: string): Message | undefined {
  if (text.includes('\\')) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return undefined;
  const init: Record<string, string | boolean | number> = {};
  let strings = 0;
  for (const [name, value] of Object.entries(json)) {
    const field = fieldNamed(message, name);
    const read = field && plainValue(field, value);
    if (field === undefined || read === undefined || field.localName in init) return undefined;
    init[field.localName] = read;
    strings += typeof value === 'string' ? 2 : 1;
  }
  return quotesIn(text) === 2 * strings ? create(message, init as never) : undefined;
}

/** What a value stands for, an enum by its name; undefined for one that is not of the field. */
function plainValue(
  { scalar, enum: named }: DescField,
  value: unknown,
): string | boolean | number | undefined {
  if (named !== undefined) return named.values.find(({ name }) => name === value)?.number;
  const isOf = typeof value === (scalar === ScalarType.STRING ? 'string' : 'boolean');
  return isOf ? (value as string | boolean) : undefined;
}

function quotesIn(text: string): number {
  let count = 0;
  for (let at = text.indexOf('"'); at !== -1; at = text.indexOf('"', at + 1)) count++;
  return count;
}
