/** From the path, query and JSON body of a REST request to the method's request message. */
import {
  type DescField,
  type DescMessage,
  fromJson,
  fromJsonString,
  type JsonObject,
  type JsonValue,
  type Message,
  ScalarType,
} from '@bufbuild/protobuf';
import { isWrapperDesc, ValueSchema } from '@bufbuild/protobuf/wkt';
import { AppError } from '../../domain/errors.ts';
import { fieldNamed, isObject, READ_OPTIONS } from './fields.ts';
import type { Match } from './router.ts';
import { asInvalid } from './violations.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads a request. Names are taken in snake_case and camelCase, unknown ones are ignored, an empty
 * body is `{}`; the path beats the query, and the query the body.
 * @param query without its question mark
 * @throws AppError INVALID_REQUEST, naming the field where it is a field's fault
 */
export function readRequest(match: Match, query: string, body: Uint8Array): Message {
  const { binding, variables } = match;
  const { input } = binding.method;
  const text = decodeText(body);
  let json: JsonObject | undefined;
  try {
    if (binding.body === '*' && variables.size === 0 && !mayHoldLists(input)) {
      return fromJsonString(input, text, READ_OPTIONS);
    }
    json = gather(match, query, text);
    return fromJson(input, json, READ_OPTIONS);
  } catch (error) {
    throw asInvalid(error, input, json ?? text);
  }
}

function decodeText(body: Uint8Array): string {
  if (body.length === 0) return '{}';
  try {
    const text = utf8.decode(body);
    return text.trim() === '' ? '{}' : text;
  } catch {
    throw new AppError('INVALID_REQUEST', 'the body is not UTF-8');
  }
}

/** Puts path, query and body together as one JSON object in the shape of the request. */
function gather({ binding, variables }: Match, query: string, text: string): JsonObject {
  const { input } = binding.method;
  let json: JsonObject = {};
  if (binding.body !== '') {
    // Value takes any JSON; reading it so refuses duplicate keys, which JSON.parse would hide.
    fromJsonString(ValueSchema, text);
    const value: JsonValue = JSON.parse(text);
    if (binding.body === '*') {
      if (!isObject(value)) throw new AppError('INVALID_REQUEST', 'the body is not a JSON object');
      json = value;
    } else {
      json = { [binding.body]: value };
    }
    listsFromObjects(input, json);
  }
  if (binding.body !== '*') {
    for (const [name, value] of new URLSearchParams(query)) {
      if (!variables.has(name)) put(input, json, name.split('.'), value);
    }
  }
  for (const [fieldPath, value] of variables) put(input, json, fieldPath.split('.'), value);
  return json;
}

/** Sets one field from text, whichever of its names it went by before. Unknown fields are ignored. */
function put(message: DescMessage, json: JsonObject, path: string[], text: string): void {
  const [name = '', ...rest] = path;
  const field = fieldNamed(message, name);
  if (field === undefined) return;
  const before = json[field.name] ?? json[field.jsonName];
  let value: JsonValue;
  if (rest.length > 0) {
    if (field.fieldKind !== 'message') return;
    value = isObject(before) ? before : {};
    put(field.message, value, rest, text);
  } else if (field.fieldKind === 'list') {
    value = [...(Array.isArray(before) ? before : []), fromText(field, text)];
  } else {
    value = fromText(field, text);
  }
  delete json[field.jsonName];
  json[field.name] = value;
}

/** The JSON form of a field's value that came as text; JSON reads numbers from strings itself. */
function fromText(field: DescField, text: string): JsonValue {
  if (field.enum !== undefined && /^-?\d+$/.test(text)) return Number(text);
  const wrapped = field.message !== undefined && isWrapperDesc(field.message);
  const scalar = wrapped ? field.message?.fields[0]?.scalar : field.scalar;
  if (scalar !== ScalarType.BOOL) return text;
  if (/^(1|t|true)$/i.test(text)) return true;
  return /^(0|f|false)$/i.test(text) ? false : text;
}

const listHolders = new WeakMap<DescMessage, boolean>();

/** True when the message, or one inside it, has a repeated field. */
function mayHoldLists(message: DescMessage): boolean {
  let holds = listHolders.get(message);
  if (holds === undefined) {
    holds = holdsList(message, new Set());
    listHolders.set(message, holds);
  }
  return holds;
}

function holdsList(message: DescMessage, seen: Set<DescMessage>): boolean {
  if (seen.has(message)) return false;
  seen.add(message);
  return message.fields.some(
    (field) =>
      field.fieldKind === 'list' || (field.message !== undefined && holdsList(field.message, seen)),
  );
}

/**
 * Reads an object whose keys are exactly "0" to "n-1" as a list, in place, wherever the contract
 * has a list: that is how the documented Python sample sends `legs`.
 */
function listsFromObjects(message: DescMessage, json: JsonObject): void {
  for (const [name, value] of Object.entries(json)) {
    const field = fieldNamed(message, name);
    if (field?.fieldKind === 'list') {
      const list = isObject(value) && isIndexed(value) ? Object.values(value) : value;
      json[name] = list;
      if (field.message !== undefined && Array.isArray(list)) {
        for (const item of list) if (isObject(item)) listsFromObjects(field.message, item);
      }
    } else if (field?.fieldKind === 'message' && isObject(value)) {
      listsFromObjects(field.message, value);
    } else if (field?.fieldKind === 'map' && field.message !== undefined && isObject(value)) {
      for (const item of Object.values(value))
        if (isObject(item)) listsFromObjects(field.message, item);
    }
  }
}

function isIndexed(value: JsonObject): boolean {
  // Such keys come in ascending order, whatever order they were written in.
  const keys = Object.keys(value);
  return keys.length > 0 && keys.every((key, i) => key === String(i));
}
