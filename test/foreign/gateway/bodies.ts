/** JSON bodies: of every form that a message's JSON may have, and broken. */
import type { DescField, DescMessage } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { anyJson, jsonOfOne, keysOf, mostly } from './values.ts';

type Texts = fc.Arbitrary<string>;

const FREE_FORM = ['Struct', 'Value', 'ListValue', 'Empty'].map(
  (name) => `google.protobuf.${name}`,
);

function list(items: Texts): Texts {
  const several = fc.array(items, { maxLength: 3 });
  const asList = several.map((all) => `[${all.join()}]`);
  // The form that the documented Python sample sends; the gateway knows it not.
  const asObject = several.map((all) => `{${all.map((item, i) => `"${i}":${item}`).join()}}`);
  return mostly(asList, asObject, 20);
}

function freeForm(typeName: string): Texts {
  const values = fc.array(anyJson, { maxLength: 3 });
  if (typeName.endsWith('.Struct')) {
    return values.map((all) => `{${all.map((value, i) => `"k${i}":${value}`).join()}}`);
  }
  if (typeName.endsWith('.ListValue')) return values.map((all) => `[${all.join()}]`);
  return typeName.endsWith('.Empty') ? fc.constantFrom('{}', '{"a":1}', '[]', '""') : anyJson;
}

/** One value of a field's type: an item of its list, a value of its map. */
function one(field: DescField, depth: number): Texts {
  const { message } = field;
  if (message === undefined) return jsonOfOne(field);
  if (FREE_FORM.includes(message.typeName)) return freeForm(message.typeName);
  if (message.typeName.startsWith('google.protobuf.')) return jsonOfOne(field);
  return depth === 0 ? fc.constant('{}') : messageJson(message, depth - 1);
}

/** A field's value as JSON: right mostly, and anything else now and then. */
export function fieldJson(field: DescField, depth = 2): Texts {
  let right = one(field, depth);
  if (field.fieldKind === 'list') {
    right = list(mostly(right, fc.constant('null'), 30));
  } else if (field.fieldKind === 'map') {
    const entries = fc.array(fc.tuple(keysOf(field), mostly(right, fc.constant('null'), 30)), {
      maxLength: 3,
    });
    right = entries.map(
      (all) => `{${all.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join()}}`,
    );
  }
  return mostly(mostly(right, fc.constant('null'), 20), anyJson, 20);
}

const unknownNames = fc.constantFrom(
  'unknown',
  'Text',
  'IsOn',
  '',
  'item.id',
  '__proto__',
  '[a.b]',
  '@type',
);

/** A message as JSON, its fields by either name, in any order, with others among them. */
export function messageJson(message: DescMessage, depth = 2): Texts {
  const member = fc.constantFrom(...message.fields).chain((field) => {
    const names = fc.constantFrom(field.name, field.jsonName);
    return fc.tuple(names, fieldJson(field, depth));
  });
  const stranger = fc.tuple(unknownNames, anyJson);
  const members = fc.uniqueArray(mostly(member, stranger, 10), {
    maxLength: 4,
    selector: ([name]) => name,
  });
  return members.map((all) => {
    const parts = all.map(([name, value]) => `${JSON.stringify(name)}: ${value}`);
    return `{${parts.join(', ')}}`;
  });
}

type Break = (json: string, at: number) => string | Uint8Array;

