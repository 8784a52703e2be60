/** Opening a store on SQLite, by node:sqlite: in a file, or in memory for tests and demonstrations. */
import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { SqlStore, type SqlStoreOptions } from '../sql/sql-store.ts';
import { type Store, StoreError } from '../store.ts';
import type { BatchRunner } from '../writes.ts';
import { Connection, openReader, openWriter } from './connection.ts';
import { asStoreError, lockFile, prepareFile } from './file.ts';
import { migrate, readMigrations } from './migrate.ts';
import { SqliteReader } from './reader.ts';
import { InlineRunner, WorkerRunner } from './runners.ts';

const SCHEME = 'sqlite:';
const MEMORY = ':memory:';

export interface SqliteOptions extends SqlStoreOptions {
  /**
   * Take the file for this process alone, as long as it lives: a server's memory of what keys may
   * do would not hear of another server's changes. Without a meaning for a database in memory.
   */
  readonly exclusive?: boolean;
  /**
   * HMACs the audit log. Without it nothing that has an audit entry can be written to a file; a
   * database in memory, which nobody reads later, makes one of its own.
   */
  readonly auditKey?: KeyObject;
}

/**
 * Opens the database, and makes or migrates it first where that is needed.
 *
 * @param url `sqlite:PATH` or `sqlite::memory:`
 * @throws StoreError in one line, when it cannot be used
 */
export async function openSqlite(url: string, options: SqliteOptions = {}): Promise<Store> {
  const path = pathOf(url);
  return path === MEMORY ? openMemory(options) : openFile(prepareFile(path), options);
}

function pathOf(url: string): string {
  const path = url.startsWith(SCHEME) ? url.slice(SCHEME.length) : '';
  if (path === '') throw new StoreError(`${url} is not of the form sqlite:PATH or sqlite::memory:`);
  return path;
}

/** The path of a database in a file; throws StoreError for one in memory. */
export function fileOf(url: string): string {
  const path = pathOf(url);
  if (path === MEMORY) throw new StoreError(`${url} is in the memory of its process alone`);
  return path;
}

function openMemory(options: SqliteOptions): Store {
  const db = new Connection(new DatabaseSync(MEMORY));
  migrate(db, readMigrations(), MEMORY);
  const auditKey = options.auditKey ?? createSecretKey(randomBytes(32));
  return new SqlStore({
    reader: new SqliteReader(db),
    runner: new InlineRunner(db, auditKey),
    options,
  });
}

async function openFile(file: string, options: SqliteOptions): Promise<Store> {
  const lock = options.exclusive ? lockFile(file) : undefined;
  let runner: BatchRunner | undefined;
  try {
    setUp(file);
    runner = await WorkerRunner.start(file, options.auditKey);
    const reader = new SqliteReader(openReader(file));
    return new SqlStore({ reader, runner, lock, options });
  } catch (error) {
    await runner?.close();
    lock?.close();
    throw asStoreError(file, error);
  }
}

/** Brings the file to this program's version. */
export function setUp(file: string): void {
  const db = openWriter(file);
  try {
    migrate(db, readMigrations(), file);
    const mode = db.get<{ journal_mode: string }>('PRAGMA journal_mode = WAL')?.journal_mode;
    if (mode !== 'wal') {
      throw new StoreError(`${file} is on a file system without what SQLite's WAL mode needs`);
    }
  } finally {
    db.close();
  }
}
