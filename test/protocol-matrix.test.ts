/** The same calls over REST on HTTP/1.1 and HTTP/2, gRPC and gRPC-Web: the same answers. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { toJson } from '@bufbuild/protobuf';
import { isWellFormedSecret } from '../src/domain/secret.ts';
import {
  MDPermission_QuoteLevel as Level,
  type TokenDetailsResponse,
  TokenDetailsResponseSchema,
} from '../src/gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { HealthCheckResponse_ServingStatus as Serving } from '../src/gen/health/v1/health_pb.js';
import { failureOf } from './clients/client.ts';
import { Four, inEach } from './clients/four.ts';
import { startHere } from './start.ts';
import { claimsOf } from './steps.ts';
import { lineOf } from './wait.ts';

const server = await startHere();
const four = new Four(server);
after(async () => {
  await four[Symbol.asyncDispose]();
  await server.stop();
});

/** The secret of the demo key with this label. */
function secretOf(label: string): string {
  const key = server.server.demoKeys.find((each) => each.label === label);
  assert.ok(key);
  return key.secret;
}

function asJson(details: TokenDetailsResponse) {
  const options = { alwaysEmitImplicit: true, useProtoFieldName: true };
  return toJson(TokenDetailsResponseSchema, details, options);
}

function instant(seconds: unknown): string {
  return new Date(Number(seconds) * 1000).toISOString().replace('.000Z', 'Z');
}

/** The documented example, with this token's times. */
function example(token: string) {
  const { iat, exp } = claimsOf(token);
  return {
    created_at: instant(iat),
    expires_at: instant(exp),
    md_permissions: [
      { quote_level: 'QUOTE_LEVEL_DEPTH_OF_MARKET', delay_minutes: 0, mic: '#RBRD' },
      { quote_level: 'QUOTE_LEVEL_DEPTH_OF_MARKET', delay_minutes: 0, mic: '#WWCP' },
    ],
    account_ids: ['1899011'],
    readonly: false,
  };
}

inEach(four.all, 'the demo key answers the documented example', async (client) => {
  const token = await client.auth(server.secret);
  const { message, text } = await client.tokenDetails(token);
  assert.deepEqual(asJson(message), example(token));
  // The very text: names, their order, zero values printed and unset oneof members left out.
  if (client.protocol === 'rest') assert.equal(text, JSON.stringify(example(token)));
});

inEach(four.all, 'a session lives 15 minutes and 3 seconds, in whole seconds', async (client) => {
  const beforeMs = Date.now();
  const token = await client.auth(server.secret);
  const { createdAt, expiresAt } = (await client.tokenDetails(token)).message;
  assert.ok(createdAt && expiresAt);
  assert.equal(expiresAt.seconds - createdAt.seconds, 903n);
  assert.deepEqual([createdAt.nanos, expiresAt.nanos], [0, 0]);
  const madeMs = Number(createdAt.seconds) * 1000;
  assert.ok(madeMs >= beforeMs - 1000 && madeMs <= Date.now());
});

inEach(four.all, 'the readonly key says so, and reaches the same account', async (client) => {
  const token = await client.auth(secretOf('readonly'));
  const { message } = await client.tokenDetails(token);
  assert.deepEqual(asJson(message), { ...example(token), readonly: true });
});

inEach(
  four.all,
  'a key without an account signs in, and its token is not found',
  async (client) => {
    const token = await client.auth(secretOf('no account'));
    const failure = await failureOf(client.tokenDetails(token));
    assert.equal(failure.code, 5);
    assert.equal(failure.reason, 'ACCOUNT_NOT_IN_TOKEN');
    assert.deepEqual(failure.localized, { locale: 'ru', message: 'Счёт не был найден в токене' });
    if (client.protocol === 'rest') assert.equal(failure.httpStatus, 404);
  },
);

test('that failure is the same over all protocols', async () => {
  const token = await four.grpc.auth(secretOf('no account'));
  const failures = await Promise.all(four.all.map((c) => failureOf(c.tokenDetails(token))));
  for (const failure of failures) assert.deepEqual(failure.status, failures[0]?.status);
});

inEach(four.all, 'the key of every level has all levels and conditions', async (client) => {
  const token = await client.auth(secretOf('every quote level'));
  const { message } = await client.tokenDetails(token);
  const rows = message.mdPermissions.map(({ quoteLevel, delayMinutes, condition }) => [
    Level[quoteLevel],
    delayMinutes,
    condition.case,
    condition.value,
  ]);
  assert.deepEqual(rows, [
    ['DEPTH_OF_BOOK', 0, 'mic', 'XNAS'],
    ['ACCESS_FORBIDDEN', 0, 'mic', '_SPBZ'],
    ['DEPTH_OF_MARKET', 0, 'country', 'RU'],
    ['BEST_BID_OFFER', 15, 'continent', 'EU'],
    ['LAST_PRICE', 20, 'worldwide', true],
  ]);
  assert.deepEqual(message.accountIds, ['TRQD05:146559']);
});

