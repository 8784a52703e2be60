/** Files beside the database: read, written and refused in words; among them the master key. */
import {
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import type { Random } from '../domain/clock.ts';
import { MASTER_KEY_BYTES, parseMasterKey } from '../domain/master-key.ts';

/** A file or folder cannot be used; the message is one line that says what and where. */
export class FileError extends Error {}

/** The first line of what went wrong. */
export function messageOf(error: unknown): string {
  return (error as Error).message.split('\n')[0] ?? '';
}

/** Makes the data folder, for its owner alone. */
export function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new FileError(`the data folder ${folder} cannot be made: ${messageOf(error)}`);
  }
}

/** Reads a file that must be there. */
export function readNeeded(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new FileError(`${what} cannot be read: ${messageOf(error)}`);
  }
}

/** True when there is such a file. */
export function isThere(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false }) !== undefined;
}

/** Writes the whole file or nothing, for its owner alone; one that is there is kept if `isNew`. */
export function writePrivate(file: string, text: string, isNew = false): void {
  const draft = `${file}.${process.pid}.tmp`;
  try {
    writeFileSync(draft, text, { mode: 0o600, flush: true });
    if (isNew) publish(draft, file);
    else renameSync(draft, file);
  } catch (error) {
    throw new FileError(`${file} cannot be written: ${messageOf(error)}`);
  }
}

/** Of two that make a file at the same time, the first wins. */
function publish(draft: string, file: string): void {
  try {
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft);
  }
}

/** The master key that a file holds. */
export function readMasterKey(file: string): Buffer {
  const key = parseMasterKey(readNeeded(file, 'the master key'));
  if (key === undefined) {
    throw new FileError(`${file} is no master key: it needs 64 hex digits or base64 of 32 bytes`);
  }
  if (process.platform !== 'win32' && !isPrivate(statSync(file))) {
    throw new FileError(`${file} can be read by others; make it private with: chmod 600 ${file}`);
  }
  return key;
}

/**
 * True for a file that nobody else may read. Where root owns it, its group may: so systemd and
 * Kubernetes hand a secret to one who is not root, and only root says who is in the group.
 */
export function isPrivate({ uid, mode }: { readonly uid: number; readonly mode: number }): boolean {
  return (mode & (uid === 0 ? 0o037 : 0o077)) === 0;
}

/** The data folder's master key; the first call makes it (mode 0600). */
export function ownMasterKey(folder: string, random: Random): Buffer {
  makeFolder(folder);
  const file = path.join(folder, 'master.key');
  if (!isThere(file)) writePrivate(file, `${random(MASTER_KEY_BYTES).toString('hex')}\n`, true);
  return readMasterKey(file);
}
