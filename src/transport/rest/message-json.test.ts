/** Fields that the contract of the network tests does not have: maps by numbers, and any JSON. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, createFileRegistry, type DescMessage, toJson } from '@bufbuild/protobuf';
import { reflect } from '@bufbuild/protobuf/reflect';
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
  file_google_protobuf_struct,
} from '@bufbuild/protobuf/wkt';
import { AppError } from '../../domain/errors.ts';
import { isObject, parseJson } from './json.ts';
import { MessageReader } from './message-json.ts';
import { Violations } from './violations.ts';

const { INT32, UINT64, BOOL, STRING, MESSAGE } = FieldDescriptorProto_Type;
const { OPTIONAL, REPEATED } = FieldDescriptorProto_Label;

function mapEntry(
  name: string,
  key: FieldDescriptorProto_Type,
  value: FieldDescriptorProto_Type,
  typeName = '',
) {
  const field = [
    { name: 'key', number: 1, type: key, label: OPTIONAL },
    { name: 'value', number: 2, type: value, label: OPTIONAL, typeName },
  ];
  return { name, field, options: { mapEntry: true } };
}

function makeSchema(): DescMessage {
  const any = { type: MESSAGE, typeName: '.google.protobuf.Value' };
  const map = { type: MESSAGE, label: REPEATED };
  const file = create(FileDescriptorProtoSchema, {
    name: 'x.proto',
    package: 'x',
    syntax: 'proto3',
    dependency: ['google/protobuf/struct.proto'],
    messageType: [
      {
        name: 'M',
        nestedType: [
          mapEntry('TextsEntry', INT32, STRING),
          mapEntry('FlagsEntry', UINT64, BOOL),
          mapEntry('NumbersEntry', BOOL, INT32),
          mapEntry('NamedEntry', STRING, MESSAGE, any.typeName),
        ],
        field: [
          { name: 'texts', number: 1, ...map, typeName: '.x.M.TextsEntry' },
          { name: 'flags', number: 2, ...map, typeName: '.x.M.FlagsEntry' },
          { name: 'numbers', number: 3, ...map, typeName: '.x.M.NumbersEntry' },
          { name: 'named', number: 6, ...map, typeName: '.x.M.NamedEntry' },
          { name: 'any', number: 4, label: OPTIONAL, ...any },
          { name: 'anys', number: 5, label: REPEATED, ...any },
        ],
      },
    ],
  });
  return createFileRegistry(file, () => file_google_protobuf_struct).getMessage(
    'x.M',
  ) as DescMessage;
}

const schema = makeSchema();

function read(text: string): unknown {
  const json = parseJson(text);
  assert.ok(isObject(json));
  const violations = new Violations();
  const target = reflect(schema, undefined, false);
  new MessageReader(violations).message(target, json);
  violations.refuseAny();
  return toJson(schema, target.message, { useProtoFieldName: true });
}

/** What the refusal says. */
function refused(text: string): string {
  try {
    read(text);
  } catch (error) {
    assert.ok(error instanceof AppError);
    return error.message;
  }
  throw new Error(`${text} was read`);
}

test('the keys of maps are read by their types', () => {
  const maps = {
    texts: { '-1': 'a', '7': 'b' },
    flags: { '18446744073709551615': true },
    numbers: { false: 1, true: 2 },
  };
  assert.deepEqual(read(JSON.stringify(maps)), maps);
  assert.deepEqual(read('{"texts":{"+7":"b"}}'), { texts: { 7: 'b' } });
  for (const key of ['', 'x', '1e0', '1.0', '0x1', '2147483648', 'true']) {
    assert.equal(refused(`{"texts":{"${key}":"a"}}`), 'texts takes a map of string', key);
  }
  assert.equal(refused('{"flags":{"-1":true}}'), 'flags takes a map of bool');
  assert.equal(refused('{"numbers":{"1":1,"0":0,"x":2}}'), 'numbers takes a map of int32');
});

test('two spellings of a key are one key', () => {
  for (const keys of ['"1":"a","01":"b"', '"1":"a","+1":"b"', '"0":"a","-0":"b"']) {
    assert.equal(refused(`{"texts":{${keys}}}`), 'texts has a key more than once', keys);
  }
});

test('the values of maps are read by theirs', () => {
  assert.equal(
    refused('{"texts":{"1":1},"numbers":{"true":"x"}}'),
    'texts[] takes string; numbers[] takes int32',
  );
  for (const json of ['[]', '"x"', '1']) {
    assert.equal(refused(`{"texts":${json}}`), 'texts takes a map of string', json);
  }
});

test('null is a value where any JSON is', () => {
  const nulls = { any: null, anys: [null, [null]] };
  assert.deepEqual(read(JSON.stringify(nulls)), nulls);
  assert.deepEqual(read('{"texts":null,"named":{"a":null}}'), { named: { a: null } });
  assert.deepEqual(read('{"named":null}'), {});
  assert.equal(refused('{"anys":null}'), 'anys takes a list of google.protobuf.Value');
  assert.equal(refused('{"anys":[1e400]}'), 'anys[0] takes google.protobuf.Value');
});
