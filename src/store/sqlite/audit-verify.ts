/** Verifies the audit log of an SQLite database; see ../sql/audit-verify.ts for how. */
import type { KeyObject } from 'node:crypto';
import { watched } from '../sql/audit-progress.ts';
import {
  type AuditReport,
  type VerifyOptions,
  verifyAudit as verify,
} from '../sql/audit-verify.ts';
import type { Connection } from './connection.ts';

// Propusk makes neither: what one does would count as done by Propusk.
const PROGRAMS_SQL =
  "SELECT type, name FROM sqlite_schema WHERE type IN ('trigger', 'view') ORDER BY name";

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
  return db.snapshot(() => {
    const programs = db
      .all<{ type: string; name: string }>(PROGRAMS_SQL)
      .map(({ type, name }) => `the database holds a ${type} ${name}, which Propusk did not make`);
    return db.drive(watched(verify(key, { ...options, programs }), onChecked));
  });
}
