/** The writes of one batch, inside one transaction. */
import { AppError } from '../../domain/errors.ts';
import type { Failure, Outcome, Write, WriteName, WriteResult, Written } from '../writes.ts';
import type { AuditLog } from './audit.ts';
import { changed, type Sql } from './query.ts';
import type { WriteTable } from './writes.ts';

/**
 * Does the writes together, without savepoints: with one, an engine keeps a copy of each page that
 * is changed. Undefined where a write is refused: the transaction is to be rolled back, and `doWrites` to
 * do what it can of it.
 */
export function* doTogether(
  table: WriteTable,
  batch: readonly Write[],
  log: AuditLog,
): Sql<Outcome[] | undefined> {
  const outcomes: Outcome[] = [];
  try {
    for (const write of batch) {
      outcomes.push({ ok: true, ...(yield* doWrite(table, write, log)) });
    }
    return outcomes;
  } catch {
    return undefined;
  }
}

/**
 * Does each write in a savepoint of its own, so that one that is refused does not take the others
 * along. Where the database itself fails, an engine does not resume this.
 */
export function* doWrites(
  table: WriteTable,
  batch: readonly Write[],
  log: AuditLog,
): Sql<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const write of batch) {
    yield* changed('SAVEPOINT one_write');
    try {
      const written = yield* log.attempt(() => doWrite(table, write, log));
      yield* changed('RELEASE SAVEPOINT one_write');
      outcomes.push({ ok: true, ...written });
    } catch (error) {
      yield* changed('ROLLBACK TO SAVEPOINT one_write');
      yield* changed('RELEASE SAVEPOINT one_write');
      outcomes.push({ ok: false, failure: failureOf(write.name, error) });
    }
  }
  return outcomes;
}

/** One write, without a savepoint. */
export function doWrite<N extends WriteName>(
  table: WriteTable,
  write: Write<N>,
  log: AuditLog,
): Sql<Written<WriteResult<N>>> {
  return table[write.name](write.args, log);
}

/** A refusal is told as it is; anything else is a fault of ours, with its cause for the log. */
function failureOf(name: WriteName, error: unknown): Failure {
  if (error instanceof AppError) {
    return { reason: error.reason, message: error.message, cause: error.cause };
  }
  return { reason: 'INTERNAL', message: `the store could not do ${name}`, cause: error };
}
