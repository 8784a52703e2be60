/** Brings an SQLite database to the program's version of the schema. */
import { type Migration, migrationsIn, refuseNewer } from '../migrations.ts';
import { StoreError } from '../store.ts';
import type { Connection } from './connection.ts';

/** What `PRAGMA application_id` says of a database of ours: `Prpk` in ASCII. */
export const APPLICATION_ID = 0x5072706b;

/** The program's migrations for SQLite, in their order. */
export function readMigrations(): Migration[] {
  return migrationsIn(new URL('./migrations/', import.meta.url));
}

/**
 * Applies the migrations that the database has not seen, each in a transaction of its own.
 * Throws StoreError, in one line, when the database is another program's, newer than this one, or
 * a migration fails; then the database is at the version that the last good one left.
 *
 * @param path how the database is named in errors
 */
export function migrate(db: Connection, migrations: readonly Migration[], path: string): void {
  // A migration that builds a table anew drops the old one, which references would forbid; they
  // are checked before its COMMIT instead. Inside a transaction this switch has no effect.
  db.exec('PRAGMA foreign_keys = OFF');
  for (;;) {
    db.exec('BEGIN IMMEDIATE');
    try {
      // Read under the lock: another process may have migrated in the meantime.
      const version = versionOf(db, path);
      const next = migrations.find((migration) => migration.version === version + 1);
      if (next === undefined) {
        db.exec('ROLLBACK');
        refuseNewer(path, version, migrations.length);
        break;
      }
      apply(db, next, path);
      db.exec('COMMIT');
    } catch (error) {
      if (db.inTransaction) db.exec('ROLLBACK');
      throw error;
    }
  }
  db.exec('PRAGMA foreign_keys = ON');
}

/** The version that the database is at; 0 for an empty one. */
export function versionOf(db: Connection, path: string): number {
  if (db.pragma('application_id') === APPLICATION_ID) return db.pragma('user_version');
  const foreign = db.get<{ name: string }>('SELECT name FROM sqlite_schema LIMIT 1');
  if (foreign === undefined) return 0;
  throw new StoreError(`${path} is an SQLite database, but not one of propusk`);
}

function apply(db: Connection, migration: Migration, path: string): void {
  try {
    db.exec(migration.sql);
    const broken = db.get<{ table: string }>('PRAGMA foreign_key_check');
    if (broken !== undefined) throw new Error(`a row of ${broken.table} lost what it refers to`);
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    db.exec(`PRAGMA user_version = ${migration.version}`);
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    throw new StoreError(`${path}: migration ${migration.name} failed: ${what}`, error);
  }
}
