/** The part of the engines' suite that is about the audit log: found, and pruned. */
import assert from 'node:assert/strict';
import type { AuditEntry } from '../domain/model.ts';
import type { Check } from './contract-checks.ts';
import { audit, BY, client, HOUSEHOLD, NOW_MS, put, session } from './contract-samples.ts';
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
    const sequences = (await store.audit(0, 100)).map(({ sequence }) => sequence);
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
      const expected = all.filter(isSought).map((i) => sequences[i - 1]);
      assert.deepEqual(await found(store, query), expected);
      assert.deepEqual(await found(store, { ...query, newestFirst: true }), expected.toReversed());
    }
    const [first] = (await store.findAudit({ limit: 1 })).entries;
    assert.deepEqual(first, (await store.audit(0, 1))[0]);
  });

  check('what the last entry about a resource said is said again before it goes', async (store) => {
    await put(store, HOUSEHOLD);
    const expect = (await store.get('client', 'c1'))?.version ?? 0;
    const renamed = { kind: 'client', id: 'c1', action: 'update', expect } as const;
    await store.change([{ ...renamed, value: { id: 'c1', name: 'renamed' } }], BY);
    const version = (await store.get('client', 'c1'))?.version;
    const keyVersion = (await store.get('key', 'k1'))?.version;
    const laterMs = NOW_MS + 1_000;
    const said = async () =>
      (await store.audit(0, 100)).map(({ action, target, actor, atMs, detail }) => {
        assert.deepEqual([action, actor], ['audit.carry', 'propusk']);
        return [target, detail.version, atMs];
      });
    assert.equal(await store.pruneAudit(NOW_MS + 1, 100, laterMs), 7);
    const first = await said();
    assert.deepEqual(first[5], ['client:c1', version, laterMs]);
    assert.deepEqual(first[4], ['key:k1', keyVersion, laterMs]);
    assert.equal(first.length, 6, 'what was said of the client before is not said again');
    const [carried] = await store.audit(0, 1);
    assert.deepEqual(carried?.detail.after, HOUSEHOLD.accounts[0]);
    assert.equal((await store.get('client', 'c1'))?.version, version);
    // It is as new as any other entry of its time, and no older than what it is pruned by.
    assert.equal(await store.pruneAudit(laterMs, 100, laterMs), 0);
    assert.equal(await store.pruneAudit(laterMs + 1, 4, 0), 4);
    assert.equal(await store.pruneAudit(laterMs + 1, 4, 0), 2);
    assert.equal(await store.pruneAudit(laterMs + 1, 4, 0), 0);
    const again = first.map(([target, of]) => [target, of, laterMs + 1]);
    assert.deepEqual(await said(), again);
    // Nothing is said of what is gone.
    const gone = { kind: 'subscription', id: 's1', action: 'delete', value: null } as const;
    await store.change([{ ...gone, expect: 'any' }], { ...BY, atMs: laterMs + 5 });
    assert.equal(await store.pruneAudit(laterMs + 6, 100, laterMs + 10), 7);
    assert.deepEqual(
      (await said()).map(([target]) => target),
      first.map(([target]) => target).filter((target) => target !== 'subscription:s1'),
    );
  });

  check('what must be said again of very many is said in steps', async (store) => {
    const clients = Array.from({ length: 250 }, (_, i) => client(`c${i}`));
    await put(store, { clients });
    const laterMs = NOW_MS + 1_000;
    const steps: number[] = [];
    do steps.push(await store.pruneAudit(laterMs, 500, laterMs));
    while (steps.at(-1) !== 0);
    assert.deepEqual(steps, [100, 100, 50, 0]);
    const targets = (await store.audit(0, 500)).map(({ target }) => target);
    assert.deepEqual(
      targets,
      clients.map(({ id }) => `client:${id}`),
    );
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
    assert.equal(await store.pruneAudit(NOW_MS, 100, NOW_MS + 100, note), 0);
    const prune = (untilMs: number, entriesMax: number, entry?: AuditEntry) =>
      store.pruneAudit(untilMs, entriesMax, NOW_MS + 1_000, entry);
    assert.equal(await prune(NOW_MS + 100, 2, note), 2);
    assert.equal(await prune(NOW_MS + 100, 100), 5, 'up to the living session');
    assert.equal(await store.session('old'), undefined);
    const left = async () => (await store.audit(0, 100)).map(({ target }) => target);
    const carried = [
      'client:c1',
      'account:a1',
      'account:a2',
      'plan:p1',
      'subscription:s1',
      'key:k1',
    ];
    assert.deepEqual(await left(), [
      ...['session:living', 'session:new'],
      ...[...carried.slice(0, 2), 'audit', ...carried.slice(2)],
    ]);
    assert.equal(await prune(NOW_MS + 501, 2), 2);
    assert.deepEqual((await left()).length, 7, 'what is from now stays');
    // The log goes on where it was.
    const last = (await store.audit(0, 100)).at(-1)?.sequence ?? 0;
    await add('next', NOW_MS + 600, NOW_MS + 700);
    const [next, ...none] = await store.audit(last, 10);
    assert.deepEqual([next?.target, none], ['session:next', []]);
  });
}
