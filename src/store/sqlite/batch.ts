/** One batch of writes on one connection: the same in the worker thread and without one. */
import type { KeyObject } from 'node:crypto';
import { AppError } from '../../domain/errors.ts';
import { AuditLog } from '../sql/audit.ts';
import type { Sql } from '../sql/query.ts';
import type { WriteTable } from '../sql/writes.ts';
import {
  type Failure,
  notTaken,
  type Outcome,
  type Write,
  type WriteName,
  type WriteResult,
  type Written,
} from '../writes.ts';
import { type Connection, isDatabaseFailure, sqliteCode } from './connection.ts';

/**
 * Does the writes in one transaction, each in a savepoint of its own, so that one that is refused
 * does not take the others along. When the database itself fails, up to and including the COMMIT,
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
    const outcomes = batch.map((write) => runWrite(db, table, write, log));
    db.drive(log.finish());
    db.run('COMMIT');
    return outcomes;
  } catch (error) {
    rollBack(db);
    const failure = notTaken(plain(error));
    return batch.map(() => ({ ok: false, failure }));
  }
}

function runWrite(db: Connection, table: WriteTable, write: Write, log: AuditLog): Outcome {
  db.run('SAVEPOINT one_write');
  try {
    const written = db.drive(log.attempt(() => apply(table, write, log)));
    db.run('RELEASE one_write');
    return { ok: true, ...written };
  } catch (error) {
    // A disk that is full for one is full for all, and SQLite may have rolled back everything.
    if (isDatabaseFailure(error)) throw error;
    db.run('ROLLBACK TO one_write');
    db.run('RELEASE one_write');
    return { ok: false, failure: failureOf(write.name, error) };
  }
}

function apply<N extends WriteName>(
  table: WriteTable,
  write: Write<N>,
  log: AuditLog,
): Sql<Written<WriteResult<N>>> {
  return table[write.name](write.args, log);
}

function rollBack(db: Connection): void {
  try {
    if (db.inTransaction) db.run('ROLLBACK');
  } catch {
    // The next batch's BEGIN fails on the open transaction, and this is tried again.
  }
}

/** A refusal is told as it is; anything else is a fault of ours, with its cause for the log. */
function failureOf(name: WriteName, error: unknown): Failure {
  if (error instanceof AppError) {
    return { reason: error.reason, message: error.message, cause: plain(error.cause) };
  }
  return { reason: 'INTERNAL', message: `the store could not do ${name}`, cause: plain(error) };
}

/** The error as it survives the way between threads: SQLite's own code goes into the message. */
function plain(error: unknown): unknown {
  const code = sqliteCode(error);
  if (!(error instanceof Error) || code === undefined) return error;
  return new Error(`${error.message} (SQLite error ${code})`, { cause: error });
}
