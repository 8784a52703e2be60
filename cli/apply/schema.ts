/**
 * The published JSON Schema of the file, and the part of JSON Schema that it is written in: a whole
 * validator would be more code than all of this program.
 */
import { readFileSync } from 'node:fs';
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';

/** The schema as it is published. */
export const SCHEMA_TEXT = readFileSync(new URL('./clients.schema.json', import.meta.url), 'utf8');
const SCHEMA = JSON.parse(SCHEMA_TEXT) as JsonObject;

/** What is wrong at one place. */
export interface Flaw {
  /** From the root: names and positions. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

type Keyword = (value: JsonValue, rule: JsonValue, at: Flaw['path'], schema: JsonObject) => Flaw[];

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function typeOf(value: JsonValue): string {
  if (Array.isArray(value)) return 'array';
  if (Number.isInteger(value)) return 'integer';
  return value === null ? 'null' : typeof value;
}

/** A keyword that says one thing of one value. */
function simple(test: (value: JsonValue, rule: JsonValue) => string | undefined): Keyword {
  return (value, rule, path) => {
    const message = test(value, rule);
    return message === undefined ? [] : [{ path, message }];
  };
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  object: 'names with values',
  array: 'a list',
  string: 'text',
  integer: 'a whole number',
  boolean: 'true or false',
};

function wrongType(value: JsonValue, rule: JsonValue): string | undefined {
  if (typeOf(value) === rule) return undefined;
  const quote = rule === 'string' && typeof value === 'number' ? '; put it in quotes' : '';
  return `must be ${TYPE_NAMES[String(rule)] ?? rule}${quote}`;
}

function countOf(value: JsonValue): number | undefined {
  return typeof value === 'string' ? [...value].length : undefined;
}

/** Every keyword that the schema uses and that says what is right. */
const KEYWORDS: Readonly<Record<string, Keyword>> = {
  $ref: (value, rule, path) => check(value, resolve(String(rule)), path),
  type: simple(wrongType),
  const: simple((value, rule) => (value === rule ? undefined : `must be ${rule}`)),
  enum: simple((value, rule) => {
    const choices = rule as JsonValue[];
    return choices.includes(value) ? undefined : `must be one of ${choices.join(', ')}`;
  }),
  pattern: simple((value, rule) => {
    const fits = typeof value !== 'string' || new RegExp(String(rule), 'u').test(value);
    return fits ? undefined : `"${value}" does not fit ${rule}`;
  }),
  minLength: simple((value, rule) => {
    return (countOf(value) ?? rule ?? 0) >= (rule ?? 0) ? undefined : 'must not be empty';
  }),
  maxLength: simple((value, rule) => {
    return (countOf(value) ?? 0) <= Number(rule) ? undefined : `has more than ${rule} characters`;
  }),
  minimum: simple((value, rule) => {
    return typeof value !== 'number' || value >= Number(rule) ? undefined : `is less than ${rule}`;
  }),
  maximum: simple((value, rule) => {
    return typeof value !== 'number' || value <= Number(rule) ? undefined : `is more than ${rule}`;
  }),
  maxItems: simple((value, rule) => {
    return !Array.isArray(value) || value.length <= Number(rule) ? undefined : `has over ${rule}`;
  }),
  items: (value, rule, path) => {
    if (!Array.isArray(value)) return [];
    return value.flatMap((item, i) => check(item, rule as JsonObject, [...path, i]));
  },
  required: (value, rule, path) => {
    if (!isObject(value)) return [];
    const missing = (rule as string[]).filter((name) => !Object.hasOwn(value, name));
    return missing.map((name) => ({ path, message: `${name} is missing` }));
  },
  properties: (value, rule, path) => {
    if (!isObject(value)) return [];
    return Object.entries(rule as JsonObject).flatMap(([name, schema]) => {
      const found = Object.hasOwn(value, name) ? value[name] : undefined;
      return found === undefined ? [] : check(found, schema as JsonObject, [...path, name]);
    });
  },
  additionalProperties: (value, rule, path, schema) => {
    if (!isObject(value)) return [];
    const known = Object.keys((schema.properties as JsonObject | undefined) ?? {});
    const others = Object.entries(value).filter(([name]) => !known.includes(name));
    return others.flatMap(([name, each]) => {
      if (isObject(rule)) return check(each, rule, [...path, name]);
      return [
        { path: [...path, name], message: `is not known here; known are ${known.join(', ')}` },
      ];
    });
  },
  oneOf: (value, rule, path) => {
    const schemas = rule as JsonObject[];
    const fits = schemas.filter((schema) => check(value, schema, path).length === 0);
    if (fits.length === 1) return [];
    const names = schemas.flatMap(({ required }) => required as string[]);
    return [{ path, message: `needs exactly one of ${names.join(', ')}` }];
  },
};

/** What says nothing of values. */
const NOTES = ['$schema', '$defs', 'title', 'description'];

function resolve(ref: string): JsonObject {
  const [root, ...names] = ref.split('/');
  let found: JsonValue | undefined = root === '#' ? SCHEMA : undefined;
  for (const name of names) found = isObject(found) ? found[name] : undefined;
  if (!isObject(found)) throw new Error(`the schema refers to ${ref}, which is not there`);
  return found;
}

function check(value: JsonValue, schema: JsonObject, path: Flaw['path']): Flaw[] {
  const flaws: Flaw[] = [];
  for (const [name, rule] of Object.entries(schema)) {
    if (NOTES.includes(name)) continue;
    const keyword = KEYWORDS[name];
    if (keyword === undefined) throw new Error(`the schema uses ${name}, which is not known`);
    flaws.push(...keyword(value, rule, path, schema));
  }
  return flaws;
}

/** What is wrong with a file's content, by the schema; nothing where it fits. */
export function schemaFlaws(value: JsonValue): Flaw[] {
  return check(value, SCHEMA, []);
}
