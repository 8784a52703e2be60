/** What people write on a command line: instants, durations, permissions, secrets. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CommandFailure } from './failure.ts';
import { readDuration, readInstant } from './instant.ts';
import { readPermission, showPermission } from './permission.ts';
import { refuseTypo, SECRET_PREFIX } from './secret-form.ts';

const refuses = (work: () => unknown) => assert.throws(work, CommandFailure);

test('an instant is a date, a date with its time, or so long from now', () => {
  const now = Date.parse('2027-01-31T12:00:00Z');
  const good: [string, string][] = [
    ['2027-01-31', '2027-01-31T00:00:00.000Z'],
    ['2028-02-29', '2028-02-29T00:00:00.000Z'],
    ['2027-01-31T18:00:00+03:00', '2027-01-31T15:00:00.000Z'],
    ['2027-01-31T18:00Z', '2027-01-31T18:00:00.000Z'],
    ['2027-01-31T18:00:00.25Z', '2027-01-31T18:00:00.250Z'],
    ['+30d', '2027-03-02T12:00:00.000Z'],
    ['+90s', '2027-01-31T12:01:30.000Z'],
  ];
  for (const [text, expected] of good) {
    assert.equal(new Date(readInstant(text, now, '--until')).toISOString(), expected, text);
  }
  const bad = [
    '',
    'now',
    '31.01.2027',
    '2027-02-29',
    '2027-06-31',
    '2027-13-01',
    '2027-01-31T18:00',
  ];
  for (const text of [...bad, '+', '+1w', '-1d', '+99999999999d']) {
    refuses(() => readInstant(text, now, '--until'));
  }
});

test('a duration has one unit', () => {
  assert.deepEqual(
    ['90s', '15m', '12h', '30d'].map((text) => readDuration(text, '--overlap')),
    [90_000, 900_000, 43_200_000, 2_592_000_000],
  );
  for (const text of ['', '1', '1w', '1h30m', '-1d', '1.5h', '9'.repeat(30)]) {
    refuses(() => readDuration(text, '--overlap'));
  }
});

test('a permission is read as it is shown', () => {
  for (const text of [
    'mic:#RBRD=DEPTH_OF_MARKET',
    'mic:XNAS=DEPTH_OF_BOOK@15',
    'country:US=LAST_PRICE@15',
    'continent:EU=BEST_BID_OFFER',
    'worldwide=ACCESS_FORBIDDEN',
  ]) {
    assert.equal(showPermission(readPermission(text)), text);
  }
  assert.deepEqual(
    readPermission('mic:XNAS=quote_level_last_price'),
    readPermission('mic:XNAS=LAST_PRICE'),
  );
  for (const text of [
    '',
    'XNAS=LAST_PRICE',
    'mic:=LAST_PRICE',
    'mic:XNAS',
    'mic:XNAS=UNSPECIFIED',
    'mic:XNAS=BEST',
    'mic:XNAS=LAST_PRICE@-1',
    'worldwide:x=LAST_PRICE',
  ]) {
    refuses(() => readPermission(text));
  }
});

test('a typo in a secret of the server is told, and others are let through', () => {
  const secret = 'psk_0000000000000000000000000003pux0X';
  const at = fc.integer({ min: 4, max: secret.length - 1 });
  refuseTypo(secret, SECRET_PREFIX, 'the secret');
  refuseTypo('made elsewhere', SECRET_PREFIX, 'the secret');
  refuses(() => refuseTypo('psk_', SECRET_PREFIX, 'the secret'));
  refuses(() => refuseTypo(secret.slice(0, -1), SECRET_PREFIX, 'the secret'));
  fc.assert(
    fc.property(at, fc.constantFrom(...'0123456789ABCXYZabcxyz'), (i, digit) => {
      fc.pre(secret[i] !== digit);
      refuses(() => refuseTypo(secret.slice(0, i) + digit + secret.slice(i + 1), 'psk_', 'it'));
    }),
  );
});
