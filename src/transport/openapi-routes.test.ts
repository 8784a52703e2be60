/** The document of services made for the test, for what our own contract does not use. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  create,
  createFileRegistry,
  type DescService,
  type MessageInitShape,
  setExtension,
} from '@bufbuild/protobuf';
import {
  FileDescriptorProtoSchema,
  file_google_protobuf_duration,
  file_google_protobuf_timestamp,
  FieldDescriptorProto_Label as Label,
  MethodOptionsSchema,
  FieldDescriptorProto_Type as Type,
} from '@bufbuild/protobuf/wkt';
import { validate } from '@hyperjump/json-schema/openapi-3-1';
import { file_google_api_annotations, http } from '../gen/google/api/annotations_pb.js';
import { HttpRuleSchema } from '../gen/google/api/http_pb.js';
import { openapi } from './openapi.ts';

// biome-ignore lint/suspicious/noExplicitAny: a document is looked into by path
type Json = any;
type Rule = MessageInitShape<typeof HttpRuleSchema>;

const INFO = { title: 'Propusk', version: '1.2.3' };

interface ShopOptions {
  readonly pkg?: string;
  readonly streams?: boolean;
  readonly deprecated?: boolean;
}

/** `Item` has every kind of field; `Inner` holds itself. */
function messagesOf(pkg: string) {
  const { OPTIONAL, REPEATED } = Label;
  const inner = { type: Type.MESSAGE, typeName: `.${pkg}.Inner` };
  const entry = { type: Type.MESSAGE, typeName: `.${pkg}.Item.CountsEntry` };
  const number = (
    fields: readonly { name: string; type: Type; label?: Label; typeName?: string }[],
  ) => fields.map((field, index) => ({ label: OPTIONAL, ...field, number: index + 1 }));
  const counts = {
    name: 'CountsEntry',
    field: number([
      { name: 'key', type: Type.STRING },
      { name: 'value', type: Type.INT64 },
    ]),
    options: { mapEntry: true },
  };
  const field = number([
    { name: 'item_id', type: Type.STRING },
    { name: 'big', type: Type.INT64 },
    { name: 'whole', type: Type.UINT32 },
    { name: 'ratio', type: Type.DOUBLE },
    { name: 'raw', type: Type.BYTES },
    { name: 'at', type: Type.MESSAGE, typeName: '.google.protobuf.Timestamp' },
    { name: 'lasts', type: Type.MESSAGE, typeName: '.google.protobuf.Duration' },
    { name: 'side', type: Type.ENUM, typeName: `.${pkg}.Side` },
    { name: 'tags', type: Type.STRING, label: REPEATED },
    { name: 'inner', ...inner },
    { name: 'inners', ...inner, label: REPEATED },
    { name: 'counts', ...entry, label: REPEATED },
  ]);
  const within = number([
    { name: 'shelf', type: Type.STRING },
    { name: 'inner', ...inner },
  ]);
  return [
    { name: 'Item', field, nestedType: [counts] },
    { name: 'Inner', field: within },
  ];
}

/** A service with one method per rule. */
function shop(rules: readonly Rule[], more: ShopOptions = {}): DescService {
  const pkg = more.pkg ?? 'shop.v1';
  const method = rules.map((rule, index) => {
    const options = create(MethodOptionsSchema, { deprecated: more.deprecated ?? false });
    setExtension(options, http, create(HttpRuleSchema, rule));
    const type = `.${pkg}.Item`;
    const serverStreaming = more.streams ?? false;
    return { name: `Do${index + 1}`, inputType: type, outputType: type, options, serverStreaming };
  });
  const imports = [
    file_google_api_annotations,
    file_google_protobuf_timestamp,
    file_google_protobuf_duration,
  ];
  const file = create(FileDescriptorProtoSchema, {
    name: 'shop/v1/shop.proto',
    package: pkg,
    syntax: 'proto3',
    dependency: imports.map((one) => one.proto.name),
    messageType: messagesOf(pkg),
    enumType: [{ name: 'Side', value: [{ name: 'SIDE_UNSPECIFIED', number: 0 }] }],
    service: [{ name: 'Shop', method }],
  });
  const known = [...imports, ...file_google_api_annotations.dependencies];
  const registry = createFileRegistry(
    file,
    (name) => known.find((one) => one.proto.name === name)?.proto,
  );
  return registry.getService(`${pkg}.Shop`) as DescService;
}

