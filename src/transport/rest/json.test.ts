import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../../domain/errors.ts';
import { isUnicode, LongNumber, parseJson, textOf } from './json.ts';

test('numbers keep their digits where JavaScript would round them', () => {
  assert.deepEqual(parseJson('[1, -1.5, 0]'), [1, -1.5, 0]);
  const long = '[9007199254740993, 1.00000000000000000001, 1e400, 12]';
  assert.deepEqual(parseJson(long), [
    new LongNumber('9007199254740993'),
    new LongNumber('1.00000000000000000001'),
    new LongNumber('1e400'),
    12,
  ]);
});

test('a key that is there twice is refused, at any depth', () => {
  for (const text of ['{"a":1,"a":1}', '[{"b":[{"a":1,"\\u0061":2}]}]', '{"a":1e9,"a":1}']) {
    assert.throws(() => parseJson(text), /more than once/, text);
  }
  const deep = `${'['.repeat(5000)}{"a":1,"a":1}${']'.repeat(5000)}`;
  assert.throws(() => parseJson(deep), /more than once/);
});

test('__proto__ is a key like others', () => {
  for (const text of ['{"__proto__":1}', '{"__proto__":12345678901234567890}']) {
    assert.deepEqual(Object.keys(parseJson(text) as object), ['__proto__']);
  }
});

test('what is not JSON', () => {
  const others = [
    ...['{', '{}{}', '{}x', '\ufeff{}', '\u00a0{}', "{'a':1}", '{"a":01}', '{"a":+1}', '{"a":.5}'],
    ...['{"a":1.}', '{"a":1e}', '[1,]', '{"a":1,}', '{"a":"\n"}', '{"a":"\\x41"}', 'NaN', '/**/1'],
  ];
  for (const text of others) assert.throws(() => parseJson(text), /not JSON/, text);
});

test('JSON that nests deeper than can be read is refused', () => {
  const nested = `[1e1,${'['.repeat(200_000)}${']'.repeat(200_000)}]`;
  assert.throws(() => parseJson(nested), AppError);
});

test('the text of a body', () => {
  for (const text of ['', ' ', '\r\n\t ']) assert.equal(textOf(Buffer.from(text)), undefined);
  // No white space to JSON; what follows is read, and refused, as JSON.
  for (const text of ['\u00a0', '\ufeff', '\u2028', '{}']) {
    assert.equal(textOf(Buffer.from(text)), text);
  }
  assert.throws(() => textOf(Buffer.of(0xff)), AppError);
});

test('half of a surrogate pair is seen wherever it is', () => {
  for (const text of ['"\\ud800"', '{"a":[{"\\uDFFF":1}]}', '["\\ud83d\\ude00", "\\ude00"]']) {
    assert.equal(isUnicode(text, parseJson(text)), false, text);
  }
  for (const text of ['"\\ud83d\\ude00"', '{"\\ud83D\\uDe00":1}', '"\\\\ud800"']) {
    assert.equal(isUnicode(text, parseJson(text)), true, text);
  }
});
