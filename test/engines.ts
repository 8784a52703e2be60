/**
 * Where servers under test remember and count: each for itself, or on the PostgreSQL and the Valkey that
 * the environment names, with a database of its own on each for every data folder.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';

/** URLs of two servers; see test/foreign/on-postgres.test.ts. */
export const SHARED_ENGINES = {
  postgres: 'PROPUSK_TEST_POSTGRES',
  valkey: 'PROPUSK_TEST_VALKEY',
} as const;
/** Databases that the Valkey must have. */
export const VALKEY_DATABASES = 10_000;

/** Whether servers under test are on those. */
export const HAS_SHARED_ENGINES = process.env[SHARED_ENGINES.valkey] !== undefined;

/** The lines of a log but for the one in which a server on a Valkey says so when it starts. */
export function besidesEngines(log: readonly string[]): string[] {
  return log.filter((line) => !line.includes('limits are shared with the other nodes'));
}

/** The variables of a server whose data are in this folder. */
export async function enginesOf(folder: string): Promise<Record<string, string>> {
  const postgres = process.env[SHARED_ENGINES.postgres];
  const valkey = process.env[SHARED_ENGINES.valkey];
  if (postgres === undefined || valkey === undefined) return {};
  const note = path.join(folder, 'test-engines');
  const number = existsSync(note) ? readFileSync(note, 'utf8') : await newDatabase(postgres);
  writeFileSync(note, number);
  return {
    PROPUSK_DATABASE: new URL(`/test${number}`, postgres).href,
    PROPUSK_COUNTERS: new URL(`/${number}`, valkey).href,
  };
}

/** Makes a database; tests of many processes do so at the same time. */
async function newDatabase(postgres: string): Promise<string> {
  const client = new pg.Client({ connectionString: postgres });
  await client.connect();
  try {
    await client.query('CREATE SEQUENCE IF NOT EXISTS test_number').catch(() => {});
    const { rows } = await client.query("SELECT nextval('test_number') AS number");
    const number = Number(rows[0].number) % VALKEY_DATABASES;
    await client.query(`CREATE DATABASE test${number} TEMPLATE template0`);
    return String(number);
  } finally {
    await client.end();
  }
}
