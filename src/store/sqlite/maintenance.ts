/** What is done to the database's file as a whole: migrated, copied while in use, put back, looked at. */
import type { KeyObject } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import type { SealedPoint } from '../../domain/audit-chain.ts';
import type { AuditEntry, SealedSigningKey } from '../../domain/model.ts';
import { StoreError } from '../store.ts';
import { AuditLog, readPoint } from './audit.ts';
import { type AuditReport, verifyAudit } from './audit-verify.ts';
import { type Connection, openReader, openWriter } from './connection.ts';
import { asStoreError, lockFile, prepareFile } from './file.ts';
import { readMigrations, versionOf } from './migrate.ts';
import { readMeta, readSigningKeys } from './reads.ts';
import { fileOf, setUp } from './sqlite.ts';

/** More than a database has: all of it in one step, which no write of others makes begin again. */
const PAGES_AT_ONCE = 2 ** 31 - 1;

/** Statements of a restoration; it may look at every session. */
const RESTORE_SQL = {
  endAllSessions: `
    UPDATE session SET revoked_at_ms = ?1 WHERE expires_at_ms > ?1 AND revoked_at_ms IS NULL`,
  dropSigningKeys: 'DELETE FROM signing_key',
} as const;

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
  if (!existsSync(file)) throw new StoreError(`${file} is not there`);
  let db: Connection | undefined;
  try {
    db = openReader(file);
    const version = versionOf(db, file);
    const known = readMigrations().length;
    if (version !== known) {
      const advice = version < known ? 'run propusk migrate first' : 'use a newer propusk';
      throw new StoreError(`${file} is at version ${version}, not ${known}; ${advice}`);
    }
    return read(db);
  } catch (error) {
    throw asStoreError(file, error);
  } finally {
    db?.close();
  }
}

/** What a database says of itself. */
export interface FileReport {
  readonly mode: string | undefined;
  readonly masterKeyCheck: string | undefined;
  readonly signingKeys: readonly SealedSigningKey[];
  readonly head: SealedPoint | undefined;
  /** Of the newest audit entry. */
  readonly newestAtMs: number | undefined;
  /** What SQLite's own check of the file found; none when it is sound. */
  readonly damages: readonly string[];
}

export function reportOf(db: Connection): FileReport {
  const check = db.all<{ quick_check: string }>('PRAGMA quick_check(5)');
  const newest = db.get<{ atMs: number | null }>(
    'SELECT at_ms AS atMs FROM audit ORDER BY sequence DESC LIMIT 1',
  );
  return {
    mode: readMeta(db, 'mode'),
    masterKeyCheck: readMeta(db, 'master-key-check'),
    signingKeys: readSigningKeys(db),
    head: readPoint(db, 'head'),
    newestAtMs: newest?.atMs ?? undefined,
    damages: check.map((row) => row.quick_check).filter((text) => text !== 'ok'),
  };
}

/** See verifyAudit. */
export function verifyFile(file: string, key: KeyObject, since?: SealedPoint): AuditReport {
  return look(file, (db) => verifyAudit(db, key, since));
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

async function copyFile(file: string, draft: string): Promise<void> {
  drop(draft);
  // Made by us first: SQLite would make it for all to read.
  prepareFile(draft);
  let source: DatabaseSync | undefined;
  try {
    source = new DatabaseSync(file, { readOnly: true });
    await backup(source, draft, { rate: PAGES_AT_ONCE });
  } catch (error) {
    throw asStoreError(draft, error);
  } finally {
    source?.close();
  }
  // A copy is one file: what it says in its log is moved into it.
  const copy = openWriter(draft);
  copy.exec('PRAGMA journal_mode = DELETE');
  copy.close();
}

/**
 * Puts a copy in the database's place, with all of its sessions revoked and its signing keys gone, so
 * that no token issued before is good. What was there stays beside it.
 *
 * @param judge looks at the copy first, brought to this version, and at what is there; what it throws
 * refuses, and nothing has changed; what it answers is noted in the restored log
 * @returns where the database that was there is now; undefined when there was none
 */
export async function restoreFile(
  copy: string,
  url: string,
  key: KeyObject,
  judge: (copy: Connection, file: string | undefined) => AuditEntry,
): Promise<string | undefined> {
  const wanted = fileOf(url);
  const wasThere = existsSync(wanted);
  const file = prepareFile(wanted);
  const lock = lockFile(file);
  const draft = `${file}.${process.pid}.tmp`;
  try {
    await copyFile(copy, draft);
    setUp(draft);
    const db = openWriter(draft);
    const audit = judge(db, wasThere ? file : undefined);
    endAll(db, key, audit);
    db.exec('PRAGMA journal_mode = DELETE');
    db.close();
    const aside = wasThere ? putAside(file, audit.atMs) : undefined;
    publish(draft, file);
    return aside;
  } catch (error) {
    if (!wasThere) rmSync(file, { force: true });
    throw asStoreError(file, error);
  } finally {
    drop(draft);
    lock.close();
  }
}

function endAll(db: Connection, key: KeyObject, audit: AuditEntry): void {
  db.run('BEGIN IMMEDIATE');
  const log = new AuditLog(db, key);
  const sessions = db.run(RESTORE_SQL.endAllSessions, audit.atMs);
  db.run(RESTORE_SQL.dropSigningKeys);
  log.append({ ...audit, detail: { ...audit.detail, sessions } });
  log.finish();
  db.run('COMMIT');
}

function putAside(file: string, atMs: number): string {
  try {
    const db = new DatabaseSync(file);
    // What is in its log is moved into it, and the log goes.
    db.exec('PRAGMA journal_mode = DELETE');
    db.close();
  } catch {
    // A damaged one, maybe the reason for all this: it is kept as it is.
  }
  const aside = `${file}.before-${new Date(atMs).toISOString().replaceAll(':', '')}`;
  for (const end of ['', '-wal', '-shm']) {
    if (existsSync(file + end)) renameSync(file + end, aside + end);
  }
  return aside;
}

/** Gives a finished file its name, for good. */
function publish(draft: string, file: string): void {
  const written = openSync(draft, 'r+');
  fsyncSync(written);
  closeSync(written);
  renameSync(draft, file);
  if (process.platform === 'win32') return;
  const folder = openSync(dirname(file), 'r');
  fsyncSync(folder);
  closeSync(folder);
}

function drop(file: string): void {
  for (const each of [file, `${file}-wal`, `${file}-shm`, `${file}-journal`]) {
    rmSync(each, { force: true });
  }
}
