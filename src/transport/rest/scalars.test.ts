/** What grpc-gateway reads as a value of a scalar or an enum, and what it does not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ScalarType } from '@bufbuild/protobuf';
import { SyntaxSchema } from '@bufbuild/protobuf/wkt';
import { LongNumber } from './json.ts';
import {
  enumFromJson,
  enumFromText,
  keyFromJson,
  scalarFromJson,
  scalarFromText,
  UNKNOWN_NAME,
} from './scalars.ts';

const { BOOL, BYTES, DOUBLE, INT32, INT64, STRING } = ScalarType;

test('base64 of either alphabet, with padding or without, in lines or not', () => {
  const same: [string, number[]][] = [
    ['', []],
    ['AQI=', [1, 2]],
    ['AQI', [1, 2]],
    ['AB==', [0]],
    ['+/8=', [251, 255]],
    ['-_8=', [251, 255]],
    ['-_8', [251, 255]],
    ['AA\r\nAA', [0, 0, 0]],
    ['AA\n=\n\r\n=', [0]],
  ];
  for (const [text, bytes] of same) {
    for (const read of [scalarFromJson, scalarFromText]) {
      assert.deepEqual([...(read(BYTES, text) as Uint8Array)], bytes, text);
    }
  }
});

test('what is no base64', () => {
  const others = [
    ...['*', '=', 'A', 'A===', 'AA=', 'AAAA=', 'AA==AA==', '+/-_', 'AAA-=', 'A A=', ' AAA', 'я'],
    ...['=AAA', 'AA=A', 'A\tAA', 'AA=\n='],
  ];
  for (const text of others) assert.equal(scalarFromJson(BYTES, text), undefined, text);
});

test('booleans: two words in JSON, a few more in a path or query', () => {
  assert.equal(scalarFromJson(BOOL, true), true);
  for (const json of ['true', 1, null]) assert.equal(scalarFromJson(BOOL, json), undefined);
  for (const text of ['1', 't', 'T', 'true', 'TRUE', 'True']) {
    assert.equal(scalarFromText(BOOL, text), true, text);
  }
  for (const text of ['0', 'f', 'F', 'false', 'FALSE', 'False']) {
    assert.equal(scalarFromText(BOOL, text), false, text);
  }
  for (const text of ['', 'tRue', 'yes', 'on', ' true', 'null']) {
    assert.equal(scalarFromText(BOOL, text), undefined, text);
  }
});

test('numbers in JSON come bare or as strings', () => {
  assert.equal(scalarFromJson(INT32, 5), 5);
  assert.equal(scalarFromJson(INT32, '5e0'), 5);
  assert.equal(scalarFromJson(INT64, new LongNumber('9007199254740993')), 9_007_199_254_740_993n);
  for (const json of [1.5, '0x5', ' 5', '', true, [], {}, null]) {
    assert.equal(scalarFromJson(INT32, json), undefined, JSON.stringify(json));
  }
  assert.equal(scalarFromJson(DOUBLE, -0), -0);
  assert.equal(scalarFromJson(DOUBLE, 'NaN'), Number.NaN);
  assert.equal(scalarFromJson(DOUBLE, new LongNumber('1e400')), undefined);
});

test('strings are Unicode', () => {
  assert.equal(scalarFromJson(STRING, '\u{1d4b3}'), '\u{1d4b3}');
  assert.equal(scalarFromJson(STRING, '\ud835'), undefined);
  assert.equal(keyFromJson(STRING, '\udcb3'), undefined);
});

test('the keys of maps', () => {
  for (const key of ['1', '01', '+1']) assert.equal(keyFromJson(INT32, key), 1, key);
  for (const key of ['', '1e0', '1.0', '0x1', ' 1']) {
    assert.equal(keyFromJson(INT32, key), undefined, key);
  }
  assert.equal(keyFromJson(BOOL, 'false'), false);
  for (const key of ['0', 'f', 'False']) assert.equal(keyFromJson(BOOL, key), undefined, key);
});

test('enums', () => {
  assert.equal(enumFromJson(SyntaxSchema, 'SYNTAX_PROTO3'), 1);
  assert.equal(enumFromJson(SyntaxSchema, 77), 77);
  assert.equal(enumFromJson(SyntaxSchema, new LongNumber('1.0')), 1);
  for (const name of ['', '1', 'syntax_proto3', 'SYNTAX']) {
    assert.equal(enumFromJson(SyntaxSchema, name), UNKNOWN_NAME, name);
  }
  for (const json of [0.5, 2 ** 31, true, {}]) {
    assert.equal(enumFromJson(SyntaxSchema, json), undefined, String(json));
  }
  for (const text of ['SYNTAX_PROTO3', '1', '+1', '01']) {
    assert.equal(enumFromText(SyntaxSchema, text), 1, text);
  }
  for (const text of ['', '77', '1.0', '1e0', 'syntax_proto3']) {
    assert.equal(enumFromText(SyntaxSchema, text), undefined, text);
  }
});
