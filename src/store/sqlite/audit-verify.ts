/** Verifies the audit log of an SQLite database; see ../sql/audit-verify.ts for how. */
import type { KeyObject } from 'node:crypto';
import { watched } from '../sql/audit-progress.ts';
import {
  type AuditReport,
  type VerifyOptions,
  verifyAudit as verify,
} from '../sql/audit-verify.ts';
import { rows, type Sql } from '../sql/query.ts';
import type { Connection } from './connection.ts';

// Propusk makes neither: what one does would count as done by Propusk.
const PROGRAMS_SQL =
  "SELECT type, name FROM sqlite_schema WHERE type IN ('trigger', 'view') ORDER BY name";

/** Of the state that a transaction sees. */
export function* verifyAll(
  key: KeyObject,
  options: Omit<VerifyOptions, 'programs'> = {},
): Sql<AuditReport> {
  const found = yield* rows<{ type: string; name: string }>(PROGRAMS_SQL);
  const programs = found.map(
    ({ type, name }) => `the database holds a ${type} ${name}, which Propusk did not make`,
  );
  return yield* verify(key, { ...options, programs });
}

/**
 * On one snapshot.
 * @param onChecked told of entries and resources as they are verified
 */
export function verifyAudit(
  db: Connection,
  key: KeyObject,
  options: Omit<VerifyOptions, 'programs'> = {},
  onChecked: (count: number) => void = () => {},
): AuditReport {
  return db.snapshot(() => db.drive(watched(verifyAll(key, options), onChecked)));
}
