/** Batches and the thread that runs them, when something goes wrong; and how queries are done. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { refused, targets } from '../contract-checks.ts';
import { AUDIT_KEY, audit, HOUSEHOLD, put, session } from '../contract-samples.ts';
import { changed } from '../sql/query.ts';
import { READ_SQL } from '../sql/reads.ts';
import { SqlStore } from '../sql/sql-store.ts';
import { WRITE_SQL, WRITES } from '../sql/writes.ts';
import type { Write } from '../writes.ts';
import { runBatch } from './batch.ts';
import { Connection } from './connection.ts';
import { migrate, readMigrations } from './migrate.ts';
import { SqliteReader } from './reader.ts';
import { WorkerRunner } from './runners.ts';
import { openSqlite } from './sqlite.ts';

const folder = mkdtempSync(join(tmpdir(), 'propusk-store-'));
after(() => rmSync(folder, { recursive: true }));

function memory(): Connection {
  const db = new Connection(new DatabaseSync(':memory:'));
  migrate(db, readMigrations(), ':memory:');
  return db;
}

const note = (name: string): Write<'noteMeta'> => ({ name: 'noteMeta', args: [name, 'noted'] });
const notes = (db: Connection) => db.all<{ name: string }>('SELECT name FROM meta ORDER BY name');

test('a COMMIT that fails takes the whole batch along, and the next one is taken', () => {
  const db = memory();
  // A reference that is checked at COMMIT, and broken.
  db.exec('CREATE TABLE late (x TEXT REFERENCES meta (name) DEFERRABLE INITIALLY DEFERRED)');
  const noteMeta: typeof WRITES.noteMeta = function* (args, log) {
    if (args[0] === 'bad') yield* changed('INSERT INTO late VALUES (?)', 'nowhere');
    return yield* WRITES.noteMeta(args, log);
  };
  const table = { ...WRITES, noteMeta };
  const outcomes = runBatch(db, table, [note('good'), note('bad')]);
  for (const outcome of outcomes) {
    assert.ok(!outcome.ok);
    assert.equal(outcome.failure.reason, 'UNAVAILABLE');
    assert.match(String(outcome.failure.cause), /FOREIGN KEY constraint failed \(SQLite error 787/);
  }
  assert.equal(outcomes.length, 2);
  assert.deepEqual(notes(db), []);
  assert.deepEqual(
    runBatch(db, table, [note('good')]).map(({ ok }) => ok),
    [true],
  );
  assert.deepEqual(
    notes(db).map(({ name }) => name),
    ['good'],
  );
  db.close();
});

test('a write that fails leaves nothing of itself, and its neighbours alone', () => {
  const db = memory();
  const noteMeta: typeof WRITES.noteMeta = function* (args, log) {
    const done = yield* WRITES.noteMeta(args, log);
    if (args[0] === 'bad') throw new TypeError('a fault of ours');
    return done;
  };
  const outcomes = runBatch(db, { ...WRITES, noteMeta }, [note('a'), note('bad'), note('b')]);
  assert.deepEqual(
    outcomes.map(({ ok }) => ok),
    [true, false, true],
  );
  const [, failed] = outcomes;
  assert.ok(failed && !failed.ok);
  assert.equal(failed.failure.reason, 'INTERNAL');
  assert.match(String(failed.failure.cause), /a fault of ours/);
  assert.deepEqual(
    notes(db).map(({ name }) => name),
    ['a', 'b'],
  );
  db.close();
});

test('writes have savepoints only where one of them is refused', () => {
  const db = memory();
  const statements: string[] = [];
  const run = db.run.bind(db);
  db.run = (sql, ...values) => {
    statements.push(sql.trim().split(' ').slice(0, 2).join(' '));
    return run(sql, ...values);
  };
  const outcomes = runBatch(db, WRITES, [note('a'), note('b')]);
  assert.ok(outcomes.every(({ ok }) => ok));
  const insert = 'INSERT INTO';
  assert.deepEqual(statements, ['BEGIN IMMEDIATE', insert, insert, 'COMMIT']);
  statements.length = 0;
  const [c, bad] = runBatch(db, WRITES, [note('c'), note('bad\0')]);
  assert.deepEqual([c?.ok, bad?.ok], [true, false]);
  const once = ['SAVEPOINT one_write', insert, 'RELEASE SAVEPOINT'];
  const undone = ['SAVEPOINT one_write', 'ROLLBACK TO', 'RELEASE SAVEPOINT'];
  const begun = ['BEGIN IMMEDIATE', insert, 'ROLLBACK', 'BEGIN IMMEDIATE'];
  assert.deepEqual(statements, [...begun, ...once, ...undone, 'COMMIT']);
  assert.deepEqual(
    notes(db).map(({ name }) => name),
    ['a', 'b', 'c'],
  );
  db.close();
});

test('a transaction that another connection holds is waited for, then refused', () => {
  const path = join(folder, 'busy.db');
  const holder = new DatabaseSync(path);
  const db = new Connection(new DatabaseSync(path, { timeout: 1 }));
  migrate(db, readMigrations(), path);
  holder.exec('BEGIN IMMEDIATE');
  const [outcome] = runBatch(db, WRITES, [note('a')]);
  assert.ok(outcome && !outcome.ok);
  assert.equal(outcome.failure.reason, 'UNAVAILABLE');
  holder.exec('ROLLBACK');
  assert.ok(runBatch(db, WRITES, [note('a')])[0]?.ok);
  holder.close();
  db.close();
});

test('what is not data is refused, and its neighbours are not', async () => {
  const store = await openSqlite(`sqlite:${join(folder, 'data.db')}`, { auditKey: AUDIT_KEY });
  await put(store, HOUSEHOLD);
  const create = (id: string, detail: Record<string, unknown>) =>
    store.createSession(session(id, 'k1'), audit('session.create', id, { detail }));
  const [one, two, three, four] = await Promise.allSettled([
    create('one', {}),
    create('two', { what: () => {} }),
    create('three', { big: 1n }),
    create('four', {}),
  ]);
  assert.ok(two.status === 'rejected' && three.status === 'rejected');
  assert.deepEqual([one.status, four.status], ['fulfilled', 'fulfilled']);
  assert.deepEqual(await targets(store), ['session.create one', 'session.create four']);
  assert.equal(await store.session('three'), undefined);
  await store.close();
});

test('a worker that dies: what waits is refused, and so is everything after it', async () => {
  const program = `
    import { parentPort } from 'node:worker_threads';
    parentPort.on('message', () => { throw new Error('the worker died'); });
    parentPort.postMessage({ kind: 'ready' });`;
  const url = new URL(`data:text/javascript,${encodeURIComponent(program)}`);
  const runner = await WorkerRunner.start('unused', undefined, url);
  const store = new SqlStore({ reader: new SqliteReader(memory()), runner });
  await store.ping();
  const waiting = [store.noteMeta('a', 'b'), store.noteMeta('c', 'd')];
  for (const promise of waiting) await refused(promise, 'UNAVAILABLE');
  await refused(store.noteMeta('e', 'f'), 'UNAVAILABLE');
  await refused(store.ping(), 'UNAVAILABLE', /writer has stopped/);
  await store.close();
});

test('a worker that cannot start says why', async () => {
  const url = new URL('data:text/javascript,throw new Error("no disk today")');
  await assert.rejects(WorkerRunner.start('unused', undefined, url), { message: 'no disk today' });
});

/** The steps of a query that read a whole table, or sort what an index could have sorted. */
function slowSteps(db: Connection, sql: string): string[] {
  return db
    .all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)
    .map(({ detail }) => detail)
    .filter((detail) => /^SCAN|TEMP B-TREE/.test(detail));
}

/** All of the few signing keys are wanted, and all of an index that holds what is open alone. */
const WANTED_WHOLE: Readonly<Record<string, string>> = {
  signingKeys: 'SCAN signing_key USING INDEX',
  openOrders: 'SCAN placed_order USING INDEX placed_order_open',
  // The one row of its two numbers, each found by an index.
  venuePosition: 'SCAN CONSTANT ROW',
  // There are few operators, and they seldom change.
  otherOwner: 'SCAN operator',
};

test('every query finds what it needs by an index', () => {
  const db = memory();
  assert.equal(slowSteps(db, 'SELECT id FROM session WHERE source_app_id = 1').length, 1);
  assert.equal(slowSteps(db, 'SELECT id FROM session WHERE id = 1 ORDER BY client_id').length, 0);
  for (const [name, sql] of [...Object.entries(READ_SQL), ...Object.entries(WRITE_SQL)]) {
    const allowed = WANTED_WHOLE[name];
    const slow = slowSteps(db, sql).filter((step) => !allowed || !step.startsWith(allowed));
    assert.deepEqual(slow, [], name);
  }
  db.close();
});
