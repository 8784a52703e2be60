/**
 * Messages from JSON, as protobuf's JSON mapping and the contract say. The library's own reader takes
 * more than that (`0x10`, a duration's `1sx`, the 30th of February), loses digits, and names one
 * wrong field at most.
 */
import type { DescField, DescMessage } from '@bufbuild/protobuf';
import {
  type ReflectList,
  type ReflectMap,
  type ReflectMessage,
  reflect,
} from '@bufbuild/protobuf/reflect';
import { DEPTH_MAX, fieldNamed, isWellKnown, wrappedOf } from './fields.ts';
import { isObject, type Json, type JsonObject } from './json.ts';
import { enumFromJson, keyFromJson, scalarFromJson, UNKNOWN_NAME } from './scalars.ts';
import type { Violations } from './violations.ts';
import { isTooDeep, wellKnownFromJson } from './well-known.ts';

/** The JSON of a list; undefined when it is none. */
function asList(json: Json): readonly Json[] | undefined {
  if (Array.isArray(json)) return json;
  // An object whose keys are exactly "0" to "n-1" is a list: the documented Python sample sends
  // `legs` so. Such keys come in ascending order, whatever order they were written in.
  const keys = isObject(json) ? Object.keys(json) : [];
  if (keys.length === 0 || !keys.every((key, i) => key === String(i))) return undefined;
  return Object.values(json as JsonObject);
}

/** True where null is a value; as a list of such values it is none, and as a map it is left out. */
function takesNull(field: DescField): boolean {
  return field.fieldKind !== 'map' && field.message?.typeName === 'google.protobuf.Value';
}

/** Reads one body; what is wrong with it goes to `violations`. */
export class MessageReader {
  readonly #violations: Violations;
  readonly #isStrict: boolean;
  /** Of the message that is being read; the outermost has 1. */
  #depth = 1;

  /** @param isStrict whether names that are not known are wrong; they are ignored else */
  constructor(violations: Violations, isStrict = false) {
    this.#violations = violations;
    this.#isStrict = isStrict;
  }

  /** Reads a JSON object into a message. @param prefix where it is, ending in a dot */
  message(target: ReflectMessage, json: JsonObject, prefix = ''): void {
    const seen = new Map<unknown, DescField>();
    for (const [name, value] of Object.entries(json)) {
      const field = fieldNamed(target.desc, name);
      if (field === undefined) {
        if (this.#isStrict) this.#violations.unknownName(prefix, target.desc);
        continue;
      }
      const path = prefix + field.name;
      if (seen.has(field)) {
        this.#violations.setTwice(path);
        continue;
      }
      seen.set(field, field);
      if (value === null && !takesNull(field)) continue;
      if (field.oneof !== undefined) {
        if (seen.has(field.oneof)) {
          this.#violations.severalOf(prefix + field.oneof.name, field.oneof);
          continue;
        }
        seen.set(field.oneof, field);
      }
      this.field(target, field, value, path);
    }
  }

  /** Reads the JSON of one field into its message. */
  field(target: ReflectMessage, field: DescField, json: Json, path: string): void {
    if (field.fieldKind === 'list') {
      this.#list(target.get(field), field, json, path);
    } else if (field.fieldKind === 'map') {
      this.#map(target.get(field), field, json, path);
    } else {
      const value = this.#one(field, json, path);
      if (value !== undefined && value !== UNKNOWN_NAME) target.set(field, value);
    }
  }

  #list(list: ReflectList, field: DescField, json: Json, path: string): void {
    const items = asList(json);
    if (items === undefined) this.#violations.wrongType(path, field);
    for (const [i, item] of items?.entries() ?? []) {
      const value = this.#one(field, item, `${path}[${i}]`, true);
      if (value !== undefined && value !== UNKNOWN_NAME) list.add(value);
    }
  }

  /** The keys are the caller's, so errors say only that the map is wrong. */
  #map(
    map: ReflectMap,
    field: DescField & { readonly fieldKind: 'map' },
    json: Json,
    path: string,
  ): void {
    if (!isObject(json)) {
      this.#violations.wrongType(path, field);
      return;
    }
    for (const [name, item] of Object.entries(json)) {
      const key = keyFromJson(field.mapKey, name);
      if (key === undefined) {
        this.#violations.wrongType(path, field);
        continue;
      }
      // `1` and `01` are one key.
      if (map.has(key)) this.#violations.add(path, 'has a key more than once');
      const value = this.#one(field, item, `${path}[]`, true);
      if (value !== undefined && value !== UNKNOWN_NAME) map.set(key, value);
    }
  }

  /** One value as the message holds it; undefined when it is wrong. */
  #one(field: DescField, json: Json, path: string, isItem = false): unknown {
    let value: unknown;
    if (field.message !== undefined) {
      const { message } = field;
      if (isTooDeep(message, json, DEPTH_MAX - this.#depth)) {
        this.#violations.tooDeep(path);
        return undefined;
      }
      const wrapped = wrappedOf(message);
      if (wrapped === undefined && !isWellKnown(message) && isObject(json)) {
        return this.#inner(message, json, path);
      }
      value = this.#known(message, wrapped, json);
    } else if (field.enum !== undefined) {
      value = enumFromJson(field.enum, json);
      if (value === UNKNOWN_NAME && this.#isStrict) value = undefined;
    } else if (field.scalar !== undefined) {
      value = scalarFromJson(field.scalar, json);
    }
    if (value === undefined) this.#violations.wrongType(path, field, isItem);
    return value;
  }

  #inner(message: DescMessage, json: JsonObject, path: string): ReflectMessage {
    const target = reflect(message, undefined, false);
    this.#depth++;
    this.message(target, json, `${path}.`);
    this.#depth--;
    return target;
  }

  #known(message: DescMessage, wrapped: DescField | undefined, json: Json): unknown {
    if (wrapped === undefined) {
      const value = isWellKnown(message) ? wellKnownFromJson(message, json) : undefined;
      return value && reflect(message, value, false);
    }
    const scalar = wrapped.scalar && scalarFromJson(wrapped.scalar, json);
    if (scalar === undefined) return undefined;
    const target = reflect(message, undefined, false);
    target.set(wrapped, scalar);
    return target;
  }
}
