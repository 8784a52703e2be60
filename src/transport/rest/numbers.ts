/**
 * Numbers as texts: in JSON, where `1.50e1` is the whole number 15, and in paths and queries, where
 * they are written plainly. Both by the rules of protobuf's JSON mapping, to the last digit.
 */
import { ScalarType } from '@bufbuild/protobuf';

const JSON_NUMBER = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;
/** More digits than a whole number of 64 bits has. */
const DIGITS_MAX = 20;
const SPECIAL_REALS = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
]);

const INT32: Range = { min: -(2n ** 31n), max: 2n ** 31n - 1n, isBig: false };
const UINT32: Range = { min: 0n, max: 2n ** 32n - 1n, isBig: false };
const INT64: Range = { min: -(2n ** 63n), max: 2n ** 63n - 1n, isBig: true };
const UINT64: Range = { min: 0n, max: 2n ** 64n - 1n, isBig: true };

/** What a type of whole numbers holds. */
export interface Range {
  readonly min: bigint;
  readonly max: bigint;
  /** True when messages hold it as a bigint. */
  readonly isBig: boolean;
}

const RANGES: Partial<Record<ScalarType, Range>> = {
  [ScalarType.INT32]: INT32,
  [ScalarType.SINT32]: INT32,
  [ScalarType.SFIXED32]: INT32,
  [ScalarType.UINT32]: UINT32,
  [ScalarType.FIXED32]: UINT32,
  [ScalarType.INT64]: INT64,
  [ScalarType.SINT64]: INT64,
  [ScalarType.SFIXED64]: INT64,
  [ScalarType.UINT64]: UINT64,
  [ScalarType.FIXED64]: UINT64,
};

/** The range of a type of whole numbers; undefined for other types. Enums are INT32. */
export function rangeOf(scalar: ScalarType): Range | undefined {
  return RANGES[scalar];
}

function within(range: Range, value: bigint): number | bigint | undefined {
  if (value < range.min || value > range.max) return undefined;
  return range.isBig ? value : Number(value);
}

/** Where the last digit stands that counts; no regular expression, which would try at every zero. */
function lastNonZero(digits: string): number {
  let at = digits.length - 1;
  while (at >= 0 && digits[at] === '0') at--;
  return at;
}

/** The whole number that a JSON number is, whatever its form; undefined when it is none. */
export function wholeOfJson(text: string, range: Range): number | bigint | undefined {
  const found = JSON_NUMBER.exec(text);
  if (found === null) return undefined;
  const [, sign = '', digits = '', decimals = '', exponent = '0'] = found;
  const whole = digits === '0' ? '' : digits;
  const fraction = decimals.slice(0, lastNonZero(decimals) + 1);
  if (whole === '' && fraction === '') return within(range, 0n);
  const shift = Number(exponent);
  // Where the decimal point comes to lie in the digits.
  const point = whole.length + shift;
  if (point < 0 || point > DIGITS_MAX) return undefined;
  const all = (whole + fraction).padEnd(point, '0');
  if (/[1-9]/.test(all.slice(point))) return undefined;
  return within(range, BigInt(`${sign}${all.slice(0, point) || '0'}`));
}

/** A whole number in a path, query or map key: digits and a sign. */
export function wholeOfText(text: string, range: Range): number | bigint | undefined {
  const form = range.min === 0n ? /^\d+$/ : /^[+-]?\d+$/;
  if (!form.test(text)) return undefined;
  return within(range, BigInt(text.replace(/^\+/, '')));
}

/** A real number as its type holds it; undefined when that is infinite. */
export function finite(value: number, isFloat: boolean): number | undefined {
  const rounded = isFloat ? Math.fround(value) : value;
  return Number.isFinite(rounded) ? rounded : undefined;
}

/** A real number as JSON writes it, or one of JSON's three words for those that it cannot. */
export function realOfJson(text: string, isFloat: boolean): number | undefined {
  const special = SPECIAL_REALS.get(text);
  if (special !== undefined) return special;
  return JSON_NUMBER.test(text) ? finite(Number(text), isFloat) : undefined;
}

/** A real number in a path or query: the same, and forms such as `+1`, `.5` and `5.`. */
export function realOfText(text: string, isFloat: boolean): number | undefined {
  const special = SPECIAL_REALS.get(text);
  if (special !== undefined) return special;
  const form = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;
  return form.test(text) ? finite(Number(text), isFloat) : undefined;
}

/** The shortest number that is the same float: what JSON should show of it. */
export function shortFloat(value: number): number {
  if (!Number.isFinite(value)) return value;
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === Math.fround(value)) return short;
  }
  return Number(value.toPrecision(9));
}
