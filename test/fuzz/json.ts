/** JSON texts: of a message's own shape with something wrong in it, of any shape, and no JSON at all. */
import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { mutate } from './mutate.ts';
import type { Random } from './random.ts';
import { numeral, text } from './values.ts';

/** How deep lists and objects go where depth is not the point. */
const DEPTH_MAX = 6;

const WORDS = ['{', '}', '[', ']', ':', ',', '"', '\\', '\\u', 'null', '1e9', '/*', '\x00'].map(
  (word) => Buffer.from(word),
);

const ODD_KEYS = ['__proto__', 'constructor', 'toString', '', '0', '1', '2', '@type', 'unknown'];

function quoted(random: Random, value: string): string {
  const json = JSON.stringify(value);
  // The same text, written another way: readers that compare raw keys are fooled by it.
  if (!random.oneIn(10) || value === '') return json;
  const first = value.charCodeAt(0).toString(16).padStart(4, '0');
  return `"\\u${first}${JSON.stringify(value.slice(1)).slice(1)}`;
}

/** Any JSON. */
function anyJson(random: Random, depth = 0): string {
  const inner = () => anyJson(random, depth + 1);
  const plain: readonly (readonly [number, () => string])[] = [
    [4, () => quoted(random, text(random))],
    [3, () => numeral(random)],
    [3, () => random.pick(['true', 'false', 'null'])],
  ];
  const nested: readonly (readonly [number, () => string])[] = [
    [2, () => `[${random.list(random.below(5), inner).join()}]`],
    [
      2,
      () =>
        objectOf(
          random,
          random.list(random.below(5), () => [anyKey(random), inner()]),
        ),
    ],
  ];
  return random.weighted(depth < DEPTH_MAX ? [...plain, ...nested] : plain)();
}

function anyKey(random: Random): string {
  return random.oneIn(2) ? random.pick(ODD_KEYS) : text(random);
}

function objectOf(random: Random, members: (readonly [string, string])[]): string {
  const first = members[0];
  // The same key twice: with the same value, or with another.
  if (first !== undefined && random.oneIn(20)) {
    members.push(random.oneIn(2) ? first : [first[0], anyJson(random, DEPTH_MAX)]);
  }
  const space = random.oneIn(10) ? random.pick([' ', '\n\t', '\r\n', '\ufeff', '\0']) : '';
  return `{${members.map(([key, value]) => `${space}${quoted(random, key)}:${space}${value}`).join()}}`;
}

function scalarJson(random: Random, scalar: ScalarType): string {
  switch (scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return quoted(random, text(random));
    case ScalarType.BOOL:
      return random.pick(['true', 'false']);
    default:
      return random.oneIn(2) ? numeral(random) : quoted(random, numeral(random));
  }
}

function oneJson(random: Random, field: DescField, depth: number): string {
  if (field.message !== undefined) {
    return depth < DEPTH_MAX ? messageJson(random, field.message, depth + 1) : '{}';
  }
  if (field.enum !== undefined) {
    const { name, number } = random.pick(field.enum.values);
    return random.oneIn(2) ? `"${name}"` : String(number + (random.oneIn(4) ? random.below(9) : 0));
  }
  return scalarJson(random, field.scalar ?? ScalarType.STRING);
}

function fieldJson(random: Random, field: DescField, depth: number): string {
  if (random.oneIn(8)) return anyJson(random, DEPTH_MAX - 2);
  const one = () => oneJson(random, field, depth);
  if (field.fieldKind === 'list') {
    const items = random.list(random.below(4), one);
    // As one of the documented samples sends its lists.
    if (random.oneIn(3))
      return objectOf(
        random,
        items.map((item, i) => [String(i), item]),
      );
    return `[${items.join()}]`;
  }
  if (field.fieldKind === 'map') {
    return objectOf(
      random,
      random.list(random.below(4), () => [anyKey(random), one()]),
    );
  }
  return one();
}

/** JSON in the shape of a message, each field right more often than not. */
export function messageJson(random: Random, desc: DescMessage, depth = 0): string {
  const count = random.length(desc.fields.length * 2);
  const members = random.list(count, (): [string, string] => {
    if (random.oneIn(10) || desc.fields.length === 0) return [anyKey(random), anyJson(random, 3)];
    const field = random.pick(desc.fields);
    return [random.pick([field.name, field.jsonName]), fieldJson(random, field, depth)];
  });
  return objectOf(random, members);
}

/** The same thing inside itself, as deep as the body's limit lets it be, or just deep. */
function deep(random: Random, desc: DescMessage): string {
  const times = random.weighted([
    [6, random.between(90, 110)],
    [2, random.below(2000)],
    [1, random.below(20_000)],
  ]);
  const names = desc.fields.filter((field) => field.message !== undefined).map(({ name }) => name);
  const [open, close] = random.pick<readonly [string, string]>([
    ['[', ']'],
    ['{"a":', '}'],
    [`{"${names.length > 0 ? random.pick(names) : 'x'}":`, '}'],
    ['{"inner":', '}'],
    ['{"parts":[', ']}'],
    ['{"parts":{"0":', '}}'],
  ]);
  const core = random.pick(['1', '{}', '{"amount":"x"}', '', '{"a":1,"a":2}']);
  const whole = open.repeat(times) + core + (random.oneIn(4) ? '' : close.repeat(times));
  const wrap = random.pick(['', '"item":', '"items":', '"unknown":', '"token":']);
  return wrap === '' ? whole : `{${wrap}${whole}}`;
}

/** A request body for a method that takes `desc`. */
export function jsonBody(random: Random, desc: DescMessage): Buffer {
  return random.weighted<() => Buffer>([
    [12, () => Buffer.from(messageJson(random, desc))],
    [4, () => mutate(random, Buffer.from(messageJson(random, desc)), WORDS)],
    [2, () => Buffer.from(anyJson(random))],
    [1, () => Buffer.from(random.oneIn(8) ? deep(random, desc) : '')],
    [1, () => random.bytes(random.below(64))],
    [1, () => Buffer.from(messageJson(random, desc), 'latin1')],
    [1, () => Buffer.from(messageJson(random, desc), 'utf16le')],
  ])();
}
