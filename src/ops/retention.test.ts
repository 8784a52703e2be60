import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openSqlite } from '../store/sqlite/sqlite.ts';
import type { Store } from '../store/store.ts';
import { pruneOnce, retainAudit } from './retention.ts';

const NOW_MS = 1_750_000_000_000;
const KEPT_MS = 1_000_000;

async function filled(entries: number): Promise<Store> {
  const store = await openSqlite('sqlite::memory:');
  for (let i = 0; i < entries; i++) {
    const key = { id: `${i}`, sealed: 'v1', createdAtMs: i };
    const what = { actor: 'propusk', action: 'note.add', target: `${i}`, remoteAddress: '' };
    await store.addSigningKey(key, { ...what, atMs: NOW_MS - KEPT_MS - 1200 + i, detail: {} });
  }
  return store;
}

const options = (store: Pick<Store, 'pruneAudit'>) => ({
  store,
  clock: { now: () => NOW_MS },
  keptMs: KEPT_MS,
  onPruned: () => {},
  onFailure: (error: unknown) => assert.fail(String(error)),
});

test('what is too old goes, however many there are, and one entry says so', async () => {
  const store = await filled(1_300);
  assert.equal(await pruneOnce(options(store)), 1_200);
  const left = await store.audit(0, 1_000);
  assert.deepEqual(
    [left.length, left[0]?.target, left.at(-1)?.action, left.at(-1)?.detail],
    [101, '1200', 'audit.prune', { untilMs: NOW_MS - KEPT_MS }],
  );
  assert.equal(await pruneOnce(options(store)), 0);
  assert.equal((await store.audit(0, 1_000)).length, 101);
  await store.close();
});

test('it begins at once, tells what is gone, and ends after the step under way', async () => {
  const store = await filled(1_300);
  const told: number[] = [];
  const end = retainAudit({ ...options(store), onPruned: (entries) => told.push(entries) });
  await end();
  assert.deepEqual(told, [500]);
  await store.close();
});

test('what fails is told, and tried again with the next look', async () => {
  const failures: unknown[] = [];
  const broken = new Error('no disk');
  const end = retainAudit({
    ...options({ pruneAudit: () => Promise.reject(broken) }),
    onFailure: (error) => failures.push(error),
  });
  await end();
  assert.deepEqual(failures, [broken]);
});
