/** The part of the engines' suite that is about changes: what they expect, keep, refuse and tell. */
import assert from 'node:assert/strict';
import type { AuditEntry } from '../domain/model.ts';
import { type Check, heard, refused } from './contract-checks.ts';
import {
  account,
  audit,
  BY,
  client,
  HOUSEHOLD,
  key,
  NOW_MS,
  operator,
  permission,
  plan,
  put,
  puts,
  session,
  subscription,
} from './contract-samples.ts';
import type { ResourceChange, ResourceKind, Resources } from './store.ts';

const RENAMED = { ...client('c1'), name: 'Renamed' };

function change<K extends ResourceKind>(
  kind: K,
  id: string,
  expect: ResourceChange['expect'],
  value: Resources[K] | null,
): ResourceChange<K> {
  const action = value === null ? 'delete' : expect === 'absent' ? 'create' : 'update';
  return { kind, id, action, expect, value };
}

const create = (id: string) => change('client', id, 'absent', client(id));

/** One of each kind, and one more. */
const EACH: { readonly [K in ResourceKind]: readonly [Resources[K], Resources[K]] } = {
  client: [client('c1'), client('c2')],
  account: [account('a1', 'c1'), account('a2', 'c1', true)],
  plan: [plan('p1', permission('MISX'), permission('XNYS')), plan('p2')],
  subscription: [subscription('s1', 'c1', 'p1'), subscription('s2', 'c2', 'p1')],
  key: [
    key('k1', 'c1', { allAccounts: false, accountIds: ['a1', 'a2'], callsMax: { Auth: 5 } }),
    key('k2', 'c2', { sourceNetworks: ['192.0.2.0/24'], previousSecretMac: 'older' }),
  ],
  operator: [operator('o1', { role: 'owner' }), operator('o2', { expiresAtMs: 5 })],
};

function allOf(): ResourceChange[] {
  return (Object.keys(EACH) as ResourceKind[]).flatMap((kind): ResourceChange[] =>
    puts(kind, [...EACH[kind]]),
  );
}

/** Declares the tests. */
export function resourcesContract(check: Check): void {
  keptContract(check);
  expectedContract(check);
  deletedContract(check);
}

function keptContract(check: Check): void {
  check('each kind is kept as it was put, with its version and times', async (store) => {
    const { stored } = await store.change(allOf(), BY);
    for (const kind of Object.keys(EACH) as ResourceKind[]) {
      for (const value of EACH[kind]) {
        const found = await store.get(kind, value.id);
        assert.ok(found && stored.some((each) => each !== null && each.version === found.version));
        const { version, createdAtMs, updatedAtMs, ...content } = found;
        assert.deepEqual({ ...content }, value);
        assert.deepEqual([createdAtMs, updatedAtMs], [NOW_MS, NOW_MS]);
        const [entry] = await store.audit(version - 1, 1);
        assert.equal(entry?.target, `${kind}:${value.id}`);
      }
      assert.equal(await store.get(kind, 'nobody'), undefined);
    }
  });

  check('lists go by id, page by page, of a client or a plan alone', async (store) => {
    await store.change(allOf(), BY);
    for (const kind of Object.keys(EACH) as ResourceKind[]) {
      const ids = EACH[kind].map(({ id }) => id);
      const all = await store.list(kind, { limit: 10 });
      assert.deepEqual(
        all.map(({ id }) => id),
        ids,
      );
      const [first, second] = all;
      assert.deepEqual(await store.list(kind, { limit: 1 }), [first]);
      assert.deepEqual(await store.list(kind, { limit: 1, afterId: ids[0] ?? '' }), [second]);
      assert.deepEqual(await store.list(kind, { limit: 0 }), []);
      assert.deepEqual(await store.get(kind, ids[0] ?? ''), first);
    }
    const idsOf = async (kind: ResourceKind, clientId: string) =>
      (await store.list(kind, { clientId, limit: 10 })).map(({ id }) => id);
    assert.deepEqual(await idsOf('account', 'c1'), ['a1', 'a2']);
    assert.deepEqual(await idsOf('key', 'c2'), ['k2']);
    assert.deepEqual(await idsOf('subscription', 'c2'), ['s2']);
    const held = await store.list('subscription', { planId: 'p1', limit: 10 });
    assert.deepEqual(
      held.map(({ id }) => id),
      ['s1', 's2'],
    );
    const both = { planId: 'p1', clientId: 'c2', limit: 10 };
    assert.deepEqual(await store.list('subscription', both), [held[1]]);
    await refused(store.list('plan', { clientId: 'c1', limit: 1 }), 'INVALID_REQUEST');
    await refused(store.list('account', { planId: 'p1', limit: 1 }), 'INVALID_REQUEST');
  });

  check('a change has one audit entry with before and after, without secrets', async (store) => {
    await put(store, { clients: [client('c1')] });
    const made = key('k1', 'c1', { previousSecretMac: 'older' });
    const by = { ...BY, atMs: NOW_MS + 5, detail: { requestId: 'r' } };
    const { stored } = await store.change([change('key', 'k1', 'absent', made)], by);
    const version = stored[0]?.version ?? 0;
    await store.change([change('key', 'k1', version, { ...made, label: 'new' })], by);
    const [one, two, three] = await store.audit(version - 1, 10);
    const { secretMac: _, previousSecretMac: _previous, ...content } = made;
    const told = { ...content, secrets: vouchedSecrets(one) };
    assert.ok(!JSON.stringify([one, two]).includes(made.secretMac));
    const from = { actor: BY.actor, remoteAddress: BY.remoteAddress, atMs: NOW_MS + 5 };
    const what = { ...from, target: 'key:k1' };
    assert.deepEqual(one, {
      ...what,
      action: 'key.create',
      detail: { requestId: 'r', after: told },
      sequence: version,
    });
    assert.deepEqual(two, {
      ...what,
      action: 'key.update',
      detail: { requestId: 'r', before: told, after: { ...told, label: 'new' } },
      sequence: version + 1,
    });
    assert.equal(three, undefined);
    const found = await store.get('key', 'k1');
    assert.deepEqual([found?.version, found?.createdAtMs], [version + 1, NOW_MS + 5]);
  });
}

