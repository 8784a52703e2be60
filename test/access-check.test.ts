/** propusk.access.v1.AccessService/Check: every answer, whoever asks, over every protocol. */
import assert from 'node:assert/strict';
import { createSecretKey, randomBytes } from 'node:crypto';
import { after, test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { systemRandom } from '../src/domain/clock.ts';
import { QuoteLevel } from '../src/domain/permission.ts';
import { signToken } from '../src/domain/token.ts';
import {
  AccessService,
  Action,
  CheckRequestSchema,
  type CheckResponse,
} from '../src/gen/propusk/access/v1/access_service_pb.js';
import { openSigningKeys } from '../src/ops/signing-keys.ts';
import { type Asked, check, granted, Holder } from './access-scene.ts';
import { AdministeredServer, OPERATOR_ROLES, SERVE_KEY } from './administration.ts';
import { type Client, failureOf } from './clients/client.ts';
import { inEach } from './clients/four.ts';
import { claimsOf, revokeKey, revokeSession, StepClock, write, writeKey } from './steps.ts';

const clock = new StepClock();
const scene = await AdministeredServer.startWith(
  { clock },
  ...['--operator-failures-max=100000', '--address-calls-max=100000'],
);
after(() => scene[Symbol.asyncDispose]());
const { store } = scene.server;
const service = scene.operators.service.token;

const PERMISSIONS = [
  granted('XNAS', QuoteLevel.DEPTH_OF_BOOK),
  { ...granted('MISX', QuoteLevel.DEPTH_OF_MARKET), delayMinutes: 15 },
  granted('MISX', QuoteLevel.LAST_PRICE),
  granted('#RBRD', QuoteLevel.ACCESS_FORBIDDEN),
];
const NOTHING = { quoteLevel: 0, delayMinutes: 0 };

async function signedIn(...more: [Partial<Parameters<typeof writeKey>[2]>?]) {
  const holder = await Holder.make(store, PERMISSIONS, ...more);
  const token = await scene.outside.rest1.auth(holder.secret);
  return { holder, token };
}

/** Asserts the answer, and that whoever's token it is is told if it is known. */
function assertAnswer(
  answer: CheckResponse,
  { refusal = '', ...rest }: Partial<CheckResponse>,
  token?: string,
): void {
  assert.equal(answer.refusal, refusal);
  assert.equal(answer.allowed, refusal === '');
  assert.equal(answer.message === '', refusal === '', answer.message);
  for (const [name, value] of Object.entries(rest)) {
    assert.equal(answer[name as keyof CheckResponse], value, name);
  }
  const { clientId, keyId, sessionId, expiresAt } = answer;
  const said = [clientId, keyId, sessionId, Number(expiresAt?.seconds ?? 0)];
  const claims = token === undefined ? undefined : claimsOf(token);
  const { sub, key, jti, exp } = claims ?? { sub: '', key: '', jti: '', exp: 0 };
  assert.deepEqual(said, [sub, key, jti, exp]);
}

function asking(client: Client, token: string) {
  return (asked: Asked) => check(client, service, { token, ...asked });
}

inEach(scene.inside.all, 'what a good token may do', async (client) => {
  const { holder, token } = await signedIn();
  const ask = asking(client, token);
  const { trading, readonly: readable } = holder;
  const TRADE = { action: Action.TRADE };
  for (const [asked, expected] of [
    [{}, { readonly: false, ...NOTHING }],
    [TRADE, {}],
    [{ accountId: trading }, {}],
    [{ accountId: trading, action: Action.READ }, {}],
    [{ accountId: trading, ...TRADE }, { readonly: false }],
    [{ accountId: readable }, {}],
    [{ accountId: readable, ...TRADE }, { refusal: 'READONLY_ACCOUNT' }],
    [{ accountId: 'other' }, { refusal: 'ACCOUNT_NOT_IN_TOKEN' }],
    [{ accountId: 'other', ...TRADE }, { refusal: 'ACCOUNT_NOT_IN_TOKEN' }],
    [{ mic: 'XNAS' }, { quoteLevel: QuoteLevel.DEPTH_OF_BOOK, delayMinutes: 0 }],
    [{ mic: 'MISX' }, { quoteLevel: QuoteLevel.DEPTH_OF_MARKET, delayMinutes: 15 }],
    [
      { mic: 'MISX', quoteLevel: QuoteLevel.LAST_PRICE },
      { quoteLevel: QuoteLevel.LAST_PRICE, delayMinutes: 0 },
    ],
    [
      { mic: 'MISX', quoteLevel: QuoteLevel.BEST_BID_OFFER },
      { quoteLevel: QuoteLevel.DEPTH_OF_MARKET, delayMinutes: 15 },
    ],
    [
      { mic: 'MISX', quoteLevel: QuoteLevel.DEPTH_OF_BOOK },
      { refusal: 'QUOTE_LEVEL_TOO_LOW', ...NOTHING },
    ],
    [{ mic: 'XLON' }, { refusal: 'QUOTE_LEVEL_TOO_LOW', ...NOTHING }],
    [{ mic: '#RBRD' }, { refusal: 'ACCESS_FORBIDDEN', ...NOTHING }],
    // All of it must be allowed.
    [
      { mic: 'XNAS', accountId: readable, ...TRADE },
      { refusal: 'READONLY_ACCOUNT', ...NOTHING },
    ],
  ] as [Asked, Partial<CheckResponse>][]) {
    assertAnswer(await ask(asked), expected, token);
  }
});

inEach(scene.inside.all, 'a readonly session reads', async (client) => {
  const byKey = await signedIn({ readonly: true });
  const byAccounts = await signedIn();
  await byAccounts.holder.putAccount({ id: byAccounts.holder.trading, readonly: true });
  for (const { token, holder } of [byKey, byAccounts]) {
    const ask = asking(client, token);
    assertAnswer(await ask({ accountId: holder.trading }), { readonly: true }, token);
    const refused = { refusal: 'READONLY_SESSION', readonly: true };
    assertAnswer(await ask({ action: Action.TRADE }), refused, token);
  }
  const trade = (of: typeof byKey) =>
    asking(client, of.token)({ accountId: of.holder.trading, action: Action.TRADE });
  assertAnswer(await trade(byKey), { refusal: 'READONLY_SESSION' }, byKey.token);
  assertAnswer(await trade(byAccounts), { refusal: 'READONLY_ACCOUNT' }, byAccounts.token);
});

inEach(
  scene.inside.all,
  'a token that is no good is told what is wrong with it',
  async (client) => {
    const ask = (token: string) => check(client, service, { token });
    const { token } = await signedIn();
    for (const none of ['', 'x', 'a.b.c', `${token}x`, `Bearer ${token}`, 'x'.repeat(5000)]) {
      assertAnswer(await ask(none), { refusal: 'TOKEN_INVALID' });
    }
    const claims = { clientId: 'c', sessionId: 's', keyId: 'k', issuedAt: 1, expiresAt: 2 };
    const foreign = { id: 'k', key: createSecretKey(randomBytes(32)) };
    assertAnswer(await ask(signToken(claims, foreign)), { refusal: 'TOKEN_INVALID' });
    const [own] = await openSigningKeys(store, SERVE_KEY, clock, systemRandom);
    assert.ok(own);
    const expired = signToken(claims, own);
    const over = await ask(expired);
    assert.deepEqual(
      [over.refusal, over.clientId, over.keyId, over.sessionId, over.expiresAt?.seconds],
      ['TOKEN_EXPIRED', 'c', 'k', 's', 2n],
    );
    assert.deepEqual(
      [over.cacheFor?.seconds, over.cacheFor?.nanos],
      [0n, 0],
      'not less than nothing',
    );

    const session = await signedIn();
    await revokeSession(store, claimsOf(session.token).jti);
    const byKey = await signedIn();
    await revokeKey(store, byKey.holder.key);
    const ended = await signedIn();
    await writeKey(store, ended.holder.key, { expiresAtMs: clock.now() });
    const gone = await signedIn();
    const [change] = [
      { kind: 'key', id: gone.holder.key, action: 'delete', expect: 'any' } as const,
    ];
    await store.change([{ ...change, value: null }], {
      ...{ actor: 'operator:test', atMs: 0, remoteAddress: '' },
    });
    const lives = { ...claims, expiresAt: Math.floor(clock.now() / 1000) + 60 };
    const unknown = { token: signToken(lives, own) };
    for (const [of, refusal] of [
      [session, 'SESSION_REVOKED'],
      [byKey, 'KEY_REVOKED'],
      [ended, 'KEY_EXPIRED'],
      // A key takes its sessions along.
      [gone, 'SESSION_REVOKED'],
      [unknown, 'KEY_UNKNOWN'],
    ] as const) {
      assertAnswer(await ask(of.token), { refusal, readonly: false }, of.token);
      const other = { token: of.token, accountId: 'other' };
      assertAnswer(await check(client, service, other), { refusal }, of.token);
    }
  },
);

inEach(scene.inside.all, 'what is revoked is refused with the next check', async (client) => {
  for (let i = 0; i < 5; i++) {
    const { holder, token } = await signedIn();
    const ask = asking(client, token);
    const asked = { accountId: holder.trading, action: Action.TRADE, mic: 'XNAS' };
    assertAnswer(await ask(asked), {}, token);
    await holder.putPlan([]);
    assertAnswer(await ask(asked), { refusal: 'QUOTE_LEVEL_TOO_LOW' }, token);
    await holder.putAccount({ id: holder.trading, readonly: true });
    assertAnswer(await ask(asked), { refusal: 'READONLY_ACCOUNT' }, token);
    await writeKey(store, holder.key, { allAccounts: false });
    assertAnswer(await ask(asked), { refusal: 'ACCOUNT_NOT_IN_TOKEN' }, token);
    await revokeKey(store, holder.key);
    assertAnswer(await ask(asked), { refusal: 'KEY_REVOKED' }, token);
    await revokeSession(store, claimsOf(token).jti);
    assertAnswer(await ask(asked), { refusal: 'SESSION_REVOKED' }, token);
  }
});

inEach(scene.inside.all, 'a question that makes no sense is named by its field', async (client) => {
  const { token } = await signedIn();
  for (const [asked, field] of [
    [{ mic: 'nasdaq' }, 'mic'],
    [{ mic: 'XNAS ' }, 'mic'],
    [{ mic: 'X'.repeat(5000) }, 'mic'],
    [{ accountId: '-1' }, 'account_id'],
    [{ accountId: 'a b' }, 'account_id'],
    [{ accountId: 'x'.repeat(65) }, 'account_id'],
    [{ quoteLevel: QuoteLevel.LAST_PRICE }, 'quote_level'],
    [{ mic: 'XNAS', quoteLevel: QuoteLevel.ACCESS_FORBIDDEN }, 'quote_level'],
    [{ mic: 'XNAS', quoteLevel: 17 as never }, 'quote_level'],
    [{ action: 17 as never }, 'action'],
  ] as [Asked, string][]) {
    const failure = await failureOf(check(client, service, { token, ...asked }));
    assert.deepEqual([failure.code, failure.reason], [3, 'INVALID_REQUEST'], field);
    const violations = failure.detail('BadRequest')?.field_violations as { field: string }[];
    assert.deepEqual(
      violations.map((each) => each.field),
      [field],
    );
  }
});

test('what is asked and not known is an error, and no yes', async () => {
  const { holder, token } = await signedIn();
  const send = async (body: object, query = '') => {
    const headers = { authorization: service, 'content-type': 'application/json' };
    const request = { headers, body: JSON.stringify(body) };
    return (await scene.inside.rest1.send('POST', `/access/v1/check${query}`, request)).text;
  };
  const account = holder.readonly;
  assert.match(await send({ token, accountId: account, action: 'ACTION_READ' }), /"allowed":true/);
  const unread = await send({ token }, `?account_id=${account}`);
  assert.match(unread, /take the query away.*"INVALID_REQUEST"/);
  for (const body of [
    ...[
      { token, account },
      { token, account_ID: account },
      { token, later: null },
    ],
    ...[
      { token, account_id: account, action: 'TRADE' },
      { token, account_id: account, Action: 'ACTION_TRADE' },
      { token, mic: 'XNAS', quote_level: 'DEPTH_OF_BOOK' },
    ],
  ]) {
    const text = await send(body);
    assert.match(text, /"INVALID_REQUEST"/, JSON.stringify(body));
    assert.ok(!text.includes(account), text);
  }
  const later = create(CheckRequestSchema, { token });
  later.$unknown = [{ no: 99, wireType: 2, data: new Uint8Array([1, 65]) }];
  for (const client of [scene.inside.grpc, scene.inside.web]) {
    const failure = await failureOf(check(client, service, later as never));
    assert.equal(failure.reason, 'INVALID_REQUEST', client.name);
  }
});

inEach(scene.inside.all, 'every operator may ask, and nobody else', async (client) => {
  const { token } = await signedIn();
  for (const role of OPERATOR_ROLES) {
    assertAnswer(await check(client, scene.operators[role].token, { token }), {}, token);
  }
  for (const nobody of ['', 'pop_x', token, `${service}x`]) {
    const failure = await failureOf(check(client, nobody, { token }));
    assert.deepEqual([failure.code, failure.reason], [16, 'OPERATOR_TOKEN_INVALID']);
  }
});

inEach(
  scene.inside.all,
  'an answer may be kept for a second, or until it changes',
  async (client) => {
    const { holder, token } = await signedIn();
    const msOf = async (of = token) => {
      const { cacheFor } = await check(client, service, { token: of, mic: 'XNAS' });
      return Number(cacheFor?.seconds) * 1000 + (cacheFor?.nanos ?? 0) / 1e6;
    };
    assert.equal(await msOf(), 1000);
    assert.equal(await msOf('forged'), 1000);
    const soon = async (work: (atMs: number) => Promise<void>) => {
      const atMs = clock.now() + 700;
      await work(atMs);
      const before = clock.now();
      const ms = await msOf();
      assert.ok(ms >= 0 && ms <= Math.max(atMs - before, 0), `${ms} ms`);
    };
    await soon((atMs) => holder.subscribe(0, atMs));
    await soon((atMs) => holder.subscribe(atMs, null));
    await holder.subscribe(0, null);
    await soon((atMs) => writeKey(store, holder.key, { expiresAtMs: atMs }));
  },
);

test('nothing is kept where the setting says so', async () => {
  await using strict = await AdministeredServer.start('--check-cache-ms-max=0');
  const { message } = await strict.inside.grpc.call(
    AccessService.method.check,
    { token: 'x' },
    { metadata: { authorization: strict.operators.service.token } },
  );
  assert.deepEqual([message.cacheFor?.seconds, message.cacheFor?.nanos], [0n, 0]);
});

test('who loses the role, or its token, asks no more', async () => {
  const operator = await store.get('operator', scene.operators.viewer.id);
  assert.ok(operator);
  const { version, createdAtMs, updatedAtMs, ...rest } = operator;
  const { token } = scene.operators.viewer;
  for (const client of scene.inside.all) {
    await write(store, 'operator', [rest]);
    assert.equal((await check(client, token, { token: 'x' })).refusal, 'TOKEN_INVALID');
    await write(store, 'operator', [{ ...rest, revokedAtMs: 1 }]);
    assert.equal((await failureOf(check(client, token, {}))).reason, 'OPERATOR_TOKEN_INVALID');
  }
});
