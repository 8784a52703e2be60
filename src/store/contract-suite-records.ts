/** The part of the engines' suite that is about records: put whole, or not at all. */
import assert from 'node:assert/strict';
import { type Check, heard, refused } from './contract-checks.ts';
import {
  account,
  audit,
  BY,
  client,
  HOUSEHOLD,
  key,
  NOW_MS,
  permission,
  plan,
  put,
  type Records,
  session,
  subscription,
} from './contract-samples.ts';
import type { Change } from './store.ts';

const changed = (changes: readonly Change[]) =>
  changes
    .map((change) => (change.kind === 'client' ? change.clientId : JSON.stringify(change)))
    .sort();

/** Declares the tests. */
export function recordsContract(check: Check): void {
  putContract(check);
  referencesContract(check);
  touchedContract(check);
}

function putContract(check: Check): void {
  check('holdings are everything that was put, and nothing of others', async (store) => {
    await put(store, HOUSEHOLD);
    await put(store, {
      clients: [client('c2')],
      accounts: [account('b1', 'c2')],
      subscriptions: [subscription('s2', 'c2', 'p1')],
      keys: [key('k2', 'c2')],
    });
    assert.deepEqual(await store.holdings('k1'), {
      key: HOUSEHOLD.keys[0],
      accounts: HOUSEHOLD.accounts,
      subscriptions: [
        { ...HOUSEHOLD.subscriptions[0], permissions: HOUSEHOLD.plans[0]?.permissions },
      ],
    });
    assert.equal(await store.holdings('nobody'), undefined);
  });

  check('what exists under the same id is replaced whole', async (store) => {
    await put(store, HOUSEHOLD);
    await put(store, {
      clients: [{ id: 'c1', name: 'Renamed' }],
      accounts: [account('a2', 'c1', false)],
      plans: [plan('p1', permission('XNYS', { quoteLevel: 5 })), plan('bare')],
      subscriptions: [
        { ...subscription('s1', 'c1', 'p1'), startsAtMs: 5, endsAtMs: NOW_MS },
        subscription('s3', 'c1', 'bare'),
      ],
      keys: [
        key('k1', 'c1', {
          secretMac: 'another',
          label: 'Relabelled',
          allAccounts: false,
          accountIds: ['a1', 'a2'],
          readonly: true,
          sourceNetworks: ['192.0.2.0/24', '2001:db8::/32'],
          expiresAtMs: NOW_MS + 1,
          revokedAtMs: NOW_MS,
          previousSecretMac: 'mac-of-k1',
          previousSecretEndsAtMs: NOW_MS + 3,
        }),
      ],
    });
    assert.deepEqual(await store.holdings('k1'), {
      key: {
        id: 'k1',
        clientId: 'c1',
        label: 'Relabelled',
        secretMac: 'another',
        allAccounts: false,
        accountIds: ['a1', 'a2'],
        readonly: true,
        callsMax: {},
        sourceNetworks: ['192.0.2.0/24', '2001:db8::/32'],
        expiresAtMs: NOW_MS + 1,
        revokedAtMs: NOW_MS,
        previousSecretMac: 'mac-of-k1',
        previousSecretEndsAtMs: NOW_MS + 3,
      },
      accounts: [account('a1', 'c1'), account('a2', 'c1', false)],
      subscriptions: [
        {
          ...subscription('s1', 'c1', 'p1'),
          startsAtMs: 5,
          endsAtMs: NOW_MS,
          permissions: [permission('XNYS', { quoteLevel: 5 })],
        },
        { ...subscription('s3', 'c1', 'bare'), permissions: [] },
      ],
    });
    assert.equal(await store.keyIdOfSecret('another', NOW_MS), 'k1');
    assert.equal(await store.keyIdOfSecret('mac-of-k1', NOW_MS + 2), 'k1');
    assert.equal(await store.keyIdOfSecret('mac-of-k1', NOW_MS + 3), undefined);
    await put(store, { keys: [key('k1', 'c1', { accountIds: ['a2', 'a2'] })] });
    assert.deepEqual((await store.holdings('k1'))?.key.accountIds, ['a2']);
  });

  check('records with sessions can be put again', async (store) => {
    await put(store, HOUSEHOLD);
    await store.createSession(session('one', 'k1'), audit('session.create', 'one'));
    await put(store, HOUSEHOLD);
    assert.deepEqual(await store.session('one'), session('one', 'k1'));
  });
}

