import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AppError, type Reason } from './errors.ts';
import { checkAccount, checkTrade, grantOf } from './grant.ts';
import type { ApiKey, Holdings } from './model.ts';
import { type Permission, QuoteLevel } from './permission.ts';
import { keyOf } from './test-key.ts';

const NOW = 1_000_000;

function permission(conditionValue: string): Permission {
  return {
    quoteLevel: QuoteLevel.LAST_PRICE,
    delayMinutes: 0,
    conditionKind: 'mic',
    conditionValue,
  };
}

function subscription(id: string, startsAtMs: number, endsAtMs: number | null) {
  const permissions = [permission(id)];
  return { id, clientId: 'c', planId: id, startsAtMs, endsAtMs, permissions };
}

function holdings(change: Partial<Holdings> & { key?: Partial<ApiKey> } = {}): Holdings {
  return {
    accounts: [
      { id: 'b', clientId: 'c', readonly: false },
      { id: 'a', clientId: 'c', readonly: true },
    ],
    subscriptions: [],
    ...change,
    key: keyOf('k', 'c', change.key),
  };
}

test('all accounts of the client, or those of the key, sorted', () => {
  assert.deepEqual(grantOf(holdings(), NOW).accountIds, ['a', 'b']);
  const key = { allAccounts: false, accountIds: ['b', 'gone'] };
  assert.deepEqual(grantOf(holdings({ key } as never), NOW).accountIds, ['b']);
  const none = { allAccounts: false, accountIds: [] };
  assert.deepEqual(grantOf(holdings({ key: none } as never), NOW).accountIds, []);
});

test('readonly: the key is, or every account that it reaches is', () => {
  const isReadonly = (change: Parameters<typeof holdings>[0]) =>
    grantOf(holdings(change), NOW).readonly;
  assert.equal(isReadonly({}), false, 'mixed accounts');
  assert.equal(isReadonly({ key: { readonly: true } } as never), true);
  assert.equal(isReadonly({ key: { allAccounts: false, accountIds: ['a'] } } as never), true);
  assert.equal(isReadonly({ key: { allAccounts: false, accountIds: ['b'] } } as never), false);
  assert.equal(isReadonly({ accounts: [] }), false, 'no account at all');
});

/** What refuses; undefined when nothing does. */
function refusalOf(check: () => void): Reason | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    assert.ok(error instanceof AppError);
    return error.reason;
  }
}

test('an account that the key does not reach is not found, to read and to trade', () => {
  const key = { allAccounts: false, accountIds: ['b'] };
  const grant = grantOf(holdings({ key } as never), NOW);
  for (const [id, expected] of [
    ['b', undefined],
    ['a', 'ACCOUNT_NOT_IN_TOKEN'],
    ['', 'ACCOUNT_NOT_IN_TOKEN'],
    ['B', 'ACCOUNT_NOT_IN_TOKEN'],
  ] as const) {
    assert.equal(
      refusalOf(() => checkAccount(grant, id)),
      expected,
      id,
    );
    assert.equal(
      refusalOf(() => checkTrade(grant, id)),
      expected,
      id,
    );
  }
});

test('what is readonly is read and not traded on: the session before the account', () => {
  const mixed = grantOf(holdings(), NOW);
  assert.equal(
    refusalOf(() => checkTrade(mixed, 'b')),
    undefined,
  );
  assert.equal(
    refusalOf(() => checkTrade(mixed, 'a')),
    'READONLY_ACCOUNT',
  );
  const readonly = grantOf(holdings({ key: { readonly: true } } as never), NOW);
  for (const id of ['a', 'b']) {
    assert.equal(
      refusalOf(() => checkTrade(readonly, id)),
      'READONLY_SESSION',
      id,
    );
    assert.equal(
      refusalOf(() => checkAccount(readonly, id)),
      undefined,
      id,
    );
  }
  const onlyReadonly = { key: { allAccounts: false, accountIds: ['a'] } } as never;
  const grant = grantOf(holdings(onlyReadonly), NOW);
  assert.equal(
    refusalOf(() => checkTrade(grant, 'a')),
    'READONLY_ACCOUNT',
  );
});

