import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONTINENTS, continentOf, isContinent } from './country.ts';
import { isMic, Markets } from './mic.ts';
import { MIC_LIST } from './mic-list.ts';

test('a market is in its country and on its continent', () => {
  const markets = new Markets();
  for (const [mic, country, continent] of [
    ['#RBRD', 'RU', 'EU'],
    ['MISX', 'RU', 'EU'],
    ['SPBE', 'RU', 'EU'],
    ['XNAS', 'US', 'NA'],
    ['XNYS', 'US', 'NA'],
    ['XLON', 'GB', 'EU'],
    ['XHKG', 'HK', 'AS'],
    ['XTKS', 'JP', 'AS'],
    ['XIST', 'TR', 'AS'],
    ['XKAZ', 'KZ', 'AS'],
    ['XASX', 'AU', 'OC'],
    ['XJSE', 'ZA', 'AF'],
    ['BVMF', 'BR', 'SA'],
    ['XCAY', 'KY', 'NA'],
    // Of the world: in no one country.
    ['#WWCP', '', ''],
    ['XXXX', '', ''],
  ] as const) {
    assert.deepEqual(markets.find(mic), { mic, country, continent });
    assert.ok(markets.isListed(mic), mic);
  }
});

test('what nobody lists is of no country', () => {
  const markets = new Markets();
  for (const mic of ['ZZZ0', 'xnas', '', 'US', 'constructor', '_SPBZ']) {
    assert.ok(!markets.isListed(mic), mic);
    assert.deepEqual(markets.find(mic), { mic, country: '', continent: '' });
  }
});

test('what the operator knows stands before the built-in list', () => {
  const markets = new Markets(
    new Map([
      ['_SPBZ', 'RU'],
      ['XNAS', 'GB'],
      ['XNYS', ''],
    ]),
  );
  assert.deepEqual(markets.find('_SPBZ'), { mic: '_SPBZ', country: 'RU', continent: 'EU' });
  assert.deepEqual(markets.find('XNAS'), { mic: 'XNAS', country: 'GB', continent: 'EU' });
  assert.deepEqual(markets.find('XNYS'), { mic: 'XNYS', country: '', continent: '' });
  assert.ok(markets.isListed('_SPBZ') && markets.isListed('XNYS') && markets.isListed('XLON'));
});

test('the built-in list is whole: each MIC once, each country known', () => {
  const lines = MIC_LIST.trim().split('\n');
  const mics = lines.flatMap((line) => line.split(' ').slice(1));
  assert.equal(mics.length, 2733);
  assert.equal(new Set(mics).size, mics.length);
  assert.deepEqual(
    mics.filter((mic) => !isMic(mic)),
    [],
  );
  const countries = new Set(lines.map((line) => line.split(' ')[0] ?? ''));
  assert.deepEqual(
    [...countries].filter((country) => continentOf(country) === undefined),
    ['ZZ'],
  );
});

test('every country of ISO 3166 is on one of the seven continents', () => {
  const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];
  const codes = letters.flatMap((first) => letters.map((second) => first + second));
  const continents = codes.map(continentOf).filter((each) => each !== undefined);
  // 249 officially assigned codes, and XK.
  assert.equal(continents.length, 250);
  assert.deepEqual([...new Set(continents)].sort(), [...CONTINENTS]);
  for (const each of CONTINENTS) assert.ok(isContinent(each));
  for (const other of ['', 'eu', 'XX', 'RU']) assert.ok(!isContinent(other));
  for (const other of ['', 'ru', 'RUS', 'ZZ', 'EU']) assert.equal(continentOf(other), undefined);
});

test('what is a MIC', () => {
  for (const mic of ['XNAS', '#RBRD', '_SPBZ', '24EX', 'MISX']) assert.ok(isMic(mic), mic);
  for (const other of ['', 'XNA', 'XNASD', 'xnas', '##RB', '-SPBZ', ' XNAS', 'XNAS\n', '#RBR']) {
    assert.ok(!isMic(other), other);
  }
});