function referencesContract(check: Check): void {
  const two = { clients: [client('c1'), client('c2')] };
  const broken: readonly [string, Records, RegExp][] = [
    ['an account without its client', { accounts: [account('a', 'no')] }, /account a .* no,/],
    [
      'a subscription without its client',
      { plans: [plan('p')], subscriptions: [subscription('s', 'no', 'p')] },
      /subscription s .* client no,/,
    ],
    [
      'a subscription without its plan',
      { ...two, subscriptions: [subscription('s', 'c1', 'no')] },
      /subscription s .* plan no,/,
    ],
    ['a key without its client', { keys: [key('k', 'no')] }, /key k .* no,/],
    [
      'a key with an account that is not there',
      { ...two, keys: [key('k', 'c1', { accountIds: ['no'] })] },
      /key k lists account no,/,
    ],
    [
      'a key with another client’s account',
      { ...two, accounts: [account('a', 'c2')], keys: [key('k', 'c1', { accountIds: ['a'] })] },
      /key k lists account a,/,
    ],
    [
      'a key with the secret of another',
      { ...two, keys: [key('k', 'c1', { secretMac: 'm' }), key('l', 'c1', { secretMac: 'm' })] },
      /key l has the secret of another key/,
    ],
  ];
  for (const [what, some, message] of broken) {
    check(`${what} is refused, and nothing of it is kept`, async (store) => {
      await put(store, HOUSEHOLD);
      const before = await store.holdings('k1');
      const changes = heard(store);
      const clients = [...(some.clients ?? []), client('witness')];
      const attempt = put(store, { ...some, clients }, { ...BY, actor: 'operator:broken' });
      const neighbour = store.noteMeta('neighbour', 'kept');
      await refused(attempt, 'INVALID_REQUEST', message);
      assert.equal(await neighbour, 'kept');
      assert.deepEqual(changes, []);
      const entries = await store.audit(0, 1_000);
      assert.ok(entries.every(({ actor }) => actor === BY.actor));
      assert.deepEqual(await store.holdings('k1'), before);
      // Had the clients been kept, an account of this one would be taken.
      const later = put(store, { accounts: [account('later', 'witness')] });
      await refused(later, 'INVALID_REQUEST');
    });
  }
}

function touchedContract(check: Check): void {
  check('everyone whose holdings change is announced', async (store) => {
    await put(store, {
      ...HOUSEHOLD,
      clients: ['c1', 'c2', 'c3', 'c4'].map(client),
      subscriptions: [subscription('s1', 'c1', 'p1'), subscription('s2', 'c2', 'p1')],
    });
    const touchedBy = async (some: Records) => {
      const changes = heard(store);
      await put(store, some);
      return changed(changes);
    };
    const renamed = { ...client('c3'), name: 'Renamed' };
    assert.deepEqual(await touchedBy({ clients: [renamed] }), ['c3']);
    assert.deepEqual(await touchedBy({ clients: [renamed] }), [], 'it is there already');
    assert.deepEqual(await touchedBy({ accounts: [account('a1', 'c1', true)] }), ['c1']);
    assert.deepEqual(await touchedBy({ accounts: [account('a2', 'c3')] }), ['c1', 'c3']);
    assert.deepEqual(await touchedBy({ plans: [plan('p1')] }), ['c1', 'c2']);
    const moved = subscription('s2', 'c4', 'p1');
    assert.deepEqual(await touchedBy({ subscriptions: [moved] }), ['c2', 'c4']);
    assert.deepEqual(await touchedBy({ keys: [key('k1', 'c1'), key('k9', 'c2')] }), [
      '{"kind":"key","keyId":"k1"}',
      '{"kind":"key","keyId":"k9"}',
    ]);
    assert.deepEqual(await touchedBy({}), []);
  });
}
