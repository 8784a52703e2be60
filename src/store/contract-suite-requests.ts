/** The part of the engines' suite that is about requests that come again, and about secrets. */
import assert from 'node:assert/strict';
import type { Operator } from '../domain/model.ts';
import { type Check, heard, refused } from './contract-checks.ts';
import { BY, client, HOUSEHOLD, key, NOW_MS, operator, put } from './contract-samples.ts';
import type { RequestRecord, ResourceChange, Store } from './store.ts';

const create = (id: string): ResourceChange<'client'> => ({
  kind: 'client',
  id,
  action: 'create',
  expect: 'absent',
  value: client(id),
});

/** Declares the tests. */
export function requestsContract(check: Check): void {
  requestContract(check);
  secretContract(check);
}

function requestContract(check: Check): void {
  const request = (more: Partial<RequestRecord> = {}): RequestRecord => ({
    ...{ operatorId: 'o1', requestId: 'r1', bodyHash: 'body', atMs: NOW_MS },
    ...more,
  });
  const ask = (store: Store, id: string, more?: Partial<RequestRecord>) =>
    store.change([create(id)], BY, request(more));

  check('a request that comes again changes nothing, and tells what it made', async (store) => {
    assert.equal((await ask(store, 'c1')).repeatedOf, undefined);
    const day = 86_400_000;
    const again = await ask(store, 'c2', { atMs: NOW_MS + day - 1 });
    assert.deepEqual(again, { repeatedOf: 'c1', stored: [] });
    assert.equal(await store.get('client', 'c2'), undefined);
    await refused(ask(store, 'c2', { bodyHash: 'other' }), 'REQUEST_ID_REUSED', /choose another/);
    assert.equal((await store.audit(0, 10)).length, 1);
    // Another operator's is another, and a day later nobody remembers.
    assert.equal((await ask(store, 'c2', { operatorId: 'o2' })).repeatedOf, undefined);
    const later = { atMs: NOW_MS + day, bodyHash: 'other' };
    assert.equal((await ask(store, 'c3', later)).repeatedOf, undefined);
    assert.equal((await ask(store, 'c4', later)).repeatedOf, 'c3');
  });

  check('a request that came before is known without asking for a change', async (store) => {
    const known = (more?: Partial<RequestRecord>) => store.repeatedOf(request(more));
    assert.equal(await known(), undefined);
    await ask(store, 'c1');
    assert.equal(await known(), 'c1');
    await store.change([{ ...create('c1'), action: 'delete', expect: 'any', value: null }], BY);
    assert.equal(await known(), 'c1', 'though it is gone');
    await refused(known({ bodyHash: 'other' }), 'REQUEST_ID_REUSED', /choose another/);
    assert.equal(await known({ operatorId: 'o2' }), undefined);
    assert.equal(await known({ atMs: NOW_MS + 86_400_000 }), undefined);
  });

  check('a request that was refused may come again', async (store) => {
    await store.change([create('c1')], BY);
    await refused(ask(store, 'c1'), 'RESOURCE_EXISTS');
    assert.equal((await ask(store, 'c2', { bodyHash: 'other' })).repeatedOf, undefined);
  });

  check('the same request twice in one moment is made once', async (store) => {
    const answers = await Promise.all([ask(store, 'c1'), ask(store, 'c1')]);
    assert.deepEqual(
      answers.map(({ repeatedOf }) => repeatedOf),
      [undefined, 'c1'],
    );
  });
}

function secretContract(check: Check): void {
  check('two secrets of a key work while they overlap, and belong to it alone', async (store) => {
    await put(store, HOUSEHOLD);
    const rotated = { secretMac: 'new', previousSecretMac: 'mac-of-k1' };
    await put(store, { keys: [key('k1', 'c1', { ...rotated, previousSecretEndsAtMs: NOW_MS })] });
    const idAt = (mac: string, atMs: number) => store.keyIdOfSecret(mac, atMs);
    assert.deepEqual(
      [await idAt('new', NOW_MS), await idAt('mac-of-k1', NOW_MS - 1)],
      ['k1', 'k1'],
    );
    assert.equal(await idAt('mac-of-k1', NOW_MS), undefined);
    for (const more of [{ secretMac: 'mac-of-k1' }, { previousSecretMac: 'new' }]) {
      await refused(
        put(store, { keys: [key('k2', 'c1', more)] }),
        'INVALID_REQUEST',
        /k2 has the secret of another/,
      );
    }
  });

  check('one owner who can act is left, also by changes of one moment', async (store) => {
    const owner = (id: string, more: Partial<Operator> = {}) =>
      operator(id, { role: 'owner', ...more });
    const operators = [owner('a'), owner('b'), owner('c', { expiresAtMs: NOW_MS })];
    await put(store, { operators });
    const gone = { kind: 'operator', action: 'delete', expect: 'any', value: null } as const;
    const answers = await Promise.allSettled([
      put(store, { operators: [owner('a', { revokedAtMs: NOW_MS })] }),
      store.change([{ ...gone, id: 'b' }], BY),
    ]);
    assert.deepEqual(
      answers.map(({ status }) => status),
      ['fulfilled', 'rejected'],
    );
    const lessened = [{ role: 'viewer' }, { revokedAtMs: 1 }, { expiresAtMs: NOW_MS + 1 }] as const;
    for (const more of lessened) {
      await refused(put(store, { operators: [owner('b', more)] }), 'LAST_OWNER', /another owner/);
    }
    await refused(store.change([{ ...gone, id: 'b' }], BY), 'LAST_OWNER');
    await store.change([{ ...gone, id: 'c' }], BY);
    await put(store, { operators: [owner('d')] });
    await store.change([{ ...gone, id: 'b' }], BY);
  });

  check('an operator is found by its token, revoked or expired too', async (store) => {
    const gone = operator('gone', { revokedAtMs: 1, expiresAtMs: 1 });
    const changes = heard(store);
    await put(store, { operators: [operator('o1'), gone] });
    assert.equal(await store.operatorIdOfToken('mac-of-o1'), 'o1');
    assert.equal(await store.operatorIdOfToken('mac-of-gone'), 'gone');
    assert.equal(await store.operatorIdOfToken('mac-of-nobody'), undefined);
    const announced = ['o1', 'gone'].map((operatorId) => ({ kind: 'operator', operatorId }));
    assert.deepEqual(changes, announced);
    const twin = operator('o2', { tokenMac: 'mac-of-o1' });
    await refused(put(store, { operators: [twin] }), 'INVALID_REQUEST', /token of another/);
  });
}
