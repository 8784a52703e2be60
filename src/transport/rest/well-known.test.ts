/** What grpc-gateway reads as a message of google.protobuf, within RFC 3339, and what it does not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DescMessage, toJson } from '@bufbuild/protobuf';
import {
  DurationSchema,
  EmptySchema,
  FieldMaskSchema,
  ListValueSchema,
  StructSchema,
  TimestampSchema,
  ValueSchema,
} from '@bufbuild/protobuf/wkt';
import { type Json, LongNumber } from './json.ts';
import { isTooDeep, wellKnownFromJson, wellKnownFromText } from './well-known.ts';

/** What was read, as JSON has it; undefined when it was refused. */
function fromJson(desc: DescMessage, json: Json): unknown {
  const message = wellKnownFromJson(desc, json);
  return message && toJson(desc, message);
}

function fromText(desc: DescMessage, text: string): unknown {
  const message = wellKnownFromText(desc, text, 10);
  return message && toJson(desc, message);
}

test('times', () => {
  const times: [string, string][] = [
    ['2025-07-24T10:51:27.5+03:00', '2025-07-24T07:51:27.500Z'],
    ['2025-07-24T10:51:27-23:59', '2025-07-25T10:50:27Z'],
    ['2024-02-29T00:00:00.000000001Z', '2024-02-29T00:00:00.000000001Z'],
    ['1969-12-31T23:59:59.9Z', '1969-12-31T23:59:59.900Z'],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00Z'],
    ['0099-12-31T23:59:59Z', '0099-12-31T23:59:59Z'],
    ['9999-12-31T23:59:59.999999999Z', '9999-12-31T23:59:59.999999999Z'],
  ];
  for (const [text, printed] of times) {
    assert.equal(fromJson(TimestampSchema, text), printed, text);
    assert.equal(fromText(TimestampSchema, text), printed, text);
  }
});

test('what is no time, or none that the calendar has', () => {
  const others: Json[] = [
    ...['2025-02-30T00:00:00Z', '2023-02-29T00:00:00Z', '1900-02-29T00:00:00Z'],
    ...['2025-04-31T00:00:00Z', '2025-13-01T00:00:00Z', '2025-00-01T00:00:00Z'],
    ...['2025-01-00T00:00:00Z', '2025-01-01T24:00:00Z', '2025-01-01T00:60:00Z'],
    ...['2025-01-01T23:59:60Z', '2025-01-01T00:00:00+24:00', '2025-01-01T00:00:00+23:60'],
    ...['2025-01-01t00:00:00z', '2025-01-01 00:00:00Z', '2025-01-01T00:00:00', '2025-01-01'],
    ...['2025-01-01T00:00:00.Z', '2025-01-01T00:00:00.1234567891Z', '2025-01-01T00:00:00,5Z'],
    ...['2025-01-01T0:00:00Z', '2025-01-01T00:00Z', ' 2025-01-01T00:00:00Z', '', 'now'],
    ...['0000-12-31T23:59:59Z', '0001-01-01T00:00:00+01:00', '9999-12-31T23:59:59-01:00'],
    ...[1_735_689_600, null, {}],
  ];
  for (const json of others) assert.equal(fromJson(TimestampSchema, json), undefined, `${json}`);
});

test('durations', () => {
  const durations: [string, string][] = [
    ['1s', '1s'],
    ['+1s', '1s'],
    ['1.s', '1s'],
    ['.5s', '0.500s'],
    ['-0.5s', '-0.500s'],
    ['-0s', '0s'],
    ['-1.000000001s', '-1.000000001s'],
    ['315576000000.999999999s', '315576000000.999999999s'],
  ];
  for (const [text, printed] of durations) {
    assert.equal(fromJson(DurationSchema, text), printed, text);
    assert.equal(fromText(DurationSchema, text), printed, text);
  }
  const others: Json[] = [
    ...['1sx', '1s1s', '01s', '1.0000000000s', '1', 's', '-s', '1 s', ' 1s', '1s ', '1e3s', '0x1s'],
    ...['1m', '1h30m', '300ms', '315576000001s', '--1s', '1.5.5s', '1s\n', '', 1, null],
  ];
  for (const json of others) assert.equal(fromJson(DurationSchema, json), undefined, `${json}`);
});

test('masks in JSON are in camelCase, in a query in either', () => {
  for (const text of ['', 'text', 'isOn,item.madeAt', 'a1B']) {
    assert.equal(fromJson(FieldMaskSchema, text), text, text);
    assert.equal(fromText(FieldMaskSchema, text), text, text);
  }
  assert.equal(fromJson(FieldMaskSchema, ' isOn '), 'isOn');
  assert.equal(fromJson(FieldMaskSchema, 'is_on'), undefined);
  assert.equal(fromText(FieldMaskSchema, 'is_on,isOn'), 'isOn,isOn');
});

test('a mask that could not be printed is refused', () => {
  const others = [
    ...['a b', 'a,,b', ',', 'a.', '.a', 'a..b', '1a', 'я', 'a-b', '*', 'a_', 'a__b', 'a_1', 'a_B'],
  ];
  for (const text of others) {
    assert.equal(fromJson(FieldMaskSchema, text), undefined, text);
    assert.equal(fromText(FieldMaskSchema, text), undefined, text);
  }
});

test('JSON of any form', () => {
  const json = { a: [null, 1.5, 'x', {}], ['__proto__']: true };
  assert.deepEqual(fromJson(StructSchema, json), json);
  assert.equal(fromJson(ValueSchema, null), null);
  assert.equal(fromJson(ValueSchema, new LongNumber('1e2')), 100);
  assert.deepEqual(fromJson(ListValueSchema, [[]]), [[]]);
  assert.equal(fromJson(StructSchema, []), undefined);
  assert.equal(fromJson(ListValueSchema, {}), undefined);
  assert.deepEqual(fromJson(EmptySchema, { unknown: 1 }), {});
  // These have no place in a protobuf string or number, and could not be printed again.
  for (const bad of ['\ud800', { '\udc00': 1 }, [new LongNumber('1e400')]]) {
    assert.equal(fromJson(ValueSchema, bad), undefined);
  }
});

test('JSON in a query', () => {
  assert.deepEqual(fromText(ValueSchema, '[1]'), [1]);
  assert.deepEqual(fromText(StructSchema, '{"a":1}'), { a: 1 });
  for (const text of ['', 'a', '{"a":1,"a":1}', '1e400']) {
    assert.equal(fromText(ValueSchema, text), undefined, text);
  }
  assert.equal(fromText(ListValueSchema, '[1]'), undefined);
  assert.deepEqual(fromText(EmptySchema, ''), {});
  assert.deepEqual(fromText(EmptySchema, '{}'), {});
  assert.equal(fromText(EmptySchema, '1'), undefined);
});

test('JSON nests as deep as messages may', () => {
  const nested = (depth: number): Json => (depth === 0 ? [] : [nested(depth - 1)]);
  // A list within a list is a message for itself and one for its value.
  assert.equal(isTooDeep(ListValueSchema, nested(4), 9), false);
  assert.equal(isTooDeep(ListValueSchema, nested(4), 8), true);
  assert.equal(isTooDeep(ValueSchema, nested(4), 10), false);
  assert.equal(isTooDeep(ValueSchema, nested(4), 9), true);
  assert.equal(isTooDeep(ValueSchema, nested(2000), 100), true);
  assert.equal(isTooDeep(TimestampSchema, 'x', 0), true);
});
