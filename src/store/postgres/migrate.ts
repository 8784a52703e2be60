/** Brings a PostgreSQL database to the program's version of the schema. */
import { readdirSync, readFileSync } from 'node:fs';
import pg from 'pg';
import { StoreError } from '../store.ts';

/** The advisory lock that migrations are done under: `Prpk` in ASCII, as SQLite's application id. */
const MIGRATION_LOCK = 0x5072706b;
/** How long a server may take to answer a connection, in milliseconds. */
const CONNECT_MS_MAX = 10_000;

interface Migration {
  readonly name: string;
  readonly sql: string;
}

function readMigrations(): Migration[] {
  const folder = new URL('./migrations/', import.meta.url);
  const names = readdirSync(folder).filter((name) => /^\d{4}_.+\.sql$/.test(name));
  return names.sort().map((name, i) => {
    const version = Number.parseInt(name, 10);
    if (version !== i + 1) throw new Error(`migration ${name} should have the number ${i + 1}`);
    return { name, sql: readFileSync(new URL(name, folder), 'utf8') };
  });
}

/**
 * Applies the migrations that the database has not seen, all in one transaction and under a lock, so
 * that of nodes which start together one migrates and the others wait for it.
 * Throws StoreError, in one line without the password, when the server does not take us, or the
 * database is another program's, newer than this one, or a migration fails.
 */
export async function migrate(url: string): Promise<void> {
  const { host, pathname } = new URL(url);
  const place = `postgres://${host}${pathname}`;
  const client = new pg.Client({
    connectionString: url,
    application_name: 'propusk migrate',
    connectionTimeoutMillis: CONNECT_MS_MAX,
  });
  // A connection that is lost fails the query under way too, which tells of it.
  client.on('error', () => {});
  try {
    await client.connect();
    await migrateBy(client, place);
  } catch (error) {
    if (error instanceof StoreError) throw error;
    throw new StoreError(`${place} cannot be used: ${lineOf(error)}`, error);
  } finally {
    await client.end().catch(() => {});
  }
}

async function migrateBy(client: pg.Client, place: string): Promise<void> {
  const migrations = readMigrations();
  await client.query('BEGIN');
  await client.query(`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`);
  const version = await versionOf(client, place);
  if (version > migrations.length) {
    const known = `this propusk knows versions up to ${migrations.length}`;
    const advice = 'use a newer propusk, or another --database';
    throw new StoreError(`${place} is at version ${version}, ${known}; ${advice}`);
  }
  for (const { name, sql } of migrations.slice(version)) {
    await client.query(sql).catch((error: unknown) => {
      throw new StoreError(`${place}: migration ${name} failed: ${lineOf(error)}`, error);
    });
  }
  await client.query('UPDATE propusk_schema SET version = $1', [migrations.length]);
  await client.query('COMMIT');
}

/** The version that the database is at; an empty one is made ours, at 0. */
async function versionOf(client: pg.Client, place: string): Promise<number> {
  const found = await client.query<{ name: string }>(
    'SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema()',
  );
  if (found.rows.length === 0) {
    await client.query('CREATE TABLE propusk_schema (version integer NOT NULL)');
    await client.query('INSERT INTO propusk_schema VALUES (0)');
    return 0;
  }
  if (!found.rows.some(({ name }) => name === 'propusk_schema')) {
    throw new StoreError(`${place} is a PostgreSQL database, but not one of propusk`);
  }
  const noted = await client.query<{ version: number }>('SELECT version FROM propusk_schema');
  return noted.rows[0]?.version ?? 0;
}

/** What an error says, in one line; one about several addresses says nothing by itself. */
function lineOf(error: unknown): string {
  const [first] = error instanceof AggregateError ? error.errors : [error];
  const text = first instanceof Error ? first.message : String(first);
  return text.replaceAll(/\s+/g, ' ');
}