/** What an entry holds in the place of a key's secrets. */
function vouchedSecrets(entry: AuditEntry | undefined): string {
  const { secrets } = (entry?.detail.after ?? {}) as { readonly secrets?: unknown };
  assert.ok(typeof secrets === 'string' && secrets !== '');
  return secrets;
}

function expectedContract(check: Check): void {
  check('what is expected must be so: absent, a version, or anything', async (store) => {
    const { stored } = await store.change([create('c1')], BY);
    const version = stored[0]?.version ?? 0;
    const attempt = (expect: ResourceChange['expect'], id = 'c1') =>
      store.change([change('client', id, expect, { ...RENAMED, id })], BY);
    await refused(attempt('absent'), 'RESOURCE_EXISTS', /client c1 already/);
    await refused(attempt(version + 1), 'VERSION_CONFLICT', /read it again/);
    await refused(attempt(version, 'nobody'), 'RESOURCE_NOT_FOUND', /no client nobody/);
    assert.equal((await store.audit(0, 10)).length, 1);
    assert.ok(((await attempt(version)).stored[0]?.version ?? 0) > version);
    await refused(attempt(version), 'VERSION_CONFLICT');
    await attempt('any', 'c2');
    assert.equal((await store.get('client', 'c2'))?.name, 'Renamed');
  });

  check('anything expected, and the same there: nothing changes', async (store) => {
    await store.change(allOf(), BY);
    const before = await store.audit(0, 100);
    const changes = heard(store);
    const again = await store.change(allOf(), { ...BY, atMs: NOW_MS + 9 });
    assert.deepEqual(await store.audit(0, 100), before);
    assert.deepEqual(changes, []);
    assert.deepEqual(again.stored[0], await store.get('client', 'c1'));
    assert.equal(again.stored.length, allOf().length);
  });

  check('of two who saw the same version, one wins', async (store) => {
    const { stored } = await store.change([create('c1')], BY);
    const version = stored[0]?.version ?? 0;
    const rename = (name: string) =>
      store.change([change('client', 'c1', version, { id: 'c1', name })], BY);
    const [one, two] = await Promise.allSettled([rename('one'), rename('two')]);
    assert.deepEqual([one.status, two.status], ['fulfilled', 'rejected']);
    assert.equal((await store.get('client', 'c1'))?.name, 'one');
  });

  check('many changes are made all or none, in their order', async (store) => {
    const many = [create('c1'), change('account', 'a1', 'absent', account('a1', 'c1'))];
    const changes = heard(store);
    await refused(store.change([...many, create('c1')], BY), 'RESOURCE_EXISTS');
    assert.equal(await store.get('client', 'c1'), undefined);
    assert.deepEqual([await store.audit(0, 10), changes], [[], []]);
    await store.change([...many, change('client', 'c1', 'any', RENAMED)], BY);
    const actions = (await store.audit(0, 10)).map(({ action }) => action);
    assert.deepEqual(actions, ['client.create', 'account.create', 'client.update']);
    assert.deepEqual(changes, [{ kind: 'client', clientId: 'c1' }]);
  });

  check('a value with another id than the change says is a fault', async (store) => {
    const wrong = { ...create('c1'), value: client('c2') };
    await refused(store.change([wrong], BY), 'INTERNAL');
    assert.equal(await store.get('client', 'c2'), undefined);
  });
}

