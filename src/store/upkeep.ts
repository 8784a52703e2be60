/** What commands do to a database as a whole: which engine it is on, its address says. */
import type { KeyObject } from 'node:crypto';
import { lookAtDatabase, verifyPostgres } from './postgres/maintenance.ts';
import { migrate } from './postgres/migrate.ts';
import { isPostgres, placeOf } from './postgres/url.ts';
import type { ChainHead } from './sql/audit-points.ts';
import type { AuditReport } from './sql/audit-verify.ts';
import type { Sql } from './sql/query.ts';
import { look, migrateFile, verifyFile } from './sqlite/maintenance.ts';
import { fileOf } from './sqlite/sqlite.ts';

/** The database as people find it: its file, or its server and name, without a password. */
export function whereIs(url: string): string {
  return isPostgres(url) ? placeOf(url) : fileOf(url);
}

/** Answers the version of the schema before and after. Refuses a file that a server has open. */
export async function migrateDatabase(
  url: string,
): Promise<{ readonly from: number; readonly to: number }> {
  return isPostgres(url) ? migrate(url) : migrateFile(url);
}

/**
 * Asks a database, which may be in use, without changing it; it must be at this version. All that is
 * asked sees one state.
 */
export async function lookAt<R>(url: string, ask: () => Sql<R>): Promise<R> {
  if (isPostgres(url)) return lookAtDatabase(url, ask);
  return look(fileOf(url), (db) => db.snapshot(() => db.drive(ask())));
}

/** See verifyAudit; `since` are heads that were kept elsewhere. */
export async function verifyDatabase(
  url: string,
  key: KeyObject,
  since: readonly ChainHead[],
): Promise<AuditReport> {
  if (isPostgres(url)) return verifyPostgres(url, key, { since });
  return verifyFile(fileOf(url), key, { since });
}
