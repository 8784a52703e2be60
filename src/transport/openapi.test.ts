import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  create,
  createFileRegistry,
  type DescService,
  type MessageInitShape,
  setExtension,
} from '@bufbuild/protobuf';
import {
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  FileDescriptorProtoSchema,
  file_google_protobuf_duration,
  file_google_protobuf_timestamp,
  MethodOptionsSchema,
} from '@bufbuild/protobuf/wkt';
import { validate } from '@hyperjump/json-schema/openapi-3-1';
import { file_google_api_annotations, http } from '../gen/google/api/annotations_pb.js';
import { HttpRuleSchema } from '../gen/google/api/http_pb.js';
import { AuthService } from '../gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { readComments } from './comments.ts';
import { openapi } from './openapi.ts';

// biome-ignore lint/suspicious/noExplicitAny: a document is looked into by path
type Json = any;
type Rule = MessageInitShape<typeof HttpRuleSchema>;

const INFO = { title: 'Propusk', version: '1.2.3' };
const COMMENTS = readComments(
  readFileSync(new URL('../gen/contract.binpb', import.meta.url)),
);

function contract(): Json {
  return openapi([AuthService], COMMENTS, INFO);
}

interface ShopOptions {
  readonly pkg?: string;
  readonly streams?: boolean;
  readonly deprecated?: boolean;
}

