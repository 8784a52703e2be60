/** What every engine must do; run by each engine's own test. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { type Check, heard, refused, targets } from './contract-checks.ts';
import { audit, HOUSEHOLD, key, NOW_MS, placed, put, session } from './contract-samples.ts';
import { auditContract } from './contract-suite-audit.ts';
import { ordersContract } from './contract-suite-orders.ts';
import { recordsContract } from './contract-suite-records.ts';
import { requestsContract } from './contract-suite-requests.ts';
import { resourcesContract } from './contract-suite-resources.ts';
import { sessionsContract } from './contract-suite-sessions.ts';
import { venueContract } from './contract-suite-venue.ts';
import type { Change, Store } from './store.ts';

/**
 * Runs the suite.
 *
 * @param name of the engine
 * @param open gives a new and empty store; the suite closes it
 */
export function storeContract(name: string, open: () => Promise<Store>): void {
  /** A test with a store of its own. */
  const check = (what: string, body: (store: Store) => Promise<void>) =>
    test(what, async () => {
      const store = await open();
      try {
        await body(store);
      } finally {
        await store.close();
      }
    });
  describe(`store on ${name}`, () => {
    notesContract(check);
    recordsContract(check);
    resourcesContract(check);
    requestsContract(check);
    keyContract(check);
    sessionContract(check);
    sessionsContract(check);
    auditContract(check);
    ordersContract(check);
    venueContract(check);
    changesContract(check);
    lifeContract(check);
  });
}

function notesContract(check: Check): void {
  check('what is noted first stays noted', async (store) => {
    assert.equal(await store.meta('check'), undefined);
    const answers = await Promise.all([
      store.noteMeta('check', 'one'),
      store.noteMeta('check', 'two'),
      store.noteMeta('other', 'three'),
    ]);
    assert.deepEqual(answers, ['one', 'one', 'three']);
    assert.equal(await store.noteMeta('check', 'four'), 'one');
    assert.equal(await store.meta('check'), 'one');
  });

  check('signing keys come newest first, each with its audit entry', async (store) => {
    assert.deepEqual(await store.signingKeys(), []);
    const older = { id: 'older', sealed: 'v1.aaa', createdAtMs: NOW_MS };
    const newer = { id: 'newer', sealed: 'v1.bbb', createdAtMs: NOW_MS + 1 };
    await store.addSigningKey(newer, audit('signing-key.add', 'newer'));
    await store.addSigningKey(older, audit('signing-key.add', 'older'));
    assert.deepEqual(await store.signingKeys(), [newer, older]);
    await refused(store.addSigningKey(older, audit('signing-key.add', 'again')), 'INTERNAL');
    assert.deepEqual(await targets(store), ['signing-key.add newer', 'signing-key.add older']);
  });

  check('audit entries are read whole, in order, page by page', async (store) => {
    const detail = { names: ['a', 'б'], count: 2, nested: { none: null } };
    const entries = ['one', 'two', 'three'].map((target) =>
      audit('note.add', target, { detail, actor: 'key:k', remoteAddress: '2001:db8::1' }),
    );
    for (const entry of entries) {
      const key = { id: entry.target, sealed: 'v1.aaa', createdAtMs: NOW_MS };
      await store.addSigningKey(key, entry);
    }
    const all = await store.audit(0, 10);
    assert.deepEqual(
      all.map(({ sequence, ...entry }) => entry),
      entries,
    );
    const sequences = all.map((entry) => entry.sequence);
    assert.deepEqual(
      sequences,
      sequences.toSorted((a, b) => a - b),
    );
    const [first, second] = sequences as [number, number, number];
    assert.deepEqual(await store.audit(first, 1), all.slice(1, 2));
    assert.deepEqual(await store.audit(second, 10), all.slice(2));
    assert.deepEqual(await store.audit(0, 0), []);
    assert.deepEqual(await store.audit(0, -1), []);
  });
}

function keyContract(check: Check): void {
  check('a key is revoked once, with one audit entry', async (store) => {
    await put(store, HOUSEHOLD);
    const changes = heard(store);
    assert.equal(await store.revokeKey('nobody', NOW_MS, audit('key.revoke', 'nobody')), false);
    assert.equal(await store.revokeKey('k1', NOW_MS, audit('key.revoke', 'k1')), true);
    assert.equal(await store.revokeKey('k1', NOW_MS + 5, audit('key.revoke', 'k1')), false);
    assert.equal((await store.holdings('k1'))?.key.revokedAtMs, NOW_MS);
    assert.deepEqual(changes, [{ kind: 'key', keyId: 'k1' }]);
    assert.deepEqual(await targets(store), ['key.revoke k1']);
  });

  check('a key is found by its secret, revoked or expired too', async (store) => {
    const keys = [
      key('k1', 'c1'),
      key('gone', 'c1', { revokedAtMs: NOW_MS }),
      key('old', 'c1', { expiresAtMs: 1 }),
    ];
    await put(store, { ...HOUSEHOLD, keys });
    assert.equal(await store.keyIdOfSecret('mac-of-k1', NOW_MS), 'k1');
    assert.equal(await store.keyIdOfSecret('mac-of-gone', NOW_MS), 'gone');
    assert.equal(await store.keyIdOfSecret('mac-of-old', NOW_MS), 'old');
    assert.equal(await store.keyIdOfSecret('mac-of-nobody', NOW_MS), undefined);
  });
}

