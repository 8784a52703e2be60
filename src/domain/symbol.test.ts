import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSymbol, micOf } from './symbol.ts';

test('a symbol is a ticker at a market', () => {
  const good = ['SBER@MISX', 'SiH7@RTSX', 'BRK.B@XNYS', 'T@XNYS', 'RU000A0JX0J2@MISX'];
  good.push('USD/RUB_TOM@MISX', '^SPX@_SPBZ', 'GAZP-3.27@RTSX', 'AAPL@#RBRD', '700@XHKG');
  for (const text of good) assert.ok(isSymbol(text), text);
});

test('a symbol tells its market', () => {
  assert.equal(micOf('SBER@MISX'), 'MISX');
  assert.equal(micOf('AAPL@#RBRD'), '#RBRD');
  for (const text of ['', 'SBER', 'SBER@', 'A@MISX@XNYS', '@MISX'])
    assert.equal(micOf(text), undefined);
});

test('anything else is none', () => {
  const bad = ['', 'string', 'SBER', '@MISX', 'SBER@', 'SBER@MIS', 'SBER@MISXX', 'SBER@misx'];
  bad.push('SBER@MISX@MISX', 'SB ER@MISX', ' SBER@MISX', 'SBER@MISX\n', 'СБЕР@MISX', 'A@##ABC');
  bad.push(`${'A'.repeat(33)}@MISX`, 'SBER@M\u0000SX', '<b>@MISX');
  for (const text of bad) assert.ok(!isSymbol(text), JSON.stringify(text));
});
