import assert from 'node:assert/strict';
import { createSecretKey, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { AppError } from '../domain/errors.ts';
import type { Grant } from '../domain/grant.ts';
import type { MasterKey } from '../domain/master-key.ts';
import { type Claims, signToken, TokenReader } from '../domain/token.ts';
import type { Store } from '../store/store.ts';
import { Admission } from './admission.ts';
import type { Grants } from './grants.ts';

const KEY = { id: 'k', key: createSecretKey(randomBytes(32)) };
const CLAIMS: Claims = {
  clientId: 'c',
  sessionId: 's',
  keyId: 'key',
  issuedAt: 1000,
  expiresAt: 1903,
};
const GRANT: Grant = {
  keyId: 'key',
  clientId: 'c',
  refusal: null,
  readonly: false,
  keyReadonly: false,
  readonlyAccountIds: [],
  accountIds: ['a'],
  permissions: [],
  callsMax: {},
  sourceNetworks: [],
  previousSecretEndsAtMs: null,
  changesAtMs: Number.POSITIVE_INFINITY,
};

/** The key of each secret's HMAC. */
const SECRETS = new Map([['mac of good', 'key']]);

/** Admission over grants that the test decides. */
function make(tokensCachedMax = 10) {
  const state = {
    nowMs: 1_000_000,
    grant: GRANT as Grant | undefined | Promise<Grant | undefined>,
    revoked: new Set<string>(),
    reads: 0,
    /** The key of the good secret, where that is held. */
    held: undefined as string | undefined,
    asked: 0,
  };
  const reader = new TokenReader([KEY]);
  const counting = {
    read: (token: string) => {
      state.reads++;
      return reader.read(token);
    },
  } as TokenReader;
  const grants = {
    of: () => state.grant,
    isSessionRevoked: (id: string) => state.revoked.has(id),
    keyIdOfSecret: (mac: string) => (SECRETS.has(mac) ? state.held : undefined),
  } as unknown as Grants;
  const clock = { now: () => state.nowMs, monotonic: () => state.nowMs };
  const keyIdOfSecret = async (mac: string) => {
    state.asked++;
    return SECRETS.get(mac);
  };
  const store = { keyIdOfSecret } as unknown as Store;
  const masterKey = { macOfSecret: (secret: string) => `mac of ${secret}` } as MasterKey;
  const parts = { reader: counting, grants, store, masterKey, clock, tokensCachedMax };
  return { state, admission: new Admission(parts) };
}

function token(change: Partial<Claims> = {}): string {
  return signToken({ ...CLAIMS, ...change }, KEY);
}

/** The reason for the log; what the caller sees is always the same. */
async function refusalOf(admission: Admission, text: string): Promise<string | undefined> {
  const error = await Promise.try(() => admission.ofToken(text)).then(
    () => assert.fail('the token was admitted'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof AppError);
  assert.equal(error.reason, 'TOKEN_INVALID');
  assert.equal(
    error.message,
    'the token is malformed, forged, expired, revoked or empty; sign in again',
  );
  return error.options.logReason;
}

test('a good token is admitted with its claims and grant', async () => {
  const { admission } = make();
  assert.deepEqual(await admission.ofToken(token()), { claims: CLAIMS, grant: GRANT });
});

test('what is wrong is for the log alone', async () => {
  const { admission, state } = make();
  assert.equal(await refusalOf(admission, ''), 'TOKEN_EMPTY');
  assert.equal(await refusalOf(admission, 'x'), 'TOKEN_MALFORMED');
  assert.equal(await refusalOf(admission, `${token()}x`), 'TOKEN_FORGED');
  state.grant = { ...GRANT, refusal: 'KEY_REVOKED' };
  assert.equal(await refusalOf(admission, token()), 'KEY_REVOKED');
  state.grant = { ...GRANT, refusal: 'KEY_EXPIRED' };
  assert.equal(await refusalOf(admission, token()), 'KEY_EXPIRED');
  state.grant = undefined;
  assert.equal(await refusalOf(admission, token()), 'KEY_UNKNOWN');
});

test('claims that were admitted are looked at again, but for their time', async () => {
  const { admission, state } = make();
  state.nowMs = (CLAIMS.expiresAt + 1) * 1000;
  assert.deepEqual(await admission.ofClaims(CLAIMS), { claims: CLAIMS, grant: GRANT });
  const refused = async (logReason: string) => {
    await assert.rejects(admission.ofClaims(CLAIMS), (error: AppError) => {
      assert.equal(error.reason, 'TOKEN_INVALID');
      assert.equal(error.options.logReason, logReason);
      return true;
    });
  };
  state.revoked.add(CLAIMS.sessionId);
  await refused('SESSION_REVOKED');
  state.revoked.clear();
  state.grant = { ...GRANT, refusal: 'KEY_REVOKED' };
  await refused('KEY_REVOKED');
  state.grant = Promise.resolve(undefined);
  await refused('KEY_UNKNOWN');
});

test('a token is good up to its exp, and not at it, also when it was seen before', async () => {
  const { admission, state } = make();
  state.nowMs = 1_902_999;
  assert.ok(await admission.ofToken(token()));
  state.nowMs = 1_903_000;
  assert.equal(await refusalOf(admission, token()), 'TOKEN_EXPIRED');
  state.nowMs = 1_902_999;
  assert.ok(await admission.ofToken(token()), 'a clock that was set back');
});

test('a revocation counts although the token was seen before', async () => {
  const { admission, state } = make();
  assert.ok(await admission.ofToken(token()));
  state.revoked.add('s');
  assert.equal(await refusalOf(admission, token()), 'SESSION_REVOKED');
});

test('what happens while the grant is looked up counts', async () => {
  for (const [change, expected] of [
    [(state: ReturnType<typeof make>['state']) => state.revoked.add('s'), 'SESSION_REVOKED'],
    [
      (state: ReturnType<typeof make>['state']) => {
        state.nowMs = 1_903_000;
      },
      'TOKEN_EXPIRED',
    ],
  ] as const) {
    const { admission, state } = make();
    const look = Promise.withResolvers<Grant>();
    state.grant = look.promise;
    const refusal = refusalOf(admission, token());
    change(state);
    look.resolve(GRANT);
    assert.equal(await refusal, expected);
  }
});

test('a genuine token is checked once; others are checked each time', async () => {
  const { admission, state } = make();
  for (let i = 0; i < 3; i++) await admission.ofToken(token());
  assert.equal(state.reads, 1);
  for (let i = 0; i < 3; i++) await refusalOf(admission, 'x');
  assert.equal(state.reads, 4);
});

test('only so many tokens are remembered; the oldest goes first', async () => {
  const { admission, state } = make(2);
  const [a, b, c] = ['a', 'b', 'c'].map((sessionId) => token({ sessionId }));
  for (const each of [a, b, c, b, c]) await admission.ofToken(each ?? '');
  assert.equal(state.reads, 3);
  await admission.ofToken(a ?? '');
  assert.equal(state.reads, 4);
});

test('whose secret it is tells what is held, and else the store', async () => {
  const { admission, state } = make();
  const caller = { claims: undefined, grant: GRANT, secretMac: 'mac of good' };
  assert.deepEqual(await admission.ofSecret('good', '192.0.2.1'), caller);
  assert.equal(state.asked, 1);
  state.held = 'key';
  assert.deepEqual(admission.ofSecret('good', '192.0.2.1'), caller, 'without a promise');
  assert.equal(state.asked, 1);
});

test('a secret is refused for what its key may not do, whether it is held or not', async () => {
  const { admission, state } = make();
  const refused = async (logReason: string, secret = 'good') => {
    const opening = Promise.try(() => admission.ofSecret(secret, '192.0.2.1'));
    await assert.rejects(opening, (error: AppError) => {
      assert.equal(error.reason, 'SECRET_INVALID');
      assert.equal(error.options.logReason, logReason);
      return true;
    });
  };
  for (const held of [undefined, 'key']) {
    state.held = held;
    await refused('SECRET_UNKNOWN', 'nobody has it');
    state.grant = { ...GRANT, sourceNetworks: ['198.51.100.0/24'] };
    await refused('SOURCE_NOT_ALLOWED');
    state.grant = { ...GRANT, refusal: 'KEY_REVOKED' };
    await refused('KEY_REVOKED');
    state.grant = Promise.resolve(undefined);
    await refused('KEY_UNKNOWN');
    state.grant = GRANT;
  }
});