test('what a token says is the same over all protocols, and again', async () => {
  const token = await four.web.auth(secretOf('every quote level'));
  const answers = await Promise.all(
    [...four.all, ...four.all].map(async (c) => asJson((await c.tokenDetails(token)).message)),
  );
  for (const answer of answers) assert.deepEqual(answer, answers[0]);
});

inEach(four.all, 'every sign-in is a session of its own, and is recorded', async (client) => {
  const tokens = await Promise.all([1, 2, 3].map(() => client.auth(server.secret, 'matrix')));
  const ids = tokens.map((token) => claimsOf(token).jti);
  assert.equal(new Set(ids).size, 3);
  for (const id of ids) {
    const session = await server.server.store.session(id);
    assert.equal(session?.keyId, 'demo');
    assert.equal(session?.sourceAppId, 'matrix');
    assert.equal(session?.remoteAddress, '127.0.0.1');
  }
});

inEach(four.all, 'an authorization that comes along is ignored', async (client) => {
  const other = await client.auth(secretOf('no account'));
  const values = ['', 'nonsense', `Bearer ${other}`, other, 'Basic ZGVtbzpkZW1v', 'Bearer '];
  for (const authorization of values) {
    const options = { metadata: { authorization } };
    const token = await client.auth(server.secret, '', options);
    const { message } = await client.tokenDetails(token, options);
    assert.deepEqual(message.accountIds, ['1899011']);
  }
});

inEach(four.all, 'an answer names its call, and so does its line in the log', async (client) => {
  const token = await client.auth(server.secret);
  const { headers } = await client.tokenDetails(token);
  const line = await lineOf(server.log, headers['x-request-id']);
  assert.equal(line.method, 'TokenDetails');
  assert.equal(line.protocol, client.protocol);
  assert.equal(line.code, 'OK');
  assert.equal(typeof line.ms, 'number');

  const failure = await failureOf(client.tokenDetails('nonsense'));
  const refused = await lineOf(server.log, failure.headers['x-request-id']);
  assert.equal(refused.code, 'UNAUTHENTICATED');
  assert.equal(refused.reason, 'TOKEN_MALFORMED');
});

inEach(four.all, 'the log tells the trace that a call says it is a part of', async (client) => {
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const spanId = 'b7ad6b7169203331';
  const lineWith = async (metadata: Record<string, string>) => {
    const { headers } = await failureOf(client.tokenDetails('nonsense', { metadata }));
    return lineOf(server.log, headers['x-request-id']);
  };
  const line = await lineWith({ traceparent: `00-${traceId}-${spanId}-01`, tracestate: 'a=b' });
  assert.deepEqual([line.traceId, line.spanId], [traceId, spanId]);
  for (const metadata of [{}, { traceparent: `00-${'0'.repeat(32)}-${spanId}-01` }]) {
    const bare = await lineWith(metadata);
    assert.equal('traceId' in bare || 'spanId' in bare, false);
  }
});

inEach(four.all, "a caller's own request id is kept if it looks like one", async (client) => {
  const own = `own-${client.protocol}-${client.name.length}:1.2_3`;
  const metadata = { 'x-request-id': own };
  const failure = await failureOf(client.tokenDetails('nonsense', { metadata }));
  assert.equal(failure.headers['x-request-id'], own);
  assert.equal((await lineOf(server.log, own)).code, 'UNAUTHENTICATED');
  for (const odd of ['x'.repeat(65), 'two words', 'a"b', 'a,b']) {
    const refused = failureOf(client.tokenDetails('x', { metadata: { 'x-request-id': odd } }));
    assert.match((await refused).headers['x-request-id'] ?? '', /^[\w-]{12}$/);
  }
});

inEach(four.all, 'a source_app_id that cannot be kept names its field', async (client) => {
  assert.ok(await client.auth(server.secret, 'a'.repeat(256)));
  for (const [text, description] of [
    ['a'.repeat(257), 'takes at most 256 characters'],
    ['a\0', 'holds the character U+0000'],
  ] as const) {
    const failure = await failureOf(client.auth(server.secret, text));
    assert.equal(failure.code, 3);
    assert.equal(failure.reason, 'INVALID_REQUEST');
    assert.deepEqual(failure.detail('BadRequest')?.field_violations, [
      { field: 'source_app_id', description, reason: '' },
    ]);
  }
});

inEach(four.streaming, 'health says that the server and its service take calls', async (client) => {
  assert.equal(await client.check(''), Serving.SERVING);
  assert.equal(await client.check('grpc.tradeapi.v1.auth.AuthService'), Serving.SERVING);
  assert.equal((await failureOf(client.check('no.such.Service'))).code, 5);
});

test('the demo secrets are different, and of our form', () => {
  const secrets = server.server.demoKeys.map((key) => key.secret);
  assert.equal(new Set(secrets).size, 5);
  for (const secret of secrets) assert.ok(isWellFormedSecret(secret));
});
