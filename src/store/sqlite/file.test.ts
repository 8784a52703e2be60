/** Opening: what is made, with which rights, and what is refused in one line. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { StoreError } from '../store.ts';
import { openReader, openWriter } from './connection.ts';
import { openSqlite } from './sqlite.ts';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'propusk-store-')));
after(() => rmSync(folder, { recursive: true }));

const modeOf = (path: string) => statSync(path).mode & 0o777;

/** Passes when opening `path` is refused in one line that names it and matches. */
async function refusedToOpen(path: string, message: RegExp): Promise<void> {
  await assert.rejects(openSqlite(`sqlite:${path}`, { exclusive: true }), (error) => {
    assert.ok(error instanceof StoreError, String(error));
    assert.match(error.message, message);
    assert.ok(error.message.includes(path), error.message);
    assert.ok(!error.message.includes('\n'), error.message);
    return true;
  });
}

test('everything that is made is for our eyes only, missing folders too', async () => {
  const path = join(folder, 'missing', 'deeper', 'new.db');
  const store = await openSqlite(`sqlite:${path}`, { exclusive: true });
  await store.noteMeta('a', 'b');
  for (const made of [path, `${path}-wal`, `${path}-shm`, `${path}.lock`]) {
    assert.equal(modeOf(made), 0o600, made);
  }
  for (const made of ['missing', 'missing/deeper']) {
    assert.equal(modeOf(join(folder, made)), 0o700, made);
  }
  await store.close();
  assert.ok(!existsSync(`${path}-wal`), 'closing leaves everything in the one file');
  const again = await openSqlite(`sqlite:${path}`, { exclusive: true });
  assert.equal(await again.meta('a'), 'b');
  await again.close();
});

test('the writer waits for the disk, and the reader cannot write', async () => {
  const path = join(folder, 'settings.db');
  await (await openSqlite(`sqlite:${path}`)).close();
  const writer = openWriter(path);
  assert.equal(writer.pragma('synchronous'), 2, 'FULL');
  assert.equal(writer.pragma('foreign_keys'), 1);
  assert.ok(writer.pragma('busy_timeout') > 0);
  assert.equal(writer.get<{ journal_mode: string }>('PRAGMA journal_mode')?.journal_mode, 'wal');
  const reader = openReader(path);
  assert.throws(() => reader.run('DELETE FROM meta'), /readonly/);
  reader.close();
  writer.close();
});

test('what cannot be a database is refused in one line that names it', async () => {
  const at = (name: string) => join(folder, name);
  writeFileSync(at('text.db'), 'This is a letter, not a database. '.repeat(100));
  await refusedToOpen(at('text.db'), /is not an SQLite database$/);
  mkdirSync(at('folder.db'));
  await refusedToOpen(at('folder.db'), /is a folder, not a database file$/);
  symlinkSync(at('loop.db'), at('loop.db'));
  await refusedToOpen(at('loop.db'), /cannot be used as the database: too many symbolic links/);
  await refusedToOpen(at('text.db/inside.db'), /as the database: .*text\.db is not a folder$/);
  await refusedToOpen('/dev/null', /is not a file$/);
});

test('a file that we may not read is refused in one line that names it', () => {
  const path = join(folder, 'closed.db');
  writeFileSync(path, '');
  chmodSync(path, 0);
  chmodSync(folder, 0o755);
  const child = fileURLToPath(new URL('./test-child.ts', import.meta.url));
  const said = execFileSync(process.execPath, [child, 'deny', path], { encoding: 'utf8' });
  const expected = `StoreError: ${path} cannot be used as the database: permission denied\n`;
  assert.equal(said, expected);
});

test('a URL of another form is refused', async () => {
  for (const url of ['', 'sqlite:', 'postgres://localhost/x', '/var/lib/propusk.db']) {
    await assert.rejects(openSqlite(url), StoreError, url);
  }
});

test('another program’s database is refused and left as it was', async () => {
  const path = join(folder, 'foreign.db');
  const foreign = new DatabaseSync(path);
  foreign.exec('CREATE TABLE notes (text TEXT); PRAGMA user_version = 1');
  foreign.close();
  const before = readFileSync(path);
  await refusedToOpen(path, /is an SQLite database, but not one of propusk$/);
  assert.deepEqual(readFileSync(path), before);
});

test('two names of one database have one lock', async () => {
  const path = join(folder, 'named.db');
  const other = join(folder, 'alias.db');
  const store = await openSqlite(`sqlite:${path}`, { exclusive: true });
  symlinkSync(path, other);
  await assert.rejects(
    openSqlite(`sqlite:${other}`, { exclusive: true }),
    /another propusk has .*named\.db open/,
  );
  await store.close();
});
