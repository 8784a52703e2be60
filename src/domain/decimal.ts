/** Decimal numbers as texts, exact: parsed and compared by a decimal library, never as floats. */
import Big from 'big.js';

/** Digits that a number may have before its point, and as many after it. */
export const DECIMAL_DIGITS_MAX = 18;

/** What a number must be, for those whose number is not. */
export const DECIMAL_RULE =
  'must be a positive decimal in plain notation, such as 10 or 0.5, with at most ' +
  `${DECIMAL_DIGITS_MAX} digits before the point and ${DECIMAL_DIGITS_MAX} after it`;

/** Digits with digits on both sides of a point, if there is one: no sign, exponent or blank. */
const PLAIN = new RegExp(`^\\d{1,${DECIMAL_DIGITS_MAX}}(?:\\.\\d{1,${DECIMAL_DIGITS_MAX}})?$`);

/**
 * The number in its one form, without superfluous zeros (`010.50` is `10.5`); undefined when the
 * text is not what DECIMAL_RULE says.
 */
export function parseDecimal(text: string): string | undefined {
  if (!PLAIN.test(text)) return undefined;
  const value = new Big(text);
  return value.gt(0) ? value.toFixed() : undefined;
}

/** Below 0 when `a` is the smaller number, above 0 when `b` is, 0 when they are the same. */
export function compareDecimals(a: string, b: string): number {
  return new Big(a).cmp(b);
}
