/** One batch of writes on one connection: the same in the worker thread and without one. */
import type { KeyObject } from 'node:crypto';
import { AuditLog } from '../sql/audit.ts';
import { doWrites } from '../sql/batch.ts';
import type { WriteTable } from '../sql/writes.ts';
import { notTaken, type Outcome, type Write } from '../writes.ts';
import { type Connection, withCode } from './connection.ts';

/**
 * Does the writes in one transaction. When the database itself fails, up to and including the COMMIT,
 * nothing is kept and every write fails with UNAVAILABLE. Does not throw.
 * @param auditKey without it, writes that have an audit entry fail
 */
export function runBatch(
  db: Connection,
  table: WriteTable,
  batch: readonly Write[],
  auditKey?: KeyObject,
): Outcome[] {
  try {
    db.run('BEGIN IMMEDIATE');
    const log = new AuditLog(auditKey);
    const outcomes = db.drive(doWrites(table, batch, log));
    db.drive(log.finish());
    db.run('COMMIT');
    return outcomes;
  } catch (error) {
    rollBack(db);
    const failure = notTaken(withCode(error));
    return batch.map(() => ({ ok: false, failure }));
  }
}

function rollBack(db: Connection): void {
  try {
    if (db.inTransaction) db.run('ROLLBACK');
  } catch {
    // The next batch's BEGIN fails on the open transaction, and this is tried again.
  }
}
