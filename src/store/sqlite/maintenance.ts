/** What is done to the database's file as a whole: migrated, copied while in use, looked at. */
import type { KeyObject } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { refuseOther } from '../migrations.ts';
import type { AuditReport, VerifyOptions } from '../sql/audit-verify.ts';
import { type DatabaseReport, readReport } from '../sql/report.ts';
import { StoreError } from '../store.ts';
import { verifyAudit } from './audit-verify.ts';
import { type Connection, openReader, openWriter, sqliteCode } from './connection.ts';
import { asStoreError, lockFile, prepareFile } from './file.ts';
import { readMigrations, versionOf } from './migrate.ts';
import { fileOf, setUp } from './sqlite.ts';

/** More than a database has: all of it in one step, which no write of others makes begin again. */
const PAGES_AT_ONCE = 2 ** 31 - 1;

/** The version of the schema before and after. Refuses a database that a server has open. */
export function migrateFile(url: string): { readonly from: number; readonly to: number } {
  const file = prepareFile(fileOf(url));
  const lock = lockFile(file);
  try {
    const db = openWriter(file);
    const from = versionOf(db, file);
    db.close();
    setUp(file);
    return { from, to: readMigrations().length };
  } catch (error) {
    throw asStoreError(file, error);
  } finally {
    lock.close();
  }
}

/** Looks at a database, which may be in use, without changing it; it must be at this version. */
export function look<R>(file: string, read: (db: Connection) => R): R {
  let db: Connection | undefined;
  try {
    db = openAtVersion(file);
    return read(db);
  } catch (error) {
    throw asStoreError(file, error);
  } finally {
    db?.close();
  }
}

/** Opens a database that is not to be changed; it must be there, and at this version. */
export function openAtVersion(file: string): Connection {
  if (!existsSync(file)) throw new StoreError(`${file} is not there`);
  const db = openReader(file);
  try {
    refuseOther(file, versionOf(db, file), readMigrations().length);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** What a database says of itself. */
export interface FileReport extends DatabaseReport {
  /** What SQLite's own check of the file found; none when it is sound. */
  readonly damages: readonly string[];
}

export function reportOf(db: Connection): FileReport {
  const check = db.all<{ quick_check: string }>('PRAGMA quick_check(5)');
  const damages = check.map((row) => row.quick_check).filter((text) => text !== 'ok');
  return { ...db.drive(readReport()), damages };
}

/** See verifyAudit. */
export function verifyFile(
  file: string,
  key: KeyObject,
  options: Omit<VerifyOptions, 'programs'> = {},
): AuditReport {
  return look(file, (db) => verifyAudit(db, key, options));
}

/**
 * Copies a database, which may be in use, as it is at one instant, into a file that must not be there
 * yet. Answers what the copy says of itself.
 */
export async function backUpFile(file: string, copy: string): Promise<FileReport> {
  if (existsSync(copy)) throw new StoreError(`${copy} is there already; choose another file`);
  const draft = `${copy}.${process.pid}.tmp`;
  try {
    await copyFile(file, draft);
    const report = look(draft, reportOf);
    const [damage] = report.damages;
    if (damage !== undefined) throw new StoreError(`the copy of ${file} is damaged: ${damage}`);
    publish(draft, copy);
    return report;
  } finally {
    drop(draft);
  }
}

/** SQLite's codes of what can only be wrong with the database that is copied: CORRUPT and NOTADB. */
const SOURCE_FLAWS = new Set([11, 26]);

/** Copies a database, which may be in use, into one file. */
export async function copyFile(file: string, draft: string): Promise<void> {
  if (!existsSync(file)) throw new StoreError(`${file} is not there`);
  drop(draft);
  // Made by us first: SQLite would make it for all to read.
  prepareFile(draft);
  let source: DatabaseSync | undefined;
  try {
    source = new DatabaseSync(file, { readOnly: true });
    await backup(source, draft, { rate: PAGES_AT_ONCE });
  } catch (error) {
    const isOfSource = source === undefined || SOURCE_FLAWS.has((sqliteCode(error) ?? 0) & 0xff);
    throw asStoreError(isOfSource ? file : draft, error);
  } finally {
    source?.close();
  }
  // A copy is one file: what it says in its log is moved into it.
  const copy = openWriter(draft);
  copy.exec('PRAGMA journal_mode = DELETE');
  copy.close();
}

/** Gives a finished file its name, for good. */
export function publish(draft: string, file: string): void {
  flush(draft);
  renameSync(draft, file);
  flushFolder(file);
}

/** Has the system write to the disk what it holds of the file. */
export function flush(file: string): void {
  const written = openSync(file, 'r+');
  fsyncSync(written);
  closeSync(written);
}

/** The same for the names in the folder of the file. */
export function flushFolder(file: string): void {
  if (process.platform === 'win32') return;
  const folder = openSync(dirname(file), 'r');
  fsyncSync(folder);
  closeSync(folder);
}

/** Removes a database that nobody needs, with what SQLite keeps beside it. */
export function drop(file: string): void {
  for (const each of [file, `${file}-wal`, `${file}-shm`, `${file}-journal`, `${file}-aside`]) {
    rmSync(each, { force: true });
  }
}
