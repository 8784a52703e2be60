/** The database as a file: found or made, for our eyes only, and open in one server at a time. */
import {
  accessSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { getSystemErrorMessage } from 'node:util';
import { StoreError } from '../store.ts';
import { sqliteCode } from './connection.ts';

const OURS_ONLY_FILE = 0o600;
const OURS_ONLY_FOLDER = 0o700;
const SQLITE_BUSY = 5;
const SQLITE_NOTADB = 26;

/**
 * Makes the file, and the folders above it, where they are missing; answers its real path, so that
 * two names of one database are known as one. Throws StoreError when it cannot be used.
 */
export function prepareFile(path: string): string {
  const wanted = resolve(path);
  try {
    makeFolder(dirname(wanted));
    makeFile(wanted);
    const file = realpathSync(wanted);
    const stat = statSync(file);
    if (stat.isDirectory()) throw new StoreError(`${file} is a folder, not a database file`);
    if (!stat.isFile()) throw new StoreError(`${file} is not a file`);
    accessSync(file, constants.R_OK | constants.W_OK);
    return file;
  } catch (error) {
    throw asStoreError(wanted, error);
  }
}

function makeFolder(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) mkdirSync(path, { recursive: true, mode: OURS_ONLY_FOLDER });
  else if (!found.isDirectory()) throw new Error(`${path} is not a folder`);
}

/**
 * Makes an empty file. One that exists is not even opened: closing it again would take away the
 * locks that SQLite, in this process, may hold on it.
 */
function makeFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', OURS_ONLY_FILE));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}

/** What is wrong with the database at `path`, in one line. */
export function asStoreError(path: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  if (sqliteCode(error) === SQLITE_NOTADB) {
    return new StoreError(`${path} is not an SQLite database`, error);
  }
  return new StoreError(`${path} cannot be used as the database: ${whatFailed(error)}`, error);
}

function whatFailed(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // The message of a failed system call repeats the path.
  const isSystemError = 'syscall' in error && 'errno' in error && typeof error.errno === 'number';
  return isSystemError ? getSystemErrorMessage(error.errno as number) : error.message;
}

/** Held until closed, or until the process ends in whatever way. */
export interface FileLock {
  close(): void;
}

/**
 * Takes the database for this process alone. The lock is SQLite's own, on an empty database
 * beside it: the system drops it with the process, so it cannot be left behind. Throws StoreError
 * when another process has it, or this one already.
 * @param advice what to do then
 */
export function lockFile(
  path: string,
  advice = 'stop it first, or choose another --database',
): FileLock {
  const lockPath = `${path}.lock`;
  let db: DatabaseSync | undefined;
  try {
    makeFile(lockPath);
    db = new DatabaseSync(lockPath, { timeout: 0 });
    // The journal of a transaction that never writes has no business on the disk.
    db.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return db;
  } catch (error) {
    db?.close();
    if (sqliteCode(error) !== SQLITE_BUSY) throw asStoreError(lockPath, error);
    throw new StoreError(`another propusk has ${path} open; ${advice}`, error);
  }
}
