/**
 * A contract made at run time, for tests of the transport alone: messages of every kind of field,
 * REST routes of every shape, and all four kinds of methods. The product's own contract has but a
 * few of them, and its code must not know which.
 */
import {
  create,
  createFileRegistry,
  type DescMessage,
  type DescMethod,
  type DescService,
  type MessageInitShape,
  setExtension,
} from '@bufbuild/protobuf';
import {
  type DescriptorProtoSchema,
  type FieldDescriptorProtoSchema,
  FileDescriptorProtoSchema,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
  FieldDescriptorProto_Label as Label,
  type MethodDescriptorProtoSchema,
  MethodOptionsSchema,
  FieldDescriptorProto_Type as Type,
} from '@bufbuild/protobuf/wkt';
import {
  file_google_api_annotations,
  http as httpOption,
} from '../src/gen/google/api/annotations_pb.js';
import { HttpRuleSchema } from '../src/gen/google/api/http_pb.js';

const PACKAGE = 'propusk.test.v1';

type Field = MessageInitShape<typeof FieldDescriptorProtoSchema>;
type Rule = MessageInitShape<typeof HttpRuleSchema>;

function field(name: string, number: number, type: Type, more: Field = {}): Field {
  // As protoc writes it into every descriptor.
  const jsonName = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return { name, jsonName, number, type, label: Label.OPTIONAL, ...more };
}

function message(name: string, number: number, typeName: string, more: Field = {}): Field {
  return field(name, number, Type.MESSAGE, { typeName: `.${typeName}`, ...more });
}

function color(name: string, number: number, more: Field = {}): Field {
  return field(name, number, Type.ENUM, { typeName: `.${PACKAGE}.Color`, ...more });
}

const MANY = { label: Label.REPEATED };
const ITEM = `${PACKAGE}.Item`;

/** Its own parts are items again: lists and messages at any depth. */
const itemMessage: MessageInitShape<typeof DescriptorProtoSchema> = {
  name: 'Item',
  field: [
    field('name', 1, Type.STRING),
    field('amount', 2, Type.INT64),
    message('parts', 3, ITEM, MANY),
    field('tags', 4, Type.STRING, MANY),
    color('color', 5),
    message('inner', 6, ITEM),
  ],
};

const echoMessage: MessageInitShape<typeof DescriptorProtoSchema> = {
  name: 'EchoMessage',
  field: [
    field('parent_id', 1, Type.STRING),
    field('child_id', 2, Type.STRING),
    field('text', 3, Type.STRING),
    field('words', 4, Type.STRING, MANY),
    message('item', 5, ITEM),
    message('items', 6, ITEM, MANY),
    field('big_number', 7, Type.INT64),
    field('raw_bytes', 8, Type.BYTES),
    color('color', 9),
    color('colors', 10, MANY),
    message('happened_at', 11, 'google.protobuf.Timestamp'),
    field('is_on', 12, Type.BOOL),
    field('ratio', 13, Type.DOUBLE),
    field('left', 14, Type.STRING, { oneofIndex: 0 }),
    field('right_number', 15, Type.INT32, { oneofIndex: 0 }),
    message('named', 16, `${PACKAGE}.EchoMessage.NamedEntry`, MANY),
    field('small_number', 17, Type.INT32),
    message('maybe', 18, 'google.protobuf.StringValue'),
    field('flags', 19, Type.BOOL, MANY),
  ],
  oneofDecl: [{ name: 'choice' }],
  nestedType: [
    {
      name: 'NamedEntry',
      field: [field('key', 1, Type.STRING), message('value', 2, ITEM)],
      options: { mapEntry: true },
    },
  ],
};

function method(
  name: string,
  rules: readonly Rule[] = [],
  more: MessageInitShape<typeof MethodDescriptorProtoSchema> = {},
): MessageInitShape<typeof MethodDescriptorProtoSchema> {
  const options = create(MethodOptionsSchema);
  const [first, ...additionalBindings] = rules;
  if (first !== undefined) {
    const all = { ...first, additionalBindings: [...additionalBindings] } as Rule;
    setExtension(options, httpOption, create(HttpRuleSchema, all));
  }
  const type = `.${PACKAGE}.EchoMessage`;
  return { name, inputType: type, outputType: type, options, ...more };
}

function post(value: string, more: Rule = {}): Rule {
  return { pattern: { case: 'post', value }, body: '*', ...more };
}

const CHILD = '/v1/parents/{parent_id}/children/{child_id}';

/** Answer what they were asked; `Silent` and its streams never do. */
const methods = [
  method('Echo', [
    post('/v1/echo'),
    { pattern: { case: 'get', value: CHILD } },
    { pattern: { case: 'put', value: CHILD }, body: 'item' },
    { pattern: { case: 'delete', value: CHILD } },
    { pattern: { case: 'patch', value: '/v1/parents/{parent_id}' }, body: '*' },
    { pattern: { case: 'get', value: '/v1/{item.name=shelves/*/books/*}' } },
    post('/v1/{item.name=shelves/*/books/*}:move'),
    { pattern: { case: 'get', value: '/v1/files/{text=**}' } },
    { pattern: { case: 'get', value: '/v1/numbers/{big_number}/{color}/{is_on}' } },
    { pattern: { case: 'custom', value: { kind: 'REPORT', path: '/v1/echo' } }, body: '*' },
    post('/v1/items', { responseBody: 'items' }),
  ]),
  method('Silent', [post('/v1/silent')]),
  method('Fail', [post('/v1/fail')]),
  method('Repeat', [], { serverStreaming: true }),
  method('SilentStream', [], { serverStreaming: true }),
  method('Collect', [], { clientStreaming: true }),
  method('Chat', [], { clientStreaming: true, serverStreaming: true }),
];

function build(): DescService {
  const imports = [
    file_google_api_annotations,
    file_google_protobuf_timestamp,
    file_google_protobuf_wrappers,
  ];
  const values = ['COLOR_UNSPECIFIED', 'COLOR_RED', 'COLOR_BLUE'];
  const proto = create(FileDescriptorProtoSchema, {
    name: 'propusk/test/v1/echo.proto',
    package: PACKAGE,
    syntax: 'proto3',
    dependency: imports.map((file) => file.proto.name),
    enumType: [{ name: 'Color', value: values.map((name, number) => ({ name, number })) }],
    messageType: [itemMessage, echoMessage],
    service: [{ name: 'EchoService', method: methods }],
  });
  const registry = createFileRegistry(proto, (name) =>
    imports.find((each) => each.proto.name === name),
  );
  const service = registry.getService(`${PACKAGE}.EchoService`);
  if (service === undefined) throw new Error('the registry lost the service');
  return service;
}

/** The service of this contract. */
export const EchoService: DescService = build();

/** A method by its local name, such as `echo`. */
export function echoMethod(name: string): DescMethod {
  const found = EchoService.method[name];
  if (found === undefined) throw new Error(`no method ${name}`);
  return found;
}

/** The message that every method takes and answers. */
export const EchoMessageSchema: DescMessage = echoMethod('echo').input;
