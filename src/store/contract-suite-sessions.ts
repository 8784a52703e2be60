/** The part of the engines' suite that is about sessions together: listed and revoked. */
import assert from 'node:assert/strict';
import { type Check, heard, refused, targets } from './contract-checks.ts';
import { audit, BY, client, HOUSEHOLD, key, NOW_MS, put, session } from './contract-samples.ts';
import type { SessionQuery, Store } from './store.ts';

/** Sessions of k1 and k2 of client c1, and of k3 of c2; each ends when its number says. */
async function household(store: Store): Promise<void> {
  await put(store, HOUSEHOLD);
  await put(store, { clients: [client('c2')], keys: [key('k2', 'c1'), key('k3', 'c2')] });
  const ends: readonly (readonly [id: string, keyId: string, endsAfterMs: number])[] = [
    ...([
      ['b', 'k1', 30],
      ['a', 'k1', 30],
      ['c', 'k1', 10],
      ['d', 'k1', 5],
    ] as const),
    ...([
      ['e', 'k2', 20],
      ['f', 'k3', 20],
    ] as const),
  ];
  for (const [id, keyId, endsAfterMs] of ends) {
    const made = session(id, keyId, { expiresAtMs: NOW_MS + endsAfterMs });
    await store.createSession(made, audit('session.create', id));
  }
  await store.revokeSession('d', NOW_MS, audit('session.revoke', 'd'));
}

async function ids(store: Store, query: Partial<SessionQuery>): Promise<string> {
  const found = await store.sessions({ activeAtMs: NOW_MS, limit: 10, ...query });
  return found.map(({ id }) => id).join('');
}

/** A detail of a revocation, whose sessions come in any order. */
function sortedIds(detail: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return { ...detail, sessionIds: (detail.sessionIds as string[]).toSorted() };
}

