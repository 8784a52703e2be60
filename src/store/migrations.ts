/** The steps of a schema, whatever the engine: files `NNNN_name.sql`, numbered from 1 without gaps. */
import { readdirSync, readFileSync } from 'node:fs';
import { StoreError } from './store.ts';

/** One step from a version to the next. */
export interface Migration {
  /** The version of the schema after it; the first is 1. */
  readonly version: number;
  readonly name: string;
  readonly sql: string;
}

/** The migrations of a folder, in their order. */
export function migrationsIn(folder: URL): Migration[] {
  const names = readdirSync(folder).filter((name) => /^\d{4}_.+\.sql$/.test(name));
  return names.sort().map((name, i) => {
    const version = Number.parseInt(name, 10);
    if (version !== i + 1) throw new Error(`migration ${name} should have the number ${i + 1}`);
    return { version, name, sql: readFileSync(new URL(name, folder), 'utf8') };
  });
}

/**
 * Refuses a database that is newer than the program.
 * @param place how the database is named in errors
 */
export function refuseNewer(place: string, version: number, known: number): void {
  if (version <= known) return;
  const advice = 'use a newer propusk, or another --database';
  throw new StoreError(
    `${place} is at version ${version}, this propusk knows versions up to ${known}; ${advice}`,
  );
}

/** Refuses a database that is at any other version than the program, for who does not migrate. */
export function refuseOther(place: string, version: number, known: number): void {
  if (version === known) return;
  const advice = version < known ? 'run propusk migrate first' : 'use a newer propusk';
  throw new StoreError(`${place} is at version ${version}, not ${known}; ${advice}`);
}