/** A service with one method per rule, over a message that has every kind of field. */
function shop(rules: readonly Rule[], more: ShopOptions = {}): DescService {
  const pkg = more.pkg ?? 'shop.v1';
  const method = rules.map((rule, index) => {
    const options = create(MethodOptionsSchema, { deprecated: more.deprecated ?? false });
    setExtension(options, http, create(HttpRuleSchema, rule));
    const name = `Do${index + 1}`;
    return {
      name,
      inputType: `.${pkg}.Item`,
      outputType: `.${pkg}.Item`,
      options,
      serverStreaming: more.streams ?? false,
    };
  });
  const list = Label.REPEATED;
  const inner = { type: Type.MESSAGE, typeName: `.${pkg}.Inner` };
  const field = [
    { name: 'item_id', type: Type.STRING },
    { name: 'big', type: Type.INT64 },
    { name: 'whole', type: Type.UINT32 },
    { name: 'ratio', type: Type.DOUBLE },
    { name: 'raw', type: Type.BYTES },
    { name: 'at', type: Type.MESSAGE, typeName: '.google.protobuf.Timestamp' },
    { name: 'lasts', type: Type.MESSAGE, typeName: '.google.protobuf.Duration' },
    { name: 'side', type: Type.ENUM, typeName: `.${pkg}.Side` },
    { name: 'tags', type: Type.STRING, label: list },
    { name: 'inner', ...inner },
    { name: 'inners', ...inner, label: list },
    { name: 'counts', type: Type.MESSAGE, typeName: `.${pkg}.Item.CountsEntry`, label: list },
  ];
  const counts = {
    name: 'CountsEntry',
    field: [
      { name: 'key', number: 1, type: Type.STRING, label: Label.OPTIONAL },
      { name: 'value', number: 2, type: Type.INT64, label: Label.OPTIONAL },
    ],
    options: { mapEntry: true },
  };
  const numbered = field.map((one, i) => ({ label: Label.OPTIONAL, ...one, number: i + 1 }));
  const file = create(FileDescriptorProtoSchema, {
    name: 'shop/v1/shop.proto',
    package: pkg,
    syntax: 'proto3',
    dependency: [
      file_google_api_annotations.proto.name,
      file_google_protobuf_timestamp.proto.name,
      file_google_protobuf_duration.proto.name,
    ],
    messageType: [
      { name: 'Item', field: numbered, nestedType: [counts] },
      {
        name: 'Inner',
        field: [
          { name: 'shelf', number: 1, type: Type.STRING, label: Label.OPTIONAL },
          { name: 'inner', number: 2, ...inner, label: Label.OPTIONAL },
        ],
      },
    ],
    enumType: [{ name: 'Side', value: [{ name: 'SIDE_UNSPECIFIED', number: 0 }] }],
    service: [{ name: 'Shop', method }],
  });
  const known = [
    file_google_api_annotations,
    file_google_protobuf_timestamp,
    file_google_protobuf_duration,
    ...file_google_api_annotations.dependencies,
  ];
  const registry = createFileRegistry(file, (name) =>
    known.find((one) => one.proto.name === name)?.proto,
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

/** Every `$ref` of a document. */
function refsOf(node: unknown): string[] {
  if (typeof node !== 'object' || node === null) return [];
  return Object.entries(node).flatMap(([key, value]) =>
    key === '$ref' ? [String(value)] : refsOf(value),
  );
}

test('the document is valid OpenAPI 3.1, and its references lead somewhere', async () => {
  const document = contract();
  await assertValid(document);
  const refs = refsOf(document).map((ref) => ref.replace('#/components/schemas/', ''));
  assert.ok(refs.length > 0);
  for (const ref of refs) assert.ok(ref in document.components.schemas, ref);
});

test('the meta-schema tells a document that is not valid', async () => {
  const document = structuredClone(contract());
  document.components.schemas.Status.type = 'objekt';
  await assert.rejects(assertValid(document));
});

test('a method with a route is there, one without is not', () => {
  const { paths } = contract();
  assert.deepEqual(Object.keys(paths), ['/v1/sessions', '/v1/sessions/details']);
  assert.deepEqual(Object.keys(paths['/v1/sessions/details']), ['post']);
});

test('the text comes from the proto comments', () => {
  const { paths, tags, components } = contract();
  const { summary, description } = paths['/v1/sessions/details'].post;
  assert.match(summary, /^Tells what a session token may do: .* readonly or not$/);
  assert.match(description, /^The token travels in the body, not in the URL\. Answers what/);
  assert.match(tags[0].description, /^Sign-in with an API secret/);
  const { properties } = components.schemas.TokenDetailsResponse;
  assert.equal(properties.account_ids.description, 'The accounts that the token reaches, in a stable order.');
});

test('schemas have the names and forms of the JSON on the wire', () => {
  const { TokenDetailsResponse, MDPermission } = contract().components.schemas;
  const { properties } = TokenDetailsResponse;
  assert.deepEqual(Object.keys(properties), [
    'created_at', 'expires_at', 'md_permissions', 'account_ids', 'readonly',
  ]);
  assert.equal(properties.created_at.type, 'string');
  assert.equal(properties.created_at.format, 'date-time');
  assert.deepEqual(properties.md_permissions.items, { $ref: '#/components/schemas/MDPermission' });
  assert.equal(TokenDetailsResponse.required, undefined);
  assert.equal(MDPermission.properties.delay_minutes.format, 'int32');
});

test('enums are strings, each value with its comment', () => {
  const level = contract().components.schemas['MDPermission.QuoteLevel'];
  assert.equal(level.type, 'string');
  assert.equal(level.enum[0], 'QUOTE_LEVEL_UNSPECIFIED');
  assert.equal(level.enum.length, 6);
  assert.match(level.description, /- `QUOTE_LEVEL_LAST_PRICE`: The last price only\./);
});

test('the members of a oneof say so', () => {
  const { description, properties } = contract().components.schemas.MDPermission;
  assert.match(description, /At most one of `mic`, `country`, `continent`, `worldwide` is set/);
  assert.match(description, /Where the permission holds\.$/);
  assert.match(properties.mic.description, /Excludes `country`, `continent`, `worldwide`\.$/);
  assert.doesNotMatch(properties.delay_minutes.description, /Excludes/);
});

test('the answers are the documented ones, in the documented words', () => {
  const { responses } = contract().paths['/v1/sessions/details'].post;
  const words = Object.fromEntries(
    Object.entries<Json>(responses).map(([status, { description }]) => [status, description]),
  );
  assert.deepEqual(words, {
    200: 'A successful response.',
    400: 'Bad Request: `INVALID_REQUEST`',
    401: 'Срок действия токена истек или токен недействителен',
    404: 'Счёт не был найден в токене',
    429: 'Слишком много запросов. Доступный лимит - 200 запросов в минуту',
    500: 'Внутренняя ошибка сервиса. Попробуйте позже',
    503: 'Сервис на данный момент не доступен. Попробуйте позже',
    504: 'Крайний срок истек до завершения операции',
    default: 'An unexpected error response.',
  });
});

test('the methods of one service differ in their answers', () => {
  const { responses } = contract().paths['/v1/sessions'].post;
  assert.equal('404' in responses, false);
  assert.deepEqual(Object.keys(responses[401].content['application/json'].examples), ['SECRET_INVALID']);
});

test('each failure has the body that callers get', () => {
  const { responses } = contract().paths['/v1/sessions/details'].post;
  const { schema, examples } = responses[404].content['application/json'];
  assert.deepEqual(schema, { $ref: '#/components/schemas/Status' });
  const { code, message, details } = examples.ACCOUNT_NOT_IN_TOKEN.value;
  assert.equal(code, 5);
  assert.equal(message, 'account not in token');
  assert.equal(details[0]['@type'], 'type.googleapis.com/google.rpc.ErrorInfo');
  assert.equal(details[0].reason, 'ACCOUNT_NOT_IN_TOKEN');
  assert.equal(details.at(-1).message, 'Счёт не был найден в токене');
  const limited = responses[429].content['application/json'].examples.RATE_LIMITED.value;
  assert.match(limited.details.at(-1).message, /лимит - 200 запросов/);
  assert.deepEqual(responses.default.content['application/json'].schema, schema);
});

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
  assert.deepEqual(names.map((one: Json) => one.name), ['item_id', 'inner.shelf']);
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

test('the head of the document is the caller\'s', () => {
  const { info, openapi: version }: Json = contract();
  assert.deepEqual(info, INFO);
  assert.match(version, /^3\.1\./);
});

test('well-known types are written where they are used', () => {
  const { schemas } = documentOf(get('/v1/items')).components;
  assert.deepEqual(Object.keys(schemas), ['Inner', 'Item', 'Side', 'Status']);
  assert.deepEqual(schemas.Item.properties.at, { type: 'string', format: 'date-time' });
});