function sessionContract(check: Check): void {
  const create = (store: Store, id: string, keyId: string) =>
    store.createSession(session(id, keyId), audit('session.create', id));

  check('a session is recorded whole, with its audit entry', async (store) => {
    await put(store, HOUSEHOLD);
    assert.equal(await store.session('one'), undefined);
    assert.equal(await create(store, 'one', 'k1'), true);
    assert.deepEqual(await store.session('one'), session('one', 'k1'));
    assert.deepEqual(await targets(store), ['session.create one']);
  });

  check('no session of a key that is not there, revoked or expired', async (store) => {
    const keys = [
      key('revoked', 'c1', { revokedAtMs: NOW_MS - 1 }),
      key('expired', 'c1', { expiresAtMs: NOW_MS }),
      key('almost', 'c1', { expiresAtMs: NOW_MS + 1 }),
    ];
    await put(store, { ...HOUSEHOLD, keys });
    for (const keyId of ['nobody', 'revoked', 'expired']) {
      assert.equal(await create(store, `of-${keyId}`, keyId), false, keyId);
      assert.equal(await store.session(`of-${keyId}`), undefined, keyId);
    }
    assert.equal(await create(store, 'of-almost', 'almost'), true);
    assert.deepEqual(await targets(store), ['session.create of-almost']);
  });

  check('a revocation that came first wins, even in the same moment', async (store) => {
    await put(store, HOUSEHOLD);
    const answers = await Promise.all([
      create(store, 'before', 'k1'),
      store.revokeKey('k1', NOW_MS, audit('key.revoke', 'k1')),
      create(store, 'after', 'k1'),
    ]);
    assert.deepEqual(answers, [true, true, false]);
    assert.equal(await store.session('after'), undefined);
  });

  check('an id given twice is refused, and its neighbours are not', async (store) => {
    await put(store, HOUSEHOLD);
    const answers = await Promise.allSettled([
      create(store, 'one', 'k1'),
      create(store, 'one', 'k1'),
      create(store, 'two', 'k1'),
    ]);
    assert.deepEqual(
      answers.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
    assert.deepEqual(await targets(store), ['session.create one', 'session.create two']);
  });

  check('a session is revoked once; those that would live on are listed', async (store) => {
    await put(store, HOUSEHOLD);
    for (const id of ['one', 'two']) await create(store, id, 'k1');
    const changes = heard(store);
    const expiresAtMs = session('one', 'k1').expiresAtMs;
    const revoke = (id: string) => store.revokeSession(id, NOW_MS + 7, audit('session.revoke', id));
    assert.deepEqual(
      [await revoke('nobody'), await revoke('one'), await revoke('one')],
      [false, true, false],
    );
    assert.equal((await store.session('one'))?.revokedAtMs, NOW_MS + 7);
    assert.equal((await store.session('two'))?.revokedAtMs, null);
    assert.deepEqual(changes, [{ kind: 'session-revoked', sessionId: 'one', expiresAtMs }]);
    assert.deepEqual((await targets(store)).slice(2), ['session.revoke one']);
    const listed = [{ sessionId: 'one', expiresAtMs }];
    assert.deepEqual(await store.revokedSessions(expiresAtMs - 1), listed);
    assert.deepEqual(await store.revokedSessions(expiresAtMs), []);
  });
}

function changesContract(check: Check): void {
  check('a change is announced before its write resolves, once it can be read', async (store) => {
    await put(store, HOUSEHOLD);
    const events: string[] = [];
    let seen: Promise<number | null | undefined> | undefined;
    store.subscribe(() => {
      events.push('announced');
      seen = store.holdings('k1').then((holdings) => holdings?.key.revokedAtMs);
    });
    await store.revokeKey('k1', NOW_MS, audit('key.revoke', 'k1')).then(() => {
      events.push('resolved');
    });
    assert.deepEqual(events, ['announced', 'resolved']);
    assert.equal(await seen, NOW_MS);
  });

  check('a listener that throws keeps nobody from hearing', async (store) => {
    await put(store, HOUSEHOLD);
    store.subscribe(() => {
      throw new Error('a listener threw, as this test wants it');
    });
    const changes = heard(store);
    const warned = once(process, 'warning');
    assert.equal(await store.revokeKey('k1', NOW_MS, audit('key.revoke', 'k1')), true);
    assert.equal(changes.length, 1);
    const [warning] = (await warned) as [Error];
    assert.match(warning.message, /as this test wants it/);
  });

  check('who unsubscribed hears no more', async (store) => {
    const changes: Change[] = [];
    const listener = (change: Change) => changes.push(change);
    const unsubscribe = store.subscribe(listener);
    store.subscribe(listener);
    await put(store, HOUSEHOLD);
    const before = changes.length;
    unsubscribe();
    await store.revokeKey('k1', NOW_MS, audit('key.revoke', 'k1'));
    assert.equal(changes.length - before, 1);
  });
}

function lifeContract(check: Check): void {
  check('close finishes what was asked before, and refuses what comes after', async (store) => {
    await store.ping();
    await put(store, HOUSEHOLD);
    const asked = ['one', 'two', 'three'].map((id) =>
      store.createSession(session(id, 'k1'), audit('session.create', id)),
    );
    const closed = store.close();
    const late = [
      store.createSession(session('late', 'k1'), audit('session.create', 'late')),
      store.noteMeta('late', 'late'),
      store.meta('late'),
      store.holdings('k1'),
      store.session('one'),
      store.recordOrders([placed('late')], []),
      store.orders('a1', 1),
      store.venuePosition(),
      store.orderLog(0, 1),
      store.prices(0, 1),
      store.audit(0, 1),
      store.ping(),
    ];
    for (const promise of late) await refused(promise, 'UNAVAILABLE');
    assert.deepEqual(await Promise.all(asked), [true, true, true]);
    await closed;
    await store.close();
    await refused(store.ping(), 'UNAVAILABLE');
  });
}
