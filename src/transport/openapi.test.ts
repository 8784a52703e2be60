import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { validate } from '@hyperjump/json-schema/openapi-3-1';
import { AuthService } from '../gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { UsageMetricsService } from '../gen/grpc/tradeapi/v1/metrics/usage_metrics_service_pb.js';
import { ClientService } from '../gen/propusk/admin/v1/client_service_pb.js';
import { readComments } from './comments.ts';
import { openapi } from './openapi.ts';

// biome-ignore lint/suspicious/noExplicitAny: a document is looked into by path
type Json = any;

const INFO = { title: 'Propusk', version: '1.2.3' };
const COMMENTS = readComments(readFileSync(new URL('../gen/contract.binpb', import.meta.url)));

function contract(): Json {
  return openapi([AuthService, UsageMetricsService], COMMENTS, INFO);
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
  assert.deepEqual(Object.keys(paths), ['/v1/sessions', '/v1/sessions/details', '/v1/usage']);
  assert.deepEqual(Object.keys(paths['/v1/sessions/details']), ['post']);
});

test('the text comes from the proto comments', () => {
  const { paths, tags, components } = contract();
  const { summary, description } = paths['/v1/sessions/details'].post;
  assert.match(summary, /^Tells what a session token may do: .* readonly or not$/);
  assert.match(description, /^The token travels in the body, not in the URL\. Answers what/);
  assert.match(tags[0].description, /^Sign-in with an API secret/);
  const { properties } = components.schemas.TokenDetailsResponse;
  assert.equal(
    properties.account_ids.description,
    'The accounts that the token reaches, in a stable order.',
  );
});

test('schemas have the names and forms of the JSON on the wire', () => {
  const { TokenDetailsResponse, MDPermission } = contract().components.schemas;
  const { properties } = TokenDetailsResponse;
  assert.deepEqual(Object.keys(properties), [
    'created_at',
    'expires_at',
    'md_permissions',
    'account_ids',
    'readonly',
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
  assert.deepEqual(Object.keys(responses[401].content['application/json'].examples), [
    'SECRET_INVALID',
  ]);
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

test("the head of the document is the caller's", () => {
  const { info, openapi: version }: Json = contract();
  assert.deepEqual(info, INFO);
  assert.match(version, /^3\.1\./);
});

test('a method that asks for the authorization header says so, others do not', () => {
  const { paths, components } = contract();
  assert.deepEqual(paths['/v1/usage'].get.security, [{ token: [] }]);
  assert.equal(components.securitySchemes.token.scheme, 'bearer');
  assert.equal(components.securitySchemes.operator, undefined);
  assert.equal(paths['/v1/sessions/details'].post.security, undefined);
});

test('a method for operators asks for the token of one', () => {
  const { paths, components }: Json = openapi([ClientService], new Map(), INFO);
  const { security, responses } = paths['/admin/v1/clients/{id}'].get;
  assert.deepEqual(security, [{ operator: [] }]);
  assert.deepEqual(Object.keys(components.securitySchemes), ['operator']);
  for (const status of [401, 403, 404]) assert.ok(status in responses, String(status));
  assert.ok('/admin/v1/clients/{client.id}' in paths);
});
