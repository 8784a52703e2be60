import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareDecimals, DECIMAL_DIGITS_MAX, parseDecimal } from './decimal.ts';

/** A number as a whole count of 10^-18, which is exact. */
function scaled(text: string): bigint {
  const [whole = '', fraction = ''] = text.split('.');
  return BigInt(whole + fraction.padEnd(DECIMAL_DIGITS_MAX, '0'));
}

const digits = fc.string({
  unit: fc.constantFrom(...'0123456789'),
  minLength: 1,
  maxLength: DECIMAL_DIGITS_MAX,
});
const plain = fc
  .tuple(digits, fc.option(digits))
  .map(([whole, fraction]) => (fraction === null ? whole : `${whole}.${fraction}`));
const positive = plain.filter((text) => scaled(text) > 0n);

test('a number keeps its value, and has one form only', () => {
  fc.assert(
    fc.property(plain, (text) => {
      const parsed = parseDecimal(text);
      if (scaled(text) === 0n) return assert.equal(parsed, undefined);
      assert.ok(parsed !== undefined);
      assert.equal(scaled(parsed), scaled(text));
      assert.match(parsed, /^(?:0|[1-9]\d*)(?:\.\d*[1-9])?$/);
      assert.equal(parseDecimal(parsed), parsed);
    }),
    { numRuns: 2000 },
  );
});

test('numbers that a float cannot tell apart are compared exactly', () => {
  assert.ok(compareDecimals('9007199254740993', '9007199254740992') > 0);
  assert.ok(compareDecimals('0.1', '0.100000000000000001') < 0);
  fc.assert(
    fc.property(positive, positive, (a, b) => {
      const difference = scaled(a) - scaled(b);
      const expected = difference > 0n ? 1 : difference < 0n ? -1 : 0;
      assert.equal(Math.sign(compareDecimals(a, b)), expected);
    }),
    { numRuns: 2000 },
  );
});

test('the longest numbers are taken, one digit more is not', () => {
  const nines = '9'.repeat(DECIMAL_DIGITS_MAX);
  assert.equal(parseDecimal(`${nines}.${nines}`), `${nines}.${nines}`);
  assert.equal(parseDecimal(`9${nines}`), undefined);
  assert.equal(parseDecimal(`1.${nines}9`), undefined);
});

test('what is no positive number in plain notation is refused', () => {
  const texts = ['', 'string', '0', '0.0', '-1', '+1', '1e3', '1E3', '0x1F', '0b1', '1.', '.5'];
  texts.push(
    ' 1',
    '1 ',
    '1\n',
    '1,5',
    '1_000',
    '1 000',
    '1.2.3',
    'NaN',
    'Infinity',
    '１',
    '٣',
    '1n',
  );
  for (const text of texts) assert.equal(parseDecimal(text), undefined, JSON.stringify(text));
});

test('no text makes it throw', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void parseDecimal(text)));
});
