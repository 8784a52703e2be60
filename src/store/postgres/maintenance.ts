/** What is done to a PostgreSQL database as a whole, over a connection of its own: looked at, verified. */
import type { KeyObject } from 'node:crypto';
import type pg from 'pg';
import { refuseOther } from '../migrations.ts';
import { type AuditReport, type VerifyOptions, verifyAudit } from '../sql/audit-verify.ts';
import { changed, type Sql } from '../sql/query.ts';
import { readPrograms } from './audit-programs.ts';
import { clientConfig, connect, drive, leave } from './connection.ts';
import { driveAhead } from './drive-ahead.ts';
import { readMigrations, versionOf } from './migrate.ts';
import { refusalOf } from './refusals.ts';
import { placeOf } from './url.ts';

/** How long a command may think between two questions of a transaction, in milliseconds. */
const IDLE_IN_TRANSACTION_MS_MAX = 60_000;

/**
 * Does `work` on a connection whose statements take as long as they take. Throws StoreError, in one
 * line without the password.
 *
 * @param purpose as the server's administrators see it
 */
export async function connected<R>(
  url: string,
  purpose: string,
  work: (client: pg.Client) => Promise<R>,
): Promise<R> {
  let client: pg.Client | undefined;
  try {
    client = await connect({
      ...clientConfig({ url, statementMsMax: 0 }, purpose),
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS_MAX,
    });
    return await work(client);
  } catch (error) {
    throw refusalOf(url, error);
  } finally {
    // What it is in the middle of goes with it.
    if (client !== undefined) await leave(client);
  }
}

/**
 * Looks at a database, which may be in use, without changing it; it must be at this version. All that
 * is asked sees one state.
 * @param by what asks, where that is not one query after the other
 */
export function lookAtDatabase<R>(
  url: string,
  ask: () => Sql<R>,
  by: (client: pg.Client, sql: Sql<R>) => Promise<R> = drive,
): Promise<R> {
  return connected(url, 'look', async (client) => {
    await drive(client, changed('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY'));
    await checkVersion(client, url);
    return by(client, ask());
  });
}

/** Refuses a database that is not at this program's version. */
export async function checkVersion(client: pg.Client, url: string): Promise<void> {
  const place = placeOf(url);
  refuseOther(place, await versionOf(client, place), readMigrations().length);
}

/** See verifyAudit. */
export function verifyPostgres(
  url: string,
  key: KeyObject,
  options: Pick<VerifyOptions, 'since'> = {},
): Promise<AuditReport> {
  return lookAtDatabase(url, () => verifyAll(key, options), driveAhead);
}

/** The same of the state that a transaction sees. */
export function* verifyAll(
  key: KeyObject,
  options: Pick<VerifyOptions, 'since'> = {},
): Sql<AuditReport> {
  const programs = yield* readPrograms();
  return yield* verifyAudit(key, { ...options, programs, hasRegister: true });
}