function documentOf(...rules: Rule[]): Json {
  return openapi([shop(rules)], new Map(), INFO);
}

function get(path: string) {
  return { pattern: { case: 'get', value: path } } satisfies Rule;
}

async function assertValid(document: Json): Promise<void> {
  const output = await validate(
    'https://spec.openapis.org/oas/3.1/schema-base',
    JSON.parse(JSON.stringify(document)),
    'BASIC',
  );
  assert.ok(output.valid, JSON.stringify(output, undefined, 1));
}

test('every kind of field has the form of its JSON', async () => {
  const document = documentOf(get('/v1/items'));
  await assertValid(document);
  const { properties } = document.components.schemas.Item;
  assert.deepEqual(properties.big, { type: 'string', format: 'int64' });
  assert.equal(properties.whole.minimum, 0);
  assert.deepEqual(properties.ratio, { type: 'number', format: 'double' });
  assert.deepEqual(properties.raw, { type: 'string', contentEncoding: 'base64' });
  assert.equal(properties.lasts.type, 'string');
  assert.deepEqual(properties.tags, { type: 'array', items: { type: 'string' } });
  assert.deepEqual(properties.counts, {
    type: 'object',
    additionalProperties: { type: 'string', format: 'int64' },
  });
  assert.deepEqual(properties.inner, { $ref: '#/components/schemas/Inner' });
});

test('a query holds what the path does not, dotted for nested fields', () => {
  const { parameters, requestBody } = documentOf(get('/v1/items/{item_id}')).paths[
    '/v1/items/{item_id}'
  ].get;
  assert.equal(requestBody, undefined);
  assert.deepEqual(parameters[0], {
    name: 'item_id',
    in: 'path',
    required: true,
    schema: { type: 'string' },
  });
  const query = parameters.slice(1).map((one: Json) => [one.in, one.name, one.required].join());
  // A message inside itself and a list of messages have no end and no form in a query.
  assert.deepEqual(
    query,
    ['big', 'whole', 'ratio', 'raw', 'at', 'lasts', 'side', 'tags', 'inner.shelf'].map(
      (name) => `query,${name},`,
    ),
  );
});

test('the variables of a template lose their patterns', () => {
  const { paths } = documentOf(get('/v1/{item_id=items/*}/in/{inner.shelf}:find'));
  const [path = ''] = Object.keys(paths);
  assert.equal(path, '/v1/{item_id}/in/{inner.shelf}:find');
  const names = paths[path].get.parameters.filter((one: Json) => one.in === 'path');
  assert.deepEqual(
    names.map((one: Json) => one.name),
    ['item_id', 'inner.shelf'],
  );
});

test('body "*" holds everything but what the path holds', async () => {
  const document = documentOf({
    pattern: { case: 'post', value: '/v1/items/{item_id}' },
    body: '*',
  });
  await assertValid(document);
  const { parameters, requestBody } = document.paths['/v1/items/{item_id}'].post;
  assert.equal(parameters.length, 1);
  const { properties } = requestBody.content['application/json'].schema;
  assert.equal('item_id' in properties, false);
  assert.equal('big' in properties, true);
});

test('a body of one field leaves the others to the query', () => {
  const { parameters, requestBody } = documentOf({
    pattern: { case: 'patch', value: '/v1/items/{item_id}' },
    body: 'inner',
    responseBody: 'inners',
  }).paths['/v1/items/{item_id}'].patch;
  assert.deepEqual(requestBody.content['application/json'].schema, {
    $ref: '#/components/schemas/Inner',
  });
  const names = parameters.map((one: Json) => one.name);
  assert.ok(names.includes('big'));
  assert.ok(!names.some((name: string) => name.startsWith('inner.')));
});

