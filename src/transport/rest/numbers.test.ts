/** What grpc-gateway reads as a number, and what it does not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ScalarType } from '@bufbuild/protobuf';
import {
  type Range,
  rangeOf,
  realOfJson,
  realOfText,
  shortFloat,
  wholeOfJson,
  wholeOfText,
} from './numbers.ts';

const INT32 = rangeOf(ScalarType.INT32) as Range;
const UINT32 = rangeOf(ScalarType.UINT32) as Range;
const INT64 = rangeOf(ScalarType.INT64) as Range;
const UINT64 = rangeOf(ScalarType.UINT64) as Range;

test('a whole number in JSON is one in whatever form', () => {
  const numbers: [string, number][] = [
    ['0', 0],
    ['-0', 0],
    ['-0.00e7', 0],
    ['1.0', 1],
    ['1e2', 100],
    ['1E+2', 100],
    ['-1.25e2', -125],
    ['100e-2', 1],
    ['0.5e1', 5],
    ['0.05e2', 5],
    ['2147483647', 2_147_483_647],
    ['-2147483648.0', -2_147_483_648],
  ];
  for (const [text, value] of numbers) assert.equal(wholeOfJson(text, INT32), value, text);
  assert.equal(wholeOfJson('-0', UINT32), 0);
});

test('what is no whole number in JSON', () => {
  const others = [
    ...['', ' 1', '1 ', '+1', '01', '-', '.5', '5.', '1e', '1e+', '0x10', '1_0', 'NaN', 'Infinity'],
    ...[
      '1.5',
      '15e-1',
      '0.5',
      '1e-400',
      '1e400',
      '1e99999999999',
      '2147483648',
      '-2147483649',
      '१',
    ],
    ...['1.00000000000000000001', '100000000000000000000'],
  ];
  for (const text of others) assert.equal(wholeOfJson(text, INT32), undefined, text);
  assert.equal(wholeOfJson('-1', UINT32), undefined);
});

test('64 bits to the last digit', () => {
  assert.equal(wholeOfJson('9007199254740993', INT64), 9_007_199_254_740_993n);
  assert.equal(wholeOfJson('9007199254740.993e3', INT64), 9_007_199_254_740_993n);
  assert.equal(wholeOfJson('123456789012345e4', INT64), 1_234_567_890_123_450_000n);
  assert.equal(wholeOfJson('9223372036854775807', INT64), 2n ** 63n - 1n);
  assert.equal(wholeOfJson('9223372036854775808', INT64), undefined);
  assert.equal(wholeOfJson('-922337203685477580800e-2', INT64), -(2n ** 63n));
  assert.equal(wholeOfJson('18446744073709551615.0', UINT64), 2n ** 64n - 1n);
  assert.equal(wholeOfJson('18446744073709551616', UINT64), undefined);
});

test('a whole number in a path or query is digits and a sign', () => {
  for (const text of ['5', '+5', '05', '+005']) assert.equal(wholeOfText(text, INT32), 5, text);
  assert.equal(wholeOfText('-5', INT64), -5n);
  assert.equal(wholeOfText('05', UINT32), 5);
  for (const text of ['', ' 5', '5.0', '5e0', '0x5', '--5', '5n', '2147483648']) {
    assert.equal(wholeOfText(text, INT32), undefined, text);
  }
  for (const text of ['+5', '-0', '-5']) assert.equal(wholeOfText(text, UINT32), undefined, text);
});

test('a real number in JSON', () => {
  assert.equal(realOfJson('1.5e-3', false), 0.0015);
  assert.equal(realOfJson('NaN', false), Number.NaN);
  assert.equal(realOfJson('-Infinity', true), Number.NEGATIVE_INFINITY);
  assert.equal(realOfJson('1e-400', false), 0);
  for (const text of ['', ' 1', '+1', '.5', '5.', '0x10', 'nan', 'inf', '+Infinity', '1e400']) {
    assert.equal(realOfJson(text, false), undefined, text);
  }
});

test('a real number in a path or query', () => {
  const numbers: [string, number][] = [
    ['+1', 1],
    ['.5', 0.5],
    ['5.', 5],
    ['-05.e1', -50],
    ['Infinity', Number.POSITIVE_INFINITY],
  ];
  for (const [text, value] of numbers) assert.equal(realOfText(text, false), value, text);
  for (const text of ['', '.', '0x10', '1_0', 'nan', 'inf', '+Infinity', '1e400', '1e', ' 1']) {
    assert.equal(realOfText(text, false), undefined, text);
  }
});

test('a float is rounded to one, and refused when it is none', () => {
  assert.equal(realOfJson('0.1', true), Math.fround(0.1));
  assert.equal(realOfJson('3.4028235e38', true), 3.4028234663852886e38);
  assert.equal(realOfJson('3.4028236e38', true), undefined);
  assert.equal(realOfText('1e39', true), undefined);
});

test('a float is printed with its own digits', () => {
  for (const value of [0, 0.1, -16.349, 1e-45, 3.4028235e38, 16_777_216, 0.3333333, 3.145e-42]) {
    assert.equal(shortFloat(Math.fround(value)), value);
  }
  assert.equal(shortFloat(Number.POSITIVE_INFINITY), Number.POSITIVE_INFINITY);
});

test('long numbers take no long time', () => {
  const long = 1_000_000;
  const startedMs = performance.now();
  assert.equal(wholeOfJson(`1.${'0'.repeat(long)}1`, INT32), undefined);
  assert.equal(wholeOfJson(`1.${'0'.repeat(long)}`, INT32), 1);
  assert.equal(wholeOfJson('1'.repeat(long), INT64), undefined);
  assert.equal(realOfText(`${'1'.repeat(long)}x`, false), undefined);
  assert.ok(performance.now() - startedMs < 1000);
});
