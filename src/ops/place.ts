/** Where a command finds the database and the master key that it belongs to. */
import path from 'node:path';
import { MasterKey, parseMasterKey } from '../domain/master-key.ts';
import { isPostgres } from '../store/open.ts';
import { placeOf } from '../store/postgres/connection.ts';
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

/** A database belongs to the master key that was the first to open it. */
export async function checkMasterKey(
  store: Store,
  database: string,
  masterKey: MasterKey,
): Promise<void> {
  const noted = await store.noteMeta('master-key-check', masterKey.checkValue());
  if (!masterKey.matches(noted)) throw otherMasterKey(database);
}

export function otherMasterKey(database: string): StoreError {
  const message = 'belongs to another master key; start with the key that it was made with';
  return new StoreError(`${database} ${message}`);
}
