/** Values of every type, right and wrong, as a path or a query has them and as JSON has them. */
import { type DescField, ScalarType } from '@bufbuild/protobuf';
import fc from 'fast-check';
import {
  ODD_BOOLEANS,
  ODD_BYTES,
  ODD_DURATIONS,
  ODD_ENUMS,
  ODD_MASKS,
  ODD_NUMBERS,
  ODD_TIMES,
} from './odd.ts';

/** In many of the strings, and in no answer that refuses them: errors do not quote requests. */
export const CANARY = '☂';

type Texts = fc.Arbitrary<string>;

/** Of the first mostly, of the second now and then. */
export function mostly<T>(first: fc.Arbitrary<T>, second: fc.Arbitrary<T>, weight = 12) {
  return fc.oneof({ weight, arbitrary: first }, { weight: 1, arbitrary: second });
}

const characters = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...'abzAZ019') },
  fc.constantFrom(...' +/%&=;:?#.,@*~-_!$\'()[]{}<>|^`"\\'),
  fc.constantFrom(CANARY, 'я', 'é', '𝒳', '\u0000', '\n', '\u007f', '\u00a0', '\u2028', '\ufeff'),
);

export const texts: Texts = mostly(
  fc.array(characters, { maxLength: 8 }).map((all) => all.join('')),
  fc.constantFrom('', 'null', 'true', '1', '[]', '{}', '""', '.', '..', '*', 'a:close', ':close'),
);

/** The least and the greatest of each type of whole numbers. */
function boundsOf(scalar: ScalarType): [bigint, bigint] | undefined {
  switch (scalar) {
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return [-(2n ** 31n), 2n ** 31n - 1n];
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return [0n, 2n ** 32n - 1n];
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return [-(2n ** 63n), 2n ** 63n - 1n];
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return [0n, 2n ** 64n - 1n];
    default:
      return undefined;
  }
}

function integers([min, max]: [bigint, bigint]): Texts {
  const edges = fc.constantFrom(min, max, min - 1n, max + 1n, 0n, 1n, -1n);
  return mostly(fc.oneof(fc.bigInt({ min, max }), fc.bigInt({ min: 0n, max: 99n })), edges).map(
    String,
  );
}

const reals: Texts = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.float({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.integer({ min: -999_999, max: 999_999 }).map((whole) => String(whole / 1000)),
  fc.constantFrom('NaN', 'Infinity', '-Infinity'),
);

function numbers(scalar: ScalarType): Texts {
  const bounds = boundsOf(scalar);
  return mostly(
    bounds === undefined ? reals : integers(bounds),
    fc.constantFrom(...ODD_NUMBERS),
    4,
  );
}

const bytes: Texts = mostly(
  fc.uint8Array({ maxLength: 7 }).chain((all) => {
    const standard = Buffer.from(all).toString('base64');
    const forUrls = Buffer.from(all).toString('base64url');
    const padded = standard.replaceAll('+', '-').replaceAll('/', '_');
    return fc.constantFrom(standard, standard.replaceAll('=', ''), forUrls, padded);
  }),
  fc.constantFrom(...ODD_BYTES),
  4,
);

const COLORS = ['COLOR_UNSPECIFIED', 'COLOR_RED', 'COLOR_BLUE', 'COLOR_BELOW', '0', '1', '2', '-1'];
const enums: Texts = mostly(fc.constantFrom(...COLORS), fc.constantFrom(...ODD_ENUMS), 4);

const years = {
  min: new Date('0001-01-01T00:00:00Z'),
  max: new Date('9999-12-31T23:59:59Z'),
  noInvalidDate: true,
};
const moments: Texts = mostly(
  fc.oneof(
    fc.date(years).map((date) => date.toISOString()),
    fc.constantFrom('2025-07-24T10:51:27.5+03:00', '2025-07-24T10:51:27-23:59'),
    fc.constantFrom('1970-01-01T00:00:00.000000001Z', '1969-12-31T23:59:59.9Z'),
    fc.constantFrom('2024-02-29T00:00:00Z', '2025-01-01T00:00:00.120Z'),
  ),
  fc.constantFrom(...ODD_TIMES),
  4,
);

const durations: Texts = mostly(
  fc
    .tuple(fc.integer({ min: -99, max: 9_999 }), fc.constantFrom('', '.5', '.25', '.000000001'))
    .map(([seconds, fraction]) => `${seconds}${fraction}s`),
  fc.constantFrom(...ODD_DURATIONS),
  4,
);

const masks: Texts = mostly(
  fc
    .array(fc.constantFrom('text', 'isOn', 'item.id', 'realValue', 'a1'), { maxLength: 3 })
    .map(String),
  fc.constantFrom(...ODD_MASKS),
  4,
);

const booleans: Texts = mostly(
  fc.constantFrom('true', 'false'),
  fc.constantFrom(...ODD_BOOLEANS),
  4,
);

/** Any JSON at all, for Value and for fields of other types. */
export const anyJson: Texts = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .jsonValue({ maxDepth: 3, noUnicodeString: false })
      .map((value) => JSON.stringify(value)),
  },
  fc.constantFrom(
    'null',
    'true',
    '0',
    '-0',
    '1.0',
    '1e2',
    '1e400',
    '9007199254740993',
    '""',
    '[]',
    '{}',
  ),
  fc.constantFrom(
    '[null]',
    '{"0":1}',
    '{"a":1,"a":2}',
    '[[[]]]',
    '"\\ud800"',
    '{"\\udc00":1}',
    '"NaN"',
  ),
  fc.constantFrom('{"__proto__":1}', '{"constructor":{"prototype":1}}', '{"0":"a","1":"b"}'),
);

