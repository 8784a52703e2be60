/** One batch of writes on one connection: the same in the worker thread and without one. */
import type { KeyObject } from 'node:crypto';
import { AuditLog } from '../sql/audit.ts';
import { doTogether, doWrites } from '../sql/batch.ts';
import type { Sql } from '../sql/query.ts';
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
    const together = transact(db, auditKey, (log) => doTogether(table, batch, log));
    return together ?? transact(db, auditKey, (log) => doWrites(table, batch, log));
  } catch (error) {
    rollBack(db);
    const failure = notTaken(withCode(error));
    return batch.map(() => ({ ok: false, failure }));
  }
}

/** Does what `work` asks in one transaction, which is undone where it answers undefined. */
function transact<R extends Outcome[] | undefined>(
  db: Connection,
  auditKey: KeyObject | undefined,
  work: (log: AuditLog) => Sql<R>,
): R {
  db.run('BEGIN IMMEDIATE');
  const log = new AuditLog(auditKey);
  const outcomes = db.drive(work(log));
  if (outcomes === undefined) {
    db.run('ROLLBACK');
    return outcomes;
  }
  db.drive(log.finish());
  db.run('COMMIT');
  return outcomes;
}

function rollBack(db: Connection): void {
  try {
    if (db.inTransaction) db.run('ROLLBACK');
  } catch {
    // The next batch's BEGIN fails on the open transaction, and this is tried again.
  }
}