test('a response body of one field is that field', () => {
  const { responses } = documentOf({ ...get('/v1/items'), responseBody: 'inners' }).paths[
    '/v1/items'
  ].get;
  assert.deepEqual(responses[200].content['application/json'].schema, {
    type: 'array',
    items: { $ref: '#/components/schemas/Inner' },
  });
});

test('additional bindings are routes with an operation id of their own', async () => {
  const document = documentOf({
    ...get('/v1/items/{item_id}'),
    additionalBindings: [
      { pattern: { case: 'delete', value: '/v1/items/{item_id}' } },
      { pattern: { case: 'custom', value: { kind: 'HEAD', path: '/v1/items' } } },
    ],
  });
  await assertValid(document);
  const { paths } = document;
  assert.equal(paths['/v1/items/{item_id}'].get.operationId, 'Shop_Do1');
  assert.equal(paths['/v1/items/{item_id}'].delete.operationId, 'Shop_Do12');
  assert.equal(paths['/v1/items'].head.operationId, 'Shop_Do13');
});

test('a stream has no REST route, a verb that OpenAPI does not know neither', () => {
  const streams = shop([get('/v1/items')], { streams: true });
  const { paths }: Json = openapi([streams], new Map(), INFO);
  assert.deepEqual(paths, {});
  const odd: Rule = { pattern: { case: 'custom', value: { kind: 'BREW', path: '/v1/items' } } };
  assert.deepEqual(documentOf(odd).paths, {});
});

test('what is deprecated says so', () => {
  const old = shop([get('/v1/items')], { deprecated: true });
  const { paths }: Json = openapi([old], new Map(), INFO);
  assert.equal(paths['/v1/items'].get.deprecated, true);
});

test('a comment of one sentence is a summary, one without a full stop as well', () => {
  const about = (text: string): Json => {
    const service = shop([get('/v1/items')]);
    const { paths }: Json = openapi([service], new Map([['shop.v1.Shop.Do1', text]]), INFO);
    const { summary, description } = paths['/v1/items'].get;
    return [summary, description];
  };
  assert.deepEqual(about('Does it.'), ['Does it', undefined]);
  assert.deepEqual(about('Does it'), ['Does it', undefined]);
  assert.deepEqual(about('Does v1.2 of it. Well.'), ['Does v1.2 of it', 'Well.']);
  assert.deepEqual(about('Does it\n\nWell.'), ['Does it', 'Well.']);
  assert.deepEqual(about('Does\n- one\n- two'), ['Does', '- one\n- two']);
});

test('types of the same name keep their packages apart', () => {
  const item = shop([get('/v1/items')]);
  const other = shop([get('/v2/items')], { pkg: 'shop.v2' });
  const { paths, components }: Json = openapi([item, other], new Map(), INFO);
  assert.equal(Object.keys(paths).length, 2);
  assert.deepEqual(Object.keys(components.schemas), [
    'Status',
    'shop.v1.Inner',
    'shop.v1.Item',
    'shop.v1.Side',
    'shop.v2.Inner',
    'shop.v2.Item',
    'shop.v2.Side',
  ]);
  assert.deepEqual(components.schemas['shop.v2.Item'].properties.inner, {
    $ref: '#/components/schemas/shop.v2.Inner',
  });
});

test('a route that is wrong is refused', () => {
  assert.throws(() => documentOf(get('/v1/{nothing}')), /shop\.v1\.Item has no field nothing/);
  assert.throws(
    () => documentOf(get('/v1/items'), get('/v1/items')),
    /GET \/v1\/items leads to two methods/,
  );
});

test('well-known types are written where they are used', () => {
  const { schemas } = documentOf(get('/v1/items')).components;
  assert.deepEqual(Object.keys(schemas), ['Inner', 'Item', 'Side', 'Status']);
  assert.deepEqual(schemas.Item.properties.at, { type: 'string', format: 'date-time' });
});
