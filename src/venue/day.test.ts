import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { endOfDayMs } from './day.ts';

test('a day ends at midnight in Moscow', () => {
  const ends = (at: string) => new Date(endOfDayMs(Date.parse(at))).toISOString();
  assert.equal(ends('2026-11-24T12:00:00Z'), '2026-11-24T21:00:00.000Z');
  assert.equal(ends('2026-11-24T20:59:59.999Z'), '2026-11-24T21:00:00.000Z');
  assert.equal(ends('2026-11-24T21:00:00Z'), '2026-11-25T21:00:00.000Z');
  assert.equal(ends('2026-11-24T23:30:00Z'), '2026-11-25T21:00:00.000Z');
});

test('it ends as the calendar of Moscow says, summer and winter', () => {
  const dateOf = new Intl.DateTimeFormat('en-CA', { timeZone: 'Europe/Moscow' });
  // Since the end of 2014 its clocks have stood where they are.
  const min = Date.parse('2015-01-01');
  fc.assert(
    fc.property(fc.integer({ min, max: Date.parse('2040-01-01') }), (atMs) => {
      const endMs = endOfDayMs(atMs);
      assert.ok(endMs > atMs);
      assert.equal(dateOf.format(endMs - 1), dateOf.format(atMs));
      assert.notEqual(dateOf.format(endMs), dateOf.format(atMs));
    }),
  );
});
