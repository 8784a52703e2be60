import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseDuration } from './duration.ts';

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const;

test('a duration is the sum of its parts, in whatever order', () => {
  const part = fc.tuple(fc.nat({ max: 100_000 }), fc.constantFrom(...UNITS));
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 6 }), (parts) => {
      const text = parts.map(([count, [unit]]) => `${count}${unit}`).join('');
      const expected = parts.reduce((sum, [count, [, ms]]) => sum + count * ms, 0);
      assert.equal(parseDuration(text), expected);
    }),
  );
});

test('text that is no such sum is no duration', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'0123456789dhms .-+eµ') }), (text) => {
      const isOne = /^(\d+(d|h|ms|m|s))+$/.test(text);
      const ms = parseDuration(text);
      if (!isOne) assert.equal(ms, undefined);
      else if (ms !== undefined) assert.ok(Number.isSafeInteger(ms) && ms >= 0);
    }),
    { numRuns: 2000 },
  );
});

test('examples', () => {
  for (const [text, ms] of [
    ['15m3s', 903_000],
    ['500ms', 500],
    ['1h30m', 5_400_000],
    ['0s', 0],
    ['1m500ms', 60_500],
    ['', undefined],
    ['15', undefined],
    ['s', undefined],
    ['1.5s', undefined],
    ['-1s', undefined],
    ['1s ', undefined],
    ['1S', undefined],
    ['1w', undefined],
    ['1s\n', undefined],
    ['١s', undefined],
    [`${'9'.repeat(30)}d`, undefined],
  ] as const) {
    assert.equal(parseDuration(text), ms, text);
  }
});
