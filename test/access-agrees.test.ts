/**
 * Whatever keys, accounts and plans there are: Check says what the public API says of the same token,
 * TokenDetails of what it may see, and the orders of what it may do on which account.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { Markets } from '../src/domain/mic.ts';
import { type Permission, QuoteLevel } from '../src/domain/permission.ts';
import type { TokenDetailsResponse } from '../src/gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { Action, type CheckResponse } from '../src/gen/propusk/access/v1/access_service_pb.js';
import { check, Holder } from './access-scene.ts';
import { AdministeredServer } from './administration.ts';
import { CallFailure } from './clients/client.ts';
import { METHODS } from './orders.ts';
import { claimsOf, revokeKey, revokeSession, writeKey } from './steps.ts';

const scene = await AdministeredServer.start(
  ...['--orders=paper', '--limit=1000000', '--address-calls-max=1000000'],
);
after(() => scene[Symbol.asyncDispose]());
const { store } = scene.server;
const service = scene.operators.service.token;

const MIC = 'MISX';
const PLACES = [
  ['mic', MIC],
  ['mic', 'XNAS'],
  ['country', 'RU'],
  ['country', 'US'],
  ['continent', 'EU'],
  ['worldwide', ''],
] as const;
/** What each level shows, from the least on; ACCESS_FORBIDDEN shows nothing. */
const SHOWN = [0, 1, 2, 3, 4];

const permission: fc.Arbitrary<Permission> = fc
  .record({
    place: fc.constantFrom(...PLACES),
    quoteLevel: fc.constantFrom(1, 2, 3, 4, 5).map((level) => level as QuoteLevel),
    delayMinutes: fc.constantFrom(0, 15, 20),
  })
  .map(({ place: [conditionKind, conditionValue], quoteLevel, delayMinutes }) => ({
    ...{ conditionKind, conditionValue, quoteLevel },
    delayMinutes: quoteLevel === QuoteLevel.ACCESS_FORBIDDEN ? 0 : delayMinutes,
  }));

const scenes = fc.record({
  permissions: fc.array(permission, { maxLength: 5 }),
  isSubscribed: fc.boolean(),
  isKeyReadonly: fc.boolean(),
  isTradingReadonly: fc.boolean(),
  /** Which of its client's accounts the key reaches; all: also those that come. */
  reaches: fc.constantFrom('all', 'trading', 'readonly', 'none'),
  fault: fc.constantFrom('', '', '', '', 'key', 'session', 'expired key'),
  wanted: fc.constantFrom(...SHOWN),
});

type Scene = typeof scenes extends fc.Arbitrary<infer T> ? T : never;

/** The answer, or the failure that is one. */
async function resultOf<T>(work: Promise<T>): Promise<T | CallFailure> {
  return work.catch((error: unknown) => {
    if (error instanceof CallFailure) return error;
    throw error;
  });
}

/** What the list of TokenDetails says of a market, by the words of the documents alone. */
function seenBy({ mdPermissions }: TokenDetailsResponse, wanted: number): string | number {
  const { mic, country, continent } = new Markets().find(MIC);
  for (const value of [mic, country, continent, true]) {
    const here = mdPermissions.filter(({ condition }) => condition.value === value);
    if (here.length === 0) continue;
    if (here.some(({ quoteLevel }) => quoteLevel === 5)) return 'ACCESS_FORBIDDEN';
    const enough = here.filter(({ quoteLevel }) => quoteLevel >= wanted);
    if (enough.length === 0) return 'QUOTE_LEVEL_TOO_LOW';
    if (wanted > 0) return Math.min(...enough.map(({ delayMinutes }) => delayMinutes));
    const highest = Math.max(...here.map(({ quoteLevel }) => quoteLevel));
    const shown = here.filter(({ quoteLevel }) => quoteLevel === highest);
    return Math.min(...shown.map(({ delayMinutes }) => delayMinutes));
  }
  return 'QUOTE_LEVEL_TOO_LOW';
}

/** What a call about orders says of who may make it: nothing where it got as far as the order. */
async function refusalOf(work: Promise<unknown>): Promise<string> {
  const result = await resultOf(work);
  const reason = result instanceof CallFailure ? String(result.reason) : '';
  return ['INVALID_REQUEST', 'ORDER_NOT_FOUND'].includes(reason) ? '' : reason;
}

/** As the public API says it: what is wrong with a token is not for everybody. */
function publicly({ refusal }: CheckResponse): string {
  return /^(KEY|SESSION)_|^TOKEN_/.test(refusal) ? 'TOKEN_INVALID' : refusal;
}

test('Check agrees with TokenDetails and with what may be done with orders', async () => {
  const property = async ({ wanted, ...asked }: Scene) => {
    const holder = await Holder.make(store, asked.permissions, { readonly: asked.isKeyReadonly });
    const { trading, readonly: readable, key } = holder;
    if (!asked.isSubscribed) await holder.subscribe(0, 1);
    await holder.putAccount({ id: trading, readonly: asked.isTradingReadonly });
    const accountIds = { all: [], none: [], trading: [trading], readonly: [readable] }[
      asked.reaches as 'all'
    ];
    await writeKey(store, key, { allAccounts: asked.reaches === 'all', accountIds });
    const token = await scene.outside.grpc.auth(holder.secret);
    if (asked.fault === 'key') await revokeKey(store, key);
    if (asked.fault === 'session') await revokeSession(store, claimsOf(token).jti);
    if (asked.fault === 'expired key') await writeKey(store, key, { expiresAtMs: 1 });

    const ask = (more: object) => check(scene.inside.grpc, service, { token, ...more });
    const details = await resultOf(scene.outside.grpc.tokenDetails(token));
    const seen = await ask({ mic: MIC, quoteLevel: wanted });
    if (details instanceof CallFailure) {
      const isEmpty = details.reason === 'ACCOUNT_NOT_IN_TOKEN';
      if (!isEmpty) assert.equal(publicly(seen), details.reason);
      if (isEmpty) assert.equal(publicly(await ask({})), '');
    } else {
      const { message } = details;
      const expected = seenBy(message, wanted);
      assert.equal(seen.refusal === '' ? seen.delayMinutes : seen.refusal, expected);
      if (seen.allowed) assert.ok(seen.quoteLevel >= wanted && seen.quoteLevel > 0);
      assert.equal(seen.readonly, message.readonly);
      assert.equal((await ask({ action: Action.TRADE })).allowed, !message.readonly);
      assert.deepEqual(seen.expiresAt, message.expiresAt);
    }
    const options = { metadata: { authorization: token } };
    for (const accountId of [trading, readable, 'other']) {
      for (const [method, action] of [
        [METHODS.getOrders, Action.READ],
        [METHODS.placeOrder, Action.TRADE],
      ] as const) {
        const refusal = await refusalOf(scene.outside.grpc.call(method, { accountId }, options));
        assert.equal(publicly(await ask({ accountId, action })), refusal);
      }
    }
  };
  await fc.assert(fc.asyncProperty(scenes, property), { numRuns: 40 });
});
