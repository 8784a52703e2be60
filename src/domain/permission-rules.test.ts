import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Permission, QuoteLevel } from './permission.ts';
import { DELAY_MINUTES_MAX, permissionFlaws } from './permission-rules.ts';

const GOOD: Permission = {
  quoteLevel: QuoteLevel.LAST_PRICE,
  delayMinutes: 0,
  conditionKind: 'mic',
  conditionValue: 'XNAS',
};

test('what a plan may grant', () => {
  for (const change of [
    {},
    { quoteLevel: QuoteLevel.ACCESS_FORBIDDEN, conditionValue: '#RBRD' },
    { delayMinutes: DELAY_MINUTES_MAX, conditionValue: '_SPBZ' },
    { conditionKind: 'country', conditionValue: 'RU' },
    { conditionKind: 'continent', conditionValue: 'EU' },
    { conditionKind: 'worldwide', conditionValue: '' },
  ] as const) {
    assert.deepEqual(permissionFlaws({ ...GOOD, ...change }), []);
  }
});

test('everything that is wrong with a permission is told, by its field', () => {
  for (const [fields, change] of [
    ['quote_level', { quoteLevel: QuoteLevel.UNSPECIFIED }],
    ['quote_level', { quoteLevel: 6 }],
    ['delay_minutes', { delayMinutes: -1 }],
    ['delay_minutes', { delayMinutes: DELAY_MINUTES_MAX + 1 }],
    ['delay_minutes', { delayMinutes: 0.5 }],
    ['delay_minutes', { delayMinutes: Number.NaN }],
    ['mic', { conditionValue: '' }],
    ['mic', { conditionValue: 'xnas' }],
    ['country', { conditionKind: 'country', conditionValue: 'RUS' }],
    ['country', { conditionKind: 'country', conditionValue: 'ZZ' }],
    ['continent', { conditionKind: 'continent', conditionValue: 'Europe' }],
    ['continent', { conditionKind: 'continent', conditionValue: '' }],
    ['quote_level delay_minutes mic', { quoteLevel: 0, delayMinutes: -5, conditionValue: 'MOEX1' }],
  ] as const) {
    const flaws = permissionFlaws({ ...GOOD, ...change } as Permission);
    assert.equal(flaws.map(({ field }) => field).join(' '), fields);
  }
  const [flaw] = permissionFlaws({ ...GOOD, conditionKind: 'continent' });
  assert.equal(flaw?.description, 'must be one of AF, AN, AS, EU, NA, OC, SA');
});
