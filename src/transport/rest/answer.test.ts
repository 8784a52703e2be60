import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, createFileRegistry, type DescMessage } from '@bufbuild/protobuf';
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
  FloatValueSchema,
  file_google_protobuf_wrappers,
} from '@bufbuild/protobuf/wkt';
import { jsonOf, jsonOfField } from './answer.ts';

const { FLOAT, DOUBLE, MESSAGE } = FieldDescriptorProto_Type;
const { OPTIONAL, REPEATED } = FieldDescriptorProto_Label;

/** Floats in every place that a message has for them. */
function makeSchema(): DescMessage {
  const entry = [
    { name: 'key', number: 1, type: FieldDescriptorProto_Type.STRING, label: OPTIONAL },
    { name: 'value', number: 2, type: FLOAT, label: OPTIONAL },
  ];
  const typeName = '.x.M';
  const file = create(FileDescriptorProtoSchema, {
    name: 'x.proto',
    package: 'x',
    syntax: 'proto3',
    dependency: ['google/protobuf/wrappers.proto'],
    messageType: [
      {
        name: 'M',
        nestedType: [{ name: 'NamedEntry', field: entry, options: { mapEntry: true } }],
        field: [
          { name: 'one', number: 1, type: FLOAT, label: OPTIONAL },
          { name: 'many', number: 2, type: FLOAT, label: REPEATED },
          { name: 'named', number: 3, type: MESSAGE, label: REPEATED, typeName: '.x.M.NamedEntry' },
          {
            name: 'maybe',
            number: 4,
            type: MESSAGE,
            label: OPTIONAL,
            typeName: '.google.protobuf.FloatValue',
          },
          { name: 'inner', number: 5, type: MESSAGE, label: OPTIONAL, typeName },
          { name: 'inners', number: 6, type: MESSAGE, label: REPEATED, typeName },
          { name: 'exact', number: 7, type: DOUBLE, label: OPTIONAL },
        ],
      },
    ],
  });
  return createFileRegistry(file, () => file_google_protobuf_wrappers).getMessage(
    'x.M',
  ) as DescMessage;
}

const schema = makeSchema();
const TENTH = Math.fround(0.1);

test('floats are printed with their own digits, doubles with theirs', () => {
  const values = { one: TENTH, many: [TENTH, Number.NaN], named: { a: TENTH }, maybe: TENTH };
  const init: Record<string, unknown> = {
    ...values,
    inner: values,
    inners: [values],
    exact: TENTH,
  };
  const message = create(schema, init);
  const shown = { one: 0.1, many: [0.1, 'NaN'], named: { a: 0.1 }, maybe: 0.1 };
  const inner = { ...shown, inners: [], exact: 0 };
  assert.deepEqual(JSON.parse(jsonOf(schema, message)), {
    ...shown,
    inner,
    inners: [inner],
    exact: TENTH,
  });
  assert.equal(jsonOfField(schema, message, 'many'), '[0.1,"NaN"]');
  assert.equal(jsonOfField(schema, create(schema), 'inner'), 'null');
  assert.equal(jsonOf(FloatValueSchema, create(FloatValueSchema, { value: TENTH })), '0.1');
});
