/** Failures of authentication look alike, whatever the protocol and whatever is wrong. */
import assert from 'node:assert/strict';
import { createSecretKey, randomBytes } from 'node:crypto';
import { after, test } from 'node:test';
import { formatSecret } from '../src/domain/secret.ts';
import { signToken } from '../src/domain/token.ts';
import { type CallFailure, type Client, failureOf } from './clients/client.ts';
import { Four, inEach } from './clients/four.ts';
import { startHere } from './start.ts';
import { claimsOf, revokeKey, revokeSession, StepClock } from './steps.ts';
import { lineOf } from './wait.ts';

const SENTENCE = 'Срок действия токена истек или токен недействителен';
const clock = new StepClock();
const server = await startHere([], { clock });
const four = new Four(server);
after(async () => {
  await four[Symbol.asyncDispose]();
  await server.stop();
});

/** What every refused token, or every refused secret, must look like. */
function expected(reason: string, message: string) {
  return {
    code: 16,
    message,
    details: [
      {
        '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
        reason,
        domain: 'propusk',
        metadata: {},
      },
      {
        '@type': 'type.googleapis.com/google.rpc.LocalizedMessage',
        locale: 'ru',
        message: SENTENCE,
      },
    ],
  };
}

const BAD_TOKEN = expected(
  'TOKEN_INVALID',
  'the token is malformed, forged, expired, revoked or empty; sign in again',
);
const BAD_SECRET = expected(
  'SECRET_INVALID',
  'the secret is unknown, revoked, expired or empty; check the API key',
);

function assertAlike(failure: CallFailure, status: unknown, what: string): void {
  assert.deepEqual(failure.status, status, what);
  assert.equal(failure.headers['retry-after'], undefined);
  assert.equal(failure.headers['grpc-retry-pushback-ms'], undefined);
  if (failure.httpStatus !== undefined) assert.equal(failure.httpStatus, 401);
}

/** The refusal of a token, after a look at its line in the log. */
async function refused(client: Client, token: string, logReason: string): Promise<void> {
  const failure = await failureOf(client.tokenDetails(token));
  assertAlike(failure, BAD_TOKEN, logReason);
  const line = await lineOf(server.log, failure.headers['x-request-id']);
  assert.equal(line.reason, logReason);
  assert.equal(line.code, 'UNAUTHENTICATED');
}

async function refusedSecret(client: Client, secret: string, logReason: string): Promise<void> {
  const failure = await failureOf(client.auth(secret));
  assertAlike(failure, BAD_SECRET, logReason);
  const line = await lineOf(server.log, failure.headers['x-request-id']);
  assert.equal(line.reason, logReason);
}

/** The secret of the demo key with this id. */
function secretOf(id: string): string {
  const key = server.server.demoKeys.find((each) => each.id === id);
  assert.ok(key);
  return key.secret;
}

inEach(four.all, 'an empty, malformed or forged token', async (client) => {
  const good = await client.auth(server.secret);
  const [header, payload, signature = ''] = good.split('.');
  const forged = signToken(
    { clientId: 'demo', sessionId: 'x', keyId: 'demo', issuedAt: 1, expiresAt: 9_999_999_999 },
    { id: JSON.parse(atob(header ?? '')).kid, key: createSecretKey(randomBytes(32)) },
  );
  await refused(client, '', 'TOKEN_EMPTY');
  await refused(client, ' ', 'TOKEN_MALFORMED');
  await refused(client, 'nonsense', 'TOKEN_MALFORMED');
  await refused(client, `${good}.`, 'TOKEN_MALFORMED');
  await refused(client, 'x'.repeat(5000), 'TOKEN_MALFORMED');
  await refused(client, `Bearer ${good}`, 'TOKEN_FORGED');
  await refused(client, `${header}.${payload}.`, 'TOKEN_FORGED');
  await refused(client, `${header}.${payload}.${signature.slice(1)}`, 'TOKEN_FORGED');
  await refused(client, forged, 'TOKEN_FORGED');
});

inEach(four.all, 'an expired token', async (client) => {
  const token = await client.auth(server.secret);
  const { exp } = claimsOf(token);
  try {
    // As long as there is a millisecond left it is good; at its exp it no longer is.
    const leftMs = exp * 1000 - clock.now();
    clock.offsetMs += leftMs - 2000;
    assert.ok((await client.tokenDetails(token)).message.expiresAt);
    clock.offsetMs += 2000;
    await refused(client, token, 'TOKEN_EXPIRED');
  } finally {
    clock.offsetMs = 0;
  }
});

inEach(four.all, 'an empty, malformed or unknown secret', async (client) => {
  const { secret } = server;
  const changed = secret.slice(0, -1) + (secret.endsWith('0') ? '1' : '0');
  const secrets = ['', ' ', 'nonsense', secret.slice(1), changed, `${secret} `, `${secret}\0`];
  const unknown = formatSecret(randomBytes(20));
  for (const each of [...secrets, unknown, secret.toUpperCase(), 'я'.repeat(1000)]) {
    await refusedSecret(client, each, 'SECRET_UNKNOWN');
  }
});

inEach(four.all, 'a revoked session: the very next call is refused', async (client) => {
  const [token, other] = [await client.auth(server.secret), await client.auth(server.secret)];
  assert.ok(await client.tokenDetails(token));
  await revokeSession(server.server.store, claimsOf(token).jti);
  await refused(client, token, 'SESSION_REVOKED');
  // The key's other sessions live on, and it may open more.
  assert.ok(await client.tokenDetails(other));
  assert.ok(await client.auth(server.secret));
});

test('a session that is revoked through one protocol is refused over all', async () => {
  const token = await four.grpc.auth(server.secret);
  for (const client of four.all) assert.ok(await client.tokenDetails(token));
  await revokeSession(server.server.store, claimsOf(token).jti);
  for (const client of four.all) await refused(client, token, 'SESSION_REVOKED');
});

test('a revoked key: its tokens and its secret are refused by the very next call', async () => {
  const tokens = await Promise.all(four.all.map((client) => client.auth(secretOf('demo-levels'))));
  for (const client of four.all) assert.ok(await client.tokenDetails(tokens[0] ?? ''));
  await revokeKey(server.server.store, 'demo-levels');
  await Promise.all(
    four.all.map(async (client, i) => {
      await refused(client, tokens[i] ?? '', 'KEY_REVOKED');
      await refusedSecret(client, secretOf('demo-levels'), 'KEY_REVOKED');
    }),
  );
  // A key that has no token in any cache is refused just so.
  await revokeKey(server.server.store, 'demo-readonly');
  for (const client of four.all) {
    await refusedSecret(client, secretOf('demo-readonly'), 'KEY_REVOKED');
  }
});

test('a revocation outlives the server', async () => {
  await using other = await startHere();
  await using clients = new Four(other);
  const [token, good] = [
    await clients.rest1.auth(other.secret),
    await clients.rest1.auth(other.secret),
  ];
  await revokeSession(other.server.store, claimsOf(token).jti);
  await other.restart();
  const failure = await failureOf(clients.rest1.tokenDetails(token));
  assertAlike(failure, BAD_TOKEN, 'after a restart');
  assert.ok(await clients.rest1.tokenDetails(good));
});
