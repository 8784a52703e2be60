/** Copies of the database as a file. */
import { isPostgres } from '../store/postgres/url.ts';
import { backUpFile } from '../store/sqlite/maintenance.ts';
import { fileOf } from '../store/sqlite/sqlite.ts';
import { StoreError } from '../store/store.ts';
import { whereIs } from '../store/upkeep.ts';
import { databaseOf, type Place } from './place.ts';

/** Copies the database, in use or not, into a new file; answers what to tell. */
export async function backUp(place: Place, copy: string): Promise<string[]> {
  const database = databaseOf(place);
  if (isPostgres(database)) {
    const advice =
      'use pg_dump --format=custom, or base backups with archived WAL (pg_basebackup), and after ' +
      'any of them is put back propusk restore without a file';
    throw new StoreError(`${whereIs(database)} is backed up by PostgreSQL's own tools: ${advice}`);
  }
  const { heads } = await backUpFile(fileOf(database), copy);
  return [
    `${copy} is a copy up to audit entry ${heads[0]?.sequence ?? 0}`,
    'keep it apart from the master key: who has both has everything',
  ];
}
