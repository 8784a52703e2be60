/** Where a command finds the database and the master key that it belongs to. */
import path from 'node:path';
import { AppError } from '../domain/errors.ts';
import { MasterKey, parseMasterKey } from '../domain/master-key.ts';
import { isPostgres, placeOf } from '../store/postgres/url.ts';
import { type Store, StoreError } from '../store/store.ts';
import { FileError, isThere, readMasterKey } from './files.ts';

/** As the settings give it. */
export interface Place {
  /** The data folder; what is not given otherwise is in it. */
  readonly data: string;
  readonly database: string | undefined;
  readonly masterKeyFile: string | undefined;
  /** From the environment. */
  readonly masterKey: string | undefined;
}

export function databaseOf({ data, database }: Place): string {
  return database ?? `sqlite:${path.join(data, 'propusk.db')}`;
}

/** The database as people may see it. */
export function nameOfDatabase(url: string): string {
  return isPostgres(url) ? placeOf(url) : url;
}

/**
 * The master key: from the environment, a file, or the data folder of `dev`.
 * @throws FileError when there is none, or it is unusable
 */
export function masterKeyOf({ data, masterKeyFile, masterKey }: Place): MasterKey {
  if (masterKey !== undefined) {
    const key = parseMasterKey(masterKey);
    if (key !== undefined) return new MasterKey(key);
    throw new FileError('PROPUSK_MASTER_KEY is neither 64 hex digits nor base64 of 32 bytes');
  }
  const file = masterKeyFile ?? path.join(data, 'master.key');
  if (masterKeyFile === undefined && !isThere(file)) {
    throw new FileError('the master key is missing: set PROPUSK_MASTER_KEY or --master-key-file');
  }
  return new MasterKey(readMasterKey(file));
}

/**
 * What is noted under this name about the database, or noted now. It reads first, since a database that
 * belongs to others may not take a write, and that is not what is wrong with it.
 */
export async function noted(store: Store, name: string, value: string): Promise<string> {
  return (await store.meta(name)) ?? store.noteMeta(name, value);
}

/** A database belongs to the master key that was the first to open it. */
export async function checkMasterKey(
  store: Store,
  database: string,
  masterKey: MasterKey,
): Promise<void> {
  const check = await noted(store, 'master-key-check', masterKey.checkValue());
  if (!masterKey.matches(check)) throw otherMasterKey(database);
}

/** What a store says that was opened and refuses something all the same, as far down as that is for people. */
export function wordsOf({ reason, message, cause }: AppError): string {
  if (cause instanceof AppError) return wordsOf(cause);
  return reason === 'UNAVAILABLE' && cause instanceof Error
    ? `${message}: ${cause.message}`
    : message;
}

export function otherMasterKey(database: string): StoreError {
  const message = 'belongs to another master key; start with the key that it was made with';
  return new StoreError(`${database} ${message}`);
}