test('a subscription holds from its start, up to its end and not at it', () => {
  const micsAt = (nowMs: number) =>
    grantOf(holdings({ subscriptions: [subscription('s', 100, 200)] }), nowMs).permissions.map(
      ({ conditionValue }) => conditionValue,
    );
  assert.deepEqual(micsAt(99), []);
  assert.deepEqual(micsAt(100), ['s']);
  assert.deepEqual(micsAt(199), ['s']);
  assert.deepEqual(micsAt(200), []);
});

test('a key that is revoked or has expired is refused, revoked first', () => {
  const refusal = (key: Partial<ApiKey>) => grantOf(holdings({ key } as never), NOW).refusal;
  assert.equal(refusal({}), null);
  assert.equal(refusal({ expiresAtMs: NOW + 1 }), null);
  assert.equal(refusal({ expiresAtMs: NOW }), 'KEY_EXPIRED');
  assert.equal(refusal({ revokedAtMs: 1 }), 'KEY_REVOKED');
  assert.equal(refusal({ revokedAtMs: 1, expiresAtMs: 1 }), 'KEY_REVOKED');
});

test('a grant changes by itself at the next of its instants, and never at a past one', () => {
  const at = (change: Parameters<typeof holdings>[0]) => grantOf(holdings(change), NOW).changesAtMs;
  assert.equal(at({}), Number.POSITIVE_INFINITY);
  assert.equal(at({ key: { expiresAtMs: NOW + 5 } } as never), NOW + 5);
  assert.equal(at({ key: { expiresAtMs: NOW } } as never), Number.POSITIVE_INFINITY);
  const subscriptions = [
    subscription('past', NOW - 10, NOW - 5),
    subscription('now', NOW, NOW + 30),
    subscription('later', NOW + 20, null),
  ];
  assert.equal(at({ subscriptions }), NOW + 20);
  assert.equal(at({ subscriptions, key: { expiresAtMs: NOW + 1 } } as never), NOW + 1);
});

/** Slow, and by the words alone: may an account be read, and traded on? */
function reach({ key, accounts }: Holdings, id: string): { read: boolean; trade: boolean } {
  for (const account of accounts) {
    if (account.id !== id) continue;
    if (!key.allAccounts && !key.accountIds.some((each) => each === id)) continue;
    return { read: true, trade: !account.readonly && !key.readonly };
  }
  return { read: false, trade: false };
}

test('whatever the key and the accounts are, nothing is reached that they do not say', () => {
  const ids = ['a', 'b', 'c', 'd'] as const;
  const accounts = fc.uniqueArray(
    fc.record({ id: fc.constantFrom(...ids), clientId: fc.constant('c'), readonly: fc.boolean() }),
    { selector: ({ id }) => id },
  );
  const key = fc.record({
    allAccounts: fc.boolean(),
    accountIds: fc.array(fc.constantFrom(...ids), { maxLength: 4 }),
    readonly: fc.boolean(),
  });
  fc.assert(
    fc.property(accounts, key, (held, change) => {
      const of = holdings({ accounts: held, key: change } as never);
      const grant = grantOf(of, NOW);
      for (const id of ids) {
        const { read, trade } = reach(of, id);
        assert.equal(refusalOf(() => checkAccount(grant, id)) === undefined, read);
        assert.equal(refusalOf(() => checkTrade(grant, id)) === undefined, trade);
      }
      const reached = ids.filter((id) => reach(of, id).read);
      assert.deepEqual(grant.accountIds, reached);
      const canTrade = ids.some((id) => reach(of, id).trade);
      assert.equal(grant.readonly, change.readonly || (reached.length > 0 && !canTrade));
    }),
    { numRuns: 1000 },
  );
});
