import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { AUDIT_KEY, HOUSEHOLD, put } from '../contract-samples.ts';
import type { Migration } from '../migrations.ts';
import { readHeads } from '../sql/audit-points.ts';
import { StoreError } from '../store.ts';
import { Connection, openWriter } from './connection.ts';
import { verifyFile } from './maintenance.ts';
import { APPLICATION_ID, migrate, readMigrations } from './migrate.ts';
import { openSqlite } from './sqlite.ts';

const folder = mkdtempSync(join(tmpdir(), 'propusk-store-'));
after(() => rmSync(folder, { recursive: true }));

const FIRST: Migration = {
  version: 1,
  name: '0001_first.sql',
  sql: 'CREATE TABLE a (id TEXT PRIMARY KEY); CREATE TABLE b (a_id TEXT REFERENCES a (id));',
};
const second = (sql: string): Migration => ({ version: 2, name: '0002_second.sql', sql });
const memory = () => new Connection(new DatabaseSync(':memory:'));
const tablesOf = (db: Connection) =>
  db.all<{ name: string }>('SELECT name FROM sqlite_schema WHERE type = ? ORDER BY name', 'table');

test('the program’s migrations are numbered from 1 on, and make a database of ours', () => {
  const migrations = readMigrations();
  assert.deepEqual(
    migrations.map(({ version }) => version),
    migrations.map((_, i) => i + 1),
  );
  const db = memory();
  migrate(db, migrations, 'x.db');
  assert.equal(db.pragma('user_version'), migrations.length);
  assert.equal(db.pragma('application_id'), APPLICATION_ID);
  assert.equal(db.pragma('foreign_keys'), 1);
  assert.ok(tablesOf(db).length >= 11);
  db.close();
});

test('only what the database has not seen is applied, and what it holds stays', () => {
  const db = memory();
  migrate(db, [FIRST], 'x.db');
  db.run('INSERT INTO a (id) VALUES (?)', 'kept');
  migrate(db, [FIRST], 'x.db');
  migrate(db, [FIRST, second('ALTER TABLE a ADD COLUMN more INTEGER')], 'x.db');
  assert.equal(db.pragma('user_version'), 2);
  assert.deepEqual({ ...db.get('SELECT id, more FROM a') }, { id: 'kept', more: null });
  db.close();
});

test('a migration that fails leaves nothing of itself', () => {
  const db = memory();
  const bad = second('CREATE TABLE c (id TEXT); INSERT INTO nowhere VALUES (1)');
  assert.throws(() => migrate(db, [FIRST, bad], 'x.db'), {
    name: 'StoreError',
    message: 'x.db: migration 0002_second.sql failed: no such table: nowhere',
  });
  assert.equal(db.pragma('user_version'), 1);
  assert.deepEqual(
    tablesOf(db).map(({ name }) => name),
    ['a', 'b'],
  );
  db.close();
});

test('a migration may build a table anew, but not break a reference', () => {
  const db = memory();
  migrate(db, [FIRST], 'x.db');
  db.exec(`INSERT INTO a VALUES ('x'); INSERT INTO b VALUES ('x')`);
  const anew = `
    CREATE TABLE a2 (id TEXT PRIMARY KEY, more TEXT);
    INSERT INTO a2 (id) SELECT id FROM a WHERE id <> 'LOST';
    DROP TABLE a;
    ALTER TABLE a2 RENAME TO a;`;
  const broken = second(anew.replace('LOST', 'x'));
  assert.throws(() => migrate(db, [FIRST, broken], 'x.db'), /a row of b lost what it refers to/);
  assert.equal(db.pragma('user_version'), 1);
  migrate(db, [FIRST, second(anew)], 'x.db');
  assert.equal(db.pragma('user_version'), 2);
  db.close();
});

test('a log from before there were several chains goes on as the first of them', async () => {
  const path = join(folder, 'one-chain.db');
  const url = `sqlite:${path}`;
  const options = { auditKey: AUDIT_KEY };
  let store = await openSqlite(url, options);
  await put(store, HOUSEHOLD);
  await store.close();
  const db = openWriter(path);
  const since = db.drive(readHeads());
  db.exec(`
    DROP TABLE last_price;
    ALTER TABLE audit DROP COLUMN chain;
    CREATE TABLE points AS SELECT name, writer, sequence, hash, mac FROM audit_point;
    DROP TABLE audit_point;
    CREATE TABLE audit_point (
      name TEXT NOT NULL PRIMARY KEY CHECK (name IN ('head', 'checkpoint')),
      writer TEXT NOT NULL,
      sequence INTEGER NOT NULL,
      hash TEXT NOT NULL,
      mac TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    INSERT INTO audit_point SELECT * FROM points;
    DROP TABLE points;
    PRAGMA user_version = 5;`);
  db.close();
  store = await openSqlite(url, options);
  await put(store, { clients: [{ id: 'new', name: 'new' }] });
  await store.close();
  const { faults, entries, heads } = verifyFile(path, AUDIT_KEY, { since });
  assert.deepEqual([faults, entries, heads.map(({ chain }) => chain)], [[], 7, [1]]);
});

test('a database newer than the program is refused in one line', async () => {
  const path = join(folder, 'newer.db');
  await (await openSqlite(`sqlite:${path}`)).close();
  const db = new DatabaseSync(path);
  db.exec('PRAGMA user_version = 99');
  db.close();
  const known = readMigrations().length;
  await assert.rejects(openSqlite(`sqlite:${path}`), (error) => {
    assert.ok(error instanceof StoreError);
    const expected = `${path} is at version 99, this propusk knows versions up to ${known}; `;
    assert.ok(error.message.startsWith(expected), error.message);
    assert.ok(!error.message.includes('\n'));
    return true;
  });
});