/** A string as JSON, some of its characters escaped. */
function quoted(text: string): Texts {
  const escaped = [...text].map((c) =>
    c.length === 1 ? `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}` : c,
  );
  return mostly(fc.constant(JSON.stringify(text)), fc.constant(`"${escaped.join('')}"`), 4);
}

function scalarTexts(scalar: ScalarType): Texts {
  if (scalar === ScalarType.STRING) return texts;
  if (scalar === ScalarType.BOOL) return booleans;
  return scalar === ScalarType.BYTES ? bytes : numbers(scalar);
}

/** What the text of a message's field may be, for the types that have one. */
function messageTexts(field: DescField): Texts | undefined {
  const { message } = field;
  switch (message?.typeName) {
    case 'google.protobuf.Timestamp':
      return moments;
    case 'google.protobuf.Duration':
      return durations;
    case 'google.protobuf.FieldMask':
      return masks;
  }
  const value = message?.typeName.startsWith('google.protobuf.') ? message.fields[0] : undefined;
  if (value?.name !== 'value' || value.scalar === undefined) return undefined;
  return scalarTexts(value.scalar);
}

/** A field's value, or that of one item of its list, as a path or a query has it. */
export function textsOf(field: DescField): Texts {
  if (field.enum !== undefined) return enums;
  if (field.scalar !== undefined) return scalarTexts(field.scalar);
  return messageTexts(field) ?? mostly(anyJson, texts, 3);
}

/** The keys of a map, as JSON has them. */
export function keysOf(field: DescField & { readonly fieldKind: 'map' }): Texts {
  if (field.mapKey === ScalarType.STRING) return mostly(texts, fc.constantFrom('__proto__', '0'));
  return mostly(
    scalarTexts(field.mapKey),
    fc.constantFrom('1', '01', '+1', '-0', '1e0', '0x1', ''),
    8,
  );
}

const WORDS = /^(true|false|null|-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?)$/;

/** One value as JSON: as a string, or bare where that is JSON. */
export function jsonOfOne(field: DescField): Texts {
  const kind = field.message === undefined ? field.scalar : field.message.fields[0]?.scalar;
  return textsOf(field).chain((text) => {
    const isText = kind === ScalarType.STRING || kind === ScalarType.BYTES;
    if (!WORDS.test(text) || isText) return quoted(text);
    if (kind === ScalarType.BOOL) return mostly(fc.constant(text), quoted(text));
    return fc.oneof(fc.constant(text), quoted(text));
  });
}