/** Declares the tests. */
export function sessionsContract(check: Check): void {
  check('a session is not recorded for a secret that works no more', async (store) => {
    await put(store, HOUSEHOLD);
    const rotated = { secretMac: 'new', previousSecretMac: 'mac-of-k1' };
    await put(store, {
      keys: [key('k1', 'c1', { ...rotated, previousSecretEndsAtMs: NOW_MS + 2 })],
    });
    const opened = (id: string, atMs: number, mac?: string) =>
      store.createSession(session(id, 'k1'), { ...audit('session.create', id), atMs }, mac);
    assert.equal(await opened('a', NOW_MS + 1, 'mac-of-k1'), true);
    assert.equal(await opened('b', NOW_MS + 2, 'mac-of-k1'), false);
    assert.equal(await opened('c', NOW_MS + 2, 'new'), true);
    assert.equal(await opened('d', NOW_MS, 'other'), false);
    assert.equal(await opened('e', NOW_MS + 2), true);
    assert.equal(await ids(store, { keyId: 'k1' }), 'ace');
    // The rotation was first, and its batch holds the session as well.
    const put1 = put(store, { keys: [key('k1', 'c1', { secretMac: 'newer' })] });
    const late = opened('f', NOW_MS, 'new');
    await put1;
    assert.equal(await late, false);
  });

  check('a text with U+0000 is refused, and nothing beside it', async (store) => {
    await put(store, HOUSEHOLD);
    const open = (id: string, sourceAppId: string) =>
      store.createSession(session(id, 'k1', { sourceAppId }), audit('session.create', id));
    const [before, odd, after] = [open('a', 'x'), open('b', 'x\0'), open('c', 'x')];
    await refused(odd, 'INVALID_REQUEST', /U\+0000/);
    assert.deepEqual(await Promise.all([before, after]), [true, true]);
    assert.equal(await ids(store, { keyId: 'k1' }), 'ac');
    assert.deepEqual(await targets(store), ['session.create a', 'session.create c']);
    await refused(put(store, { clients: [client('c\0')] }), 'INVALID_REQUEST', /U\+0000/);
    for (const asked of [
      () => store.get('client', 'c\0'),
      () => store.list('key', { clientId: 'c\0', limit: 1 }),
      () => store.session('\0'),
      () => store.order('1', '\0'),
      () => store.findAudit({ actor: '\0', limit: 1 }),
    ]) {
      await refused(asked(), 'INVALID_REQUEST', /U\+0000/);
    }
    assert.equal((await store.get('client', 'c1'))?.id, 'c1');
  });

  check('active sessions of a key or a client, page by page', async (store) => {
    await household(store);
    assert.equal(await ids(store, { keyId: 'k1' }), 'cab');
    assert.equal(await ids(store, { keyId: 'k1', activeAtMs: NOW_MS + 9 }), 'cab');
    assert.equal(await ids(store, { keyId: 'k1', activeAtMs: NOW_MS + 10 }), 'ab');
    assert.equal(await ids(store, { clientId: 'c1' }), 'cabe');
    assert.equal(await ids(store, { clientId: 'c2' }), 'f');
    assert.equal(await ids(store, { clientId: 'nobody' }), '');
    assert.equal(await ids(store, { keyId: 'k1', limit: 0 }), '');
    for (const owner of [{ keyId: 'k1' }, { clientId: 'c1' }]) {
      let all = '';
      for (;;) {
        const afterId = all.at(-1);
        const page = await ids(store, { ...owner, limit: 1, ...(afterId ? { afterId } : {}) });
        if (page === '') break;
        all += page;
      }
      assert.equal(all, 'keyId' in owner ? 'cab' : 'cabe');
    }
    const [found] = await store.sessions({ keyId: 'k2', activeAtMs: NOW_MS, limit: 1 });
    assert.deepEqual(found, session('e', 'k2', { expiresAtMs: NOW_MS + 20 }));
    await assert.rejects(ids(store, { keyId: 'k1', afterId: 'gone' }), /list from the beginning/);
  });

  check('all sessions of a key or a client are revoked, with one audit entry', async (store) => {
    await household(store);
    const changes = heard(store);
    const entry = audit('session.revoke-all', 'key:k1');
    assert.equal(await store.revokeSessions({ keyId: 'k1' }, NOW_MS + 1, entry), 3);
    assert.equal(await store.revokeSessions({ keyId: 'k1' }, NOW_MS + 1, entry), 0);
    assert.deepEqual(
      changes.map((each) => each.kind === 'session-revoked' && each.sessionId).sort(),
      ['a', 'b', 'c'],
    );
    assert.equal((await store.session('a'))?.revokedAtMs, NOW_MS + 1);
    assert.equal((await store.session('d'))?.revokedAtMs, NOW_MS);
    const detail = { sessions: 3, sessionIds: ['a', 'b', 'c'] };
    assert.deepEqual(sortedIds((await store.audit(0, 100)).at(-1)?.detail), detail);
    const other = audit('session.revoke-all', 'client:c1');
    assert.equal(await store.revokeSessions({ clientId: 'c1' }, NOW_MS + 2, other), 1);
    assert.equal(await ids(store, { clientId: 'c2' }), 'f');
    assert.deepEqual((await targets(store)).slice(-2), [
      'session.revoke-all key:k1',
      'session.revoke-all client:c1',
    ]);
  });

  check('each entry of a revocation names at most 500 sessions', async (store) => {
    await put(store, HOUSEHOLD);
    const ids = Array.from({ length: 1_100 }, (_, i) => `s${i}`);
    await Promise.all(
      ids.map((id) => store.createSession(session(id, 'k1'), audit('session.create', id))),
    );
    const told = async () =>
      (await store.findAudit({ action: 'session.revoke', limit: 10 })).entries.map(
        ({ target, detail }) => [target, detail.sessions, detail.sessionIds] as const,
      );
    const entry = audit('session.revoke', 'key:k1');
    assert.equal(await store.revokeSessions({ keyId: 'k1' }, NOW_MS + 1, entry), 1_100);
    const entries = await told();
    assert.deepEqual(
      entries.map(([, sessions]) => sessions),
      [500, 500, 100],
    );
    assert.deepEqual(entries.flatMap(([, , named]) => named as string[]).sort(), ids.sort());
    // A key that is deleted takes them along.
    const more = Array.from({ length: 501 }, (_, i) => `t${i}`);
    await Promise.all(
      more.map((id) => store.createSession(session(id, 'k1'), audit('session.create', id))),
    );
    const gone = { kind: 'key', id: 'k1', action: 'delete', value: null } as const;
    await store.change([{ ...gone, expect: 'any' }], { ...BY, atMs: NOW_MS + 2 });
    const [deletion] = (await store.findAudit({ action: 'key.delete', limit: 1 })).entries;
    const { before: _, ...named } = deletion?.detail ?? {};
    const last = (await told()).at(-1);
    assert.deepEqual([named.sessions, last?.[0], last?.[1]], [500, 'key:k1', 1]);
    const all = [named.sessionIds, last?.[2]].flat();
    assert.deepEqual(all.sort(), more.sort());
  });
}
