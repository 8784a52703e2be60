/** Brings a PostgreSQL database to the program's version of the schema. */
import type pg from 'pg';
import { type Migration, migrationsIn, refuseNewer } from '../migrations.ts';
import { StoreError } from '../store.ts';
import { clientConfig, connect, leave, lineOf } from './connection.ts';
import { refusePooler } from './pooler.ts';
import { refusalOf } from './refusals.ts';
import { placeOf } from './url.ts';

/** The oldest PostgreSQL that its makers still mend; all that we ask for came by 14. */
export const VERSION_MIN = 15;

/** The advisory lock that migrations are done under: `Prpk` in ASCII, as SQLite's application id. */
export const MIGRATION_LOCK = 0x5072706b;
/** How long a migration waits for that lock, and for any of a table, in milliseconds. */
const LOCK_MS_MAX = 60_000;

/** The program's migrations for PostgreSQL, in their order. */
export function readMigrations(): Migration[] {
  return migrationsIn(new URL('./migrations/', import.meta.url));
}

/**
 * Applies the migrations that the database has not seen, all in one transaction and under a lock, so
 * that of nodes which start together one migrates and the others wait for it. Answers the version
 * before and after.
 * Throws StoreError, in one line without the password, when the server does not take us, or the
 * database is another program's, newer than this one, or a migration fails.
 */
export async function migrate(
  url: string,
  lockMsMax = LOCK_MS_MAX,
): Promise<{ readonly from: number; readonly to: number }> {
  const config = clientConfig({ url, statementMsMax: 0 }, 'migrate');
  let client: pg.Client | undefined;
  try {
    client = await connect(config);
    await refusePooler(client, config, placeOf(url));
    return await migrateBy(client, placeOf(url), lockMsMax);
  } catch (error) {
    throw refusalOf(url, error);
  } finally {
    if (client !== undefined) await leave(client);
  }
}

async function migrateBy(client: pg.Client, place: string, lockMsMax: number) {
  const migrations = readMigrations();
  await client.query('BEGIN');
  // Of the tables too, which a server of an older version may be using.
  await client.query(`SET LOCAL lock_timeout = ${lockMsMax}`);
  await client.query(`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`);
  await checkServer(client, place);
  const from = await versionOf(client, place);
  refuseNewer(place, from, migrations.length);
  if (from < migrations.length) {
    if (from === 0) await makeOurs(client);
    for (const { name, sql } of migrations.slice(from)) {
      await client.query(sql).catch((error: unknown) => {
        throw new StoreError(`${place}: migration ${name} failed: ${lineOf(error)}`, error);
      });
    }
    await client.query('UPDATE propusk_schema SET version = $1', [migrations.length]);
  }
  await checkRights(client, place);
  await client.query('COMMIT');
  return { from, to: migrations.length };
}

interface Facts {
  readonly version: number;
  readonly encoding: string;
  readonly isStandby: number;
  readonly readOnly: string;
}

/** Refuses what could not work later. */
async function checkServer(client: pg.Client, place: string): Promise<void> {
  const { rows } = await client.query<Facts>(
    `SELECT CAST(current_setting('server_version_num') AS integer) AS version,
      current_setting('server_encoding') AS encoding,
      CAST(pg_is_in_recovery() AS integer) AS "isStandby",
      current_setting('transaction_read_only') AS "readOnly"`,
  );
  const { version = 0, encoding = '', isStandby, readOnly } = rows[0] ?? {};
  if (version < VERSION_MIN * 10_000) {
    const major = Math.floor(version / 10_000);
    throw new StoreError(`${place} is PostgreSQL ${major}; propusk needs ${VERSION_MIN} or newer`);
  }
  if (encoding !== 'UTF8') {
    const advice = 'make one with: createdb --template=template0 --encoding=UTF8';
    throw new StoreError(`${place} has the encoding ${encoding}, not UTF8; ${advice}`);
  }
  if (isStandby === 1) throw new StoreError(`${place} is on a standby; name the primary`);
  if (readOnly === 'on') {
    const advice = 'switch default_transaction_read_only off for its role and database';
    throw new StoreError(`${place} can only be read; ${advice}`);
  }
}

/** The version that the database is at; 0 for an empty one. Throws StoreError for one of others. */
export async function versionOf(client: pg.Client, place: string): Promise<number> {
  const found = await client.query<{ name: string }>(
    'SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema()',
  );
  if (found.rows.length === 0) return 0;
  if (!found.rows.some(({ name }) => name === 'propusk_schema')) {
    throw new StoreError(`${place} is a PostgreSQL database, but not one of propusk`);
  }
  const noted = await client.query<{ version: number }>('SELECT version FROM propusk_schema');
  return noted.rows[0]?.version ?? 0;
}

/** Who migrates is mostly who made the tables; a role that came later may have been given too little. */
async function checkRights(client: pg.Client, place: string): Promise<void> {
  const { rows } = await client.query<{ role: string; may: boolean }>(
    `SELECT current_user AS role, has_table_privilege('audit', 'INSERT')
      AND has_table_privilege('session', 'UPDATE') AND has_table_privilege('session', 'DELETE')
      AND has_sequence_privilege('audit_sequence', 'USAGE') AS may`,
  );
  if (rows[0]?.may !== false) return;
  const advice = 'let it own them, or GRANT ALL ON ALL TABLES and SEQUENCES IN SCHEMA to it';
  throw new StoreError(`${place}: the role ${rows[0].role} may not write its tables; ${advice}`);
}

async function makeOurs(client: pg.Client): Promise<void> {
  await client.query('CREATE TABLE IF NOT EXISTS propusk_schema (version integer NOT NULL)');
  await client.query('DELETE FROM propusk_schema');
  await client.query('INSERT INTO propusk_schema VALUES (0)');
}
