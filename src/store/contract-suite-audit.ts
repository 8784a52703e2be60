/** The part of the engines' suite that is about the audit log: found, and pruned. */
import assert from 'node:assert/strict';
import type { Check } from './contract-checks.ts';
import { audit, HOUSEHOLD, NOW_MS, put, session } from './contract-samples.ts';
import type { AuditQuery, Store } from './store.ts';

/** Twenty entries, a second apart, by two actors, about four targets. */
async function fill(store: Store): Promise<void> {
  for (let i = 1; i <= 20; i++) {
    const key = { id: `s${i}`, sealed: 'v1', createdAtMs: i };
    const entry = audit(i % 2 ? 'note.add' : 'note.drop', `t${i % 4}`, {
      atMs: NOW_MS + i * 1000,
      actor: i <= 10 ? 'operator:one' : 'operator:two',
    });
    await store.addSigningKey(key, entry);
  }
}

async function found(store: Store, query: Partial<AuditQuery>): Promise<number[]> {
  const all: number[] = [];
  let cursor: number | undefined;
  do {
    const page = await store.findAudit({ limit: 3, ...query, ...(cursor ? { cursor } : {}) });
    assert.ok(page.entries.length <= 3);
    all.push(...page.entries.map(({ sequence }) => sequence));
    cursor = page.cursor;
  } while (cursor !== undefined);
  return all;
}

/** Declares the tests. */
export function auditContract(check: Check): void {
  check('entries are found by who, what, to what and when, both ways', async (store) => {
    assert.deepEqual(await store.findAudit({ limit: 5 }), { entries: [], cursor: undefined });
    await fill(store);
    const all = Array.from({ length: 20 }, (_, i) => i + 1);
    const sought: readonly (readonly [Partial<AuditQuery>, (sequence: number) => boolean])[] = [
      [{}, () => true],
      [{ actor: 'operator:one' }, (i) => i <= 10],
      [{ action: 'note.add' }, (i) => i % 2 === 1],
      [{ target: 't3' }, (i) => i % 4 === 3],
      [{ sinceMs: NOW_MS + 5000, untilMs: NOW_MS + 9000 }, (i) => i >= 5 && i < 9],
      [{ actor: 'operator:two', action: 'note.drop', target: 't0' }, (i) => i > 10 && i % 4 === 0],
      [{ actor: 'nobody' }, () => false],
    ];
    for (const [query, isSought] of sought) {
      const expected = all.filter(isSought);
      assert.deepEqual(await found(store, query), expected);
      assert.deepEqual(await found(store, { ...query, newestFirst: true }), expected.toReversed());
    }
    const [first] = (await store.findAudit({ limit: 1 })).entries;
    assert.deepEqual(first, (await store.audit(0, 1))[0]);
  });

  check('the oldest entries are pruned, with the sessions that they made', async (store) => {
    await put(store, HOUSEHOLD);
    const add = (id: string, atMs: number, endsAtMs: number) =>
      store.createSession(
        session(id, 'k1', { expiresAtMs: endsAtMs }),
        audit('session.create', `session:${id}`, { atMs }),
      );
    await add('old', NOW_MS + 1, NOW_MS + 5);
    await add('living', NOW_MS + 2, NOW_MS + 500);
    await add('new', NOW_MS + 200, NOW_MS + 300);
    const note = audit('audit.prune', 'audit', { atMs: NOW_MS + 100 });
    assert.equal(await store.pruneAudit(NOW_MS, 100, note), 0);
    assert.equal(await store.pruneAudit(NOW_MS + 100, 2, note), 2);
    assert.equal(await store.pruneAudit(NOW_MS + 100, 100), 5, 'up to the living session');
    assert.equal(await store.session('old'), undefined);
    const left = async () => (await store.audit(0, 100)).map(({ target }) => target);
    assert.deepEqual(await left(), ['session:living', 'session:new', 'audit']);
    assert.equal(await store.pruneAudit(NOW_MS + 501, 100), 3, 'all of it');
    assert.deepEqual(await left(), []);
    // The log goes on where it was.
    await add('next', NOW_MS + 600, NOW_MS + 700);
    assert.equal((await store.audit(0, 10))[0]?.sequence, 11);
  });
}