function deletedContract(check: Check): void {
  check('what others name is not deleted; what nobody names is gone', async (store) => {
    await put(store, HOUSEHOLD);
    const drop = (kind: ResourceKind, id: string) =>
      store.change([change(kind, id, 'any', null)], BY);
    await refused(drop('client', 'c1'), 'RESOURCE_IN_USE', /client c1 is in use/);
    await refused(drop('plan', 'p1'), 'RESOURCE_IN_USE');
    await refused(drop('plan', 'nothing'), 'RESOURCE_NOT_FOUND');
    for (const [kind, id] of [
      ...([
        ['subscription', 's1'],
        ['plan', 'p1'],
        ['key', 'k1'],
        ['account', 'a1'],
      ] as const),
      ...([
        ['account', 'a2'],
        ['client', 'c1'],
      ] as const),
    ] as const) {
      const changes = heard(store);
      const before = await store.get(kind, id);
      assert.deepEqual((await drop(kind, id)).stored, [null]);
      assert.equal(await store.get(kind, id), undefined);
      const entry = (await store.audit(0, 100)).at(-1);
      assert.deepEqual([entry?.action, entry?.target], [`${kind}.delete`, `${kind}:${id}`]);
      assert.deepEqual(Object.keys(entry?.detail ?? {}), ['before']);
      assert.ok(before && (kind === 'plan' || changes.length > 0), `${kind} is announced`);
    }
  });

  check('an account that goes leaves the keys that list it', async (store) => {
    await put(store, { ...HOUSEHOLD, clients: [client('c1'), client('c2')] });
    const listed = { allAccounts: false, accountIds: ['a1', 'a2'] };
    await put(store, { keys: [key('k1', 'c1', listed)] });
    const changes = heard(store);
    const before = (await store.audit(0, 100)).length;
    await store.change([change('account', 'a1', 'any', null)], BY);
    assert.deepEqual((await store.get('key', 'k1'))?.accountIds, ['a2']);
    await store.change([change('account', 'a2', 'any', account('a2', 'c2'))], BY);
    const found = await store.get('key', 'k1');
    assert.deepEqual([found?.accountIds, found?.allAccounts], [[], false]);
    assert.ok(changes.some((each) => each.kind === 'key' && each.keyId === 'k1'));
    const actions = (await store.audit(0, 100)).slice(before).map(({ action }) => action);
    assert.deepEqual(actions, ['key.update', 'account.delete', 'key.update', 'account.update']);
  });

  check('a key that goes leaves its sessions revoked, for a key of the same id', async (store) => {
    await put(store, HOUSEHOLD);
    await store.createSession(session('one', 'k1'), audit('session.create', 'one'));
    const changes = heard(store);
    await store.change([change('key', 'k1', 'any', null)], { ...BY, atMs: NOW_MS + 1 });
    const { expiresAtMs } = session('one', 'k1');
    const revoked = { kind: 'session-revoked', sessionId: 'one', expiresAtMs };
    assert.deepEqual(changes, [{ kind: 'key', keyId: 'k1' }, revoked]);
    assert.equal(await store.holdings('k1'), undefined);
    await put(store, { keys: [key('k1', 'c1')] });
    assert.equal((await store.session('one'))?.revokedAtMs, NOW_MS + 1);
    assert.deepEqual(await store.revokedSessions(NOW_MS), [{ sessionId: 'one', expiresAtMs }]);
  });
}
