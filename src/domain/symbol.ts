/** Names of instruments: `TICKER@MIC`, such as `SBER@MISX`. */

/** What a symbol must be, for those whose symbol is not. */
export const SYMBOL_RULE = 'must be TICKER@MIC, such as SBER@MISX';

/**
 * Tickers have letters, digits and what venues write between them (`BRK.B`, `USD/RUB_TOM`, `^SPX`).
 * A MIC has four capital letters or digits; markets without one of ISO 10383 have a sign before
 * theirs (`#RBRD`, `_SPBZ`).
 */
const SYMBOL = /^[A-Za-z0-9._/+\-=&^#!:$]{1,32}@[#_]?[A-Z0-9]{4}$/;

export function isSymbol(text: string): boolean {
  return SYMBOL.test(text);
}

/** The MIC of a symbol; undefined for what is none. */
export function micOf(symbol: string): string | undefined {
  return isSymbol(symbol) ? symbol.slice(symbol.lastIndexOf('@') + 1) : undefined;
}
