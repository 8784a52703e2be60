/** The same request as the gateway would have it, where ours takes more than it. */
import type { DescField, DescMessage } from '@bufbuild/protobuf';
import type { Asked } from './ask.ts';
import { WideSchema } from './server.ts';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Revive = (key: string, value: Json, context: { source?: string }) => unknown;

/** Numbers to the letter, as they were written. */
const RAW = JSON as unknown as {
  rawJSON(text: string): Json;
  isRawJSON(value: unknown): boolean;
  parse(text: string, revive: Revive): Json;
};

function isObject(json: Json): json is { [key: string]: Json } {
  const isRaw = RAW.isRawJSON(json);
  return typeof json === 'object' && json !== null && !Array.isArray(json) && !isRaw;
}

function fieldNamed(message: DescMessage, name: string): DescField | undefined {
  return message.fields.find((field) => field.name === name || field.jsonName === name);
}

/** Objects whose keys are "0" to "n-1" become lists where the contract has a list. */
function withLists(field: DescField, json: Json): Json {
  const one = (value: Json) =>
    field.message === undefined ? value : inMessage(field.message, value);
  if (field.fieldKind === 'list') {
    const keys = isObject(json) ? Object.keys(json) : [];
    const isList = keys.length > 0 && keys.every((key, i) => key === String(i));
    const list = isList ? Object.values(json as object) : json;
    return Array.isArray(list) ? list.map(one) : list;
  }
  if (field.fieldKind !== 'map' || !isObject(json)) return one(json);
  return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, one(value)]));
}

function inMessage(message: DescMessage, json: Json): Json {
  if (!isObject(json) || message.typeName.startsWith('google.protobuf.')) return json;
  const members = Object.entries(json).map(([name, value]) => {
    const field = fieldNamed(message, name);
    return [name, field === undefined ? value : withLists(field, value)] as const;
  });
  return Object.fromEntries(members);
}

/** The field that a body is; undefined when it is the whole request. */
function bodyField(path: string, verb: string): DescField | undefined {
  const name = /^\/v1\/lists\/(\w+)$/.exec(path)?.[1];
  const isItem = /:close$/.test(path) ? path.startsWith('/v1/wide/') : verb === 'PUT';
  const isPatched = verb === 'PATCH' && path.startsWith('/v1/items/');
  return fieldNamed(WideSchema, name ?? (isItem || isPatched ? 'item' : ''));
}

/** The request with its objects that stand for lists as lists; undefined when it has none. */
export function listsForObjects(asked: Asked): Asked | undefined {
  const text = Buffer.from(asked.body ?? '').toString();
  if (!/"0"\s*:/.test(text) || asked.target.startsWith('/v1/failures')) return undefined;
  try {
    const json = RAW.parse(text, (_key, value, { source }) =>
      typeof value === 'number' && source !== undefined ? RAW.rawJSON(source) : value,
    );
    const field = bodyField(asked.target.split('?')[0] ?? '', asked.verb);
    const lists = field === undefined ? inMessage(WideSchema, json) : withLists(field, json);
    const before = JSON.stringify(json);
    const body = JSON.stringify(lists);
    return body === before ? undefined : { ...asked, body };
  } catch {
    return undefined;
  }
}

/** The request with %2F encoded once more, where a variable of several segments keeps it apart. */
export function slashesKept(asked: Asked): Asked | undefined {
  const [path = '', ...query] = asked.target.split('?');
  if (!/^\/v1\/shelves\/[^/]*%2f/i.test(path) && !/\/books\/[^/]*%2f/i.test(path)) return undefined;
  const kept = path.replace(/%(2f)/gi, '%25$1');
  return { ...asked, target: [kept, ...query].join('?') };
}

/** The request whose query names the paths of a mask as the proto does. */
export function masksInSnakeCase(asked: Asked): Asked | undefined {
  const target = asked.target.replace(
    /([?&]mask=)([^&]*)/g,
    (_all, name: string, value: string) => {
      const plain = decodeURIComponent(value);
      return name + plain.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    },
  );
  return target === asked.target ? undefined : { ...asked, target };
}
