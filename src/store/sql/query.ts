/**
 * How the store's logic asks a SQL database without knowing one: generators yield queries and are
 * resumed with what was found, at once by an engine that answers at once, later by one that is far.
 */
import { AppError } from '../../domain/errors.ts';

/** What a statement may be given. Instants are milliseconds since 1970, booleans 0 and 1. */
export type Value = string | number | null;

/** One statement for an engine to run: the first row, all rows, or how many rows it changed. */
export interface Query {
  readonly of: 'first' | 'rows' | 'changed';
  readonly sql: string;
  readonly values: readonly Value[];
}

/** What asks the database and answers R; an engine resumes it with what each query found. */
// biome-ignore lint/suspicious/noExplicitAny: what a yield answers depends on the query; first, rows and changed say it.
export type Sql<R> = Generator<Query, R, any>;

/** The first row, or undefined. @throws AppError INVALID_REQUEST, as those below, for a text that is none */
export function* first<T extends object>(sql: string, ...values: Value[]): Sql<T | undefined> {
  return yield { of: 'first', sql, values: kept(values) };
}

export function* rows<T extends object>(sql: string, ...values: Value[]): Sql<T[]> {
  return yield { of: 'rows', sql, values: kept(values) };
}

/** How many rows the statement changed. */
export function* changed(sql: string, ...values: Value[]): Sql<number> {
  return yield { of: 'changed', sql, values: kept(values) };
}

/** Values that every engine keeps: PostgreSQL has no text with U+0000 in it. */
function kept(values: readonly Value[]): readonly Value[] {
  for (const value of values) {
    if (typeof value !== 'string' || !value.includes('\0')) continue;
    throw new AppError('INVALID_REQUEST', 'a text holds the character U+0000, which is not kept');
  }
  return values;
}