/** How a body is broken; `at` is a place within it. */
const BREAKS: readonly Break[] = [
  (json, at) => json.slice(0, at),
  (json, at) => json.slice(0, at) + json.slice(at + 1),
  (json, at) => `${json.slice(0, at)},${json.slice(at)}`,
  (json, at) => `${json.slice(0, at)}\u0001${json.slice(at)}`,
  (json, at) => `${json.slice(0, at)}\u00a0${json.slice(at)}`,
  (json, at) => `${json.slice(0, at)}/* */${json.slice(at)}`,
  (json, at) => `${json.slice(0, at)}\\u12${json.slice(at)}`,
  (json) => json.replaceAll('"', "'"),
  (json) => json.replace(/\}$/, ',}'),
  (json) => json.replace(':', ''),
  (json) => `${json}x`,
  (json) => `${json}${json}`,
  (json) => `${json}\n\t\r `,
  (json) => ` \n${json}`,
  (json) => `\ufeff${json}`,
  (json) => `\u2003${json}`,
  (json) => `[${json}]`,
  (json) => JSON.stringify(json),
  (json, at) => {
    const bytes = Buffer.from(json);
    return Buffer.concat([bytes.subarray(0, at), Buffer.of(0xff), bytes.subarray(at)]);
  },
  (json, at) => {
    const bytes = Buffer.from(json);
    return Buffer.concat([bytes.subarray(0, at), Buffer.of(0xed, 0xa0, 0x80), bytes.subarray(at)]);
  },
  (json) => Buffer.from(json, 'utf16le'),
  (json) => json.replace(/("[^"]*": )([^,}]*)/, '$1$2, $1$2'),
  (json) => json.replace('{', '{"more": 1, "more": 1, '),
  (json) => json.replace('{', '{"text": "a", "text": "b", '),
  (json) => json.replace('{', '{"is_on": true, "isOn": true, '),
  (json) => json.replace('{', '{"left": "l", "right": 1, '),
  (json) => json.replace('{', '{"left": "l", "right": null, '),
  (json) => json.replace('{', '{"left": null, "middle": null, "right": 1, '),
];

const WHOLE: readonly string[] = [
  ...[
    '',
    ' ',
    '\r\n\t',
    '\u00a0',
    '\ufeff',
    'null',
    'true',
    '1',
    '"x"',
    '[]',
    '[{}]',
    '{}',
    '{}{}',
  ],
  ...[
    '{',
    '[',
    '"',
    '{]',
    'undefined',
    'NaN',
    '01',
    '<a/>',
    'text=a',
    '{"a":01}',
    '{"a":.5}',
    '{"a":1.}',
  ],
  ...['{"a":+1}', '{"a":1e}', '{"a":tru}', '{"a":"\\x41"}', '{"a":"\n"}', '{"a":"\\u12g4"}', '{,}'],
  ...['{"a"}', '{"a":}', '{a:1}', '[1,]', '{"a":1 "b":2}', '{"text":"\\ud83d\\ude00"}', '{1:2}'],
  ...['{"number_by_number":{"1":1,"01":2}}', '{"number_by_number":{"-1":1,"+1":2}}'],
  ...['{"any_json":null}', '{"any_jsons":[null]}', '{"any_list":[null]}', '{"at":null}'],
  ...['{"any_jsons":null}', '{"json_by_text":null}', '{"json_by_text":{"a":null}}'],
];

/** Messages of this depth, lists of it, and unknown fields of it. */
function deep(depth: number): Texts {
  const wrap = (open: string, close: string) => open.repeat(depth) + close.repeat(depth);
  return fc.constantFrom(
    `{"item":${wrap('{"inner":', '}').replace('}', '{}}')}}`,
    `{"item":${wrap('{"parts":[', ']}')}}`,
    `{"unknown":${wrap('[', ']')}}`,
    `{"unknown":${wrap('{"a":', '}').replace('}', '1}')}}`,
    `{"any_list":${wrap('[', ']')}}`,
    wrap('[', ']'),
    '['.repeat(depth),
  );
}

const depths = fc.constantFrom(10, 30, 90, 200, 9_000, 20_000);

/** Bodies that are no message's JSON, or hardly so. */
export function brokenBodies(message: DescMessage): fc.Arbitrary<string | Uint8Array> {
  const json = messageJson(message);
  const mutated = fc
    .tuple(json, fc.constantFrom(...BREAKS), fc.nat())
    .map(([text, spoil, at]) => spoil(text, at % (text.length + 1)));
  return fc.oneof(
    { weight: 6, arbitrary: mutated },
    { weight: 1, arbitrary: fc.constantFrom(...WHOLE) },
    { weight: 1, arbitrary: depths.chain(deep) },
  );
}
