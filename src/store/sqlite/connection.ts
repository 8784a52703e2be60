/** One connection to an SQLite database: prepared statements kept, errors told apart. */
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';

import { ConstraintError } from '../sql/constraint.ts';
import type { Query, Sql } from '../sql/query.ts';

/** How long the writer waits for another process's transaction, such as a backup's. */
const WRITER_BUSY_MS_MAX = 5_000;
/** The reader waits on the main thread; in WAL mode it has next to nothing to wait for. */
const READER_BUSY_MS_MAX = 100;
/** Pages that each connection keeps in memory, in KiB. */
const CACHE_KIB = 16_384;
/**
 * How far the write-ahead log grows before it is moved into the database, in pages of 4 KiB. Writes wait
 * meanwhile: often and for a short time is better than seldom and long.
 */
const CHECKPOINT_PAGES = 1_000;
/** What the log is cut back to after an exceptional growth. */
const LOG_BYTES_KEPT = 67_108_864;

/**
 * SQLite's primary error codes that speak of the database or its disk and not of one statement:
 * PERM, BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL, NOLFS
 * and NOTADB.
 */
const DATABASE_FAILURES = new Set([3, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 22, 26]);

/** SQLite's own (extended) code of an error; undefined for an error that is not SQLite's. */
export function sqliteCode(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number'
    ? error.errcode
    : undefined;
}

/** True when the database could not do its work, whatever it was asked. */
export function isDatabaseFailure(error: unknown): boolean {
  const code = sqliteCode(error);
  return code !== undefined && DATABASE_FAILURES.has(code & 0xff);
}

/** SQLite's codes of a broken reference, and of a value that must be unique and is not. */
const CONSTRAINTS = new Map([
  [787, 'foreign-key'],
  [2067, 'unique'],
] as const);

/** The error with SQLite's own code in its message, which is all that gets to another thread. */
export function withCode(error: unknown): unknown {
  const code = sqliteCode(error);
  if (!(error instanceof Error) || code === undefined) return error;
  return new Error(`${error.message} (SQLite error ${code})`, { cause: error });
}

/** The error as the logic of the store knows it. */
function neutral(error: unknown): unknown {
  const kind = CONSTRAINTS.get(sqliteCode(error) as 787);
  const told = withCode(error);
  if (kind === undefined || !(told instanceof Error)) return told;
  return new ConstraintError(kind, told.message, { cause: error });
}

/** A DatabaseSync whose statements are prepared once; for the program's own, fixed SQL. */
export class Connection {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** The first row, or undefined. */
  get<R extends object>(sql: string, ...values: SQLInputValue[]): R | undefined {
    return this.#prepared(sql).get(...values) as R | undefined;
  }

  /** All rows. */
  all<R extends object>(sql: string, ...values: SQLInputValue[]): R[] {
    return this.#prepared(sql).all(...values) as R[];
  }

  /** The rows one by one, whatever their number; the same text is not asked again before the last. */
  iterate<R extends object>(sql: string, ...values: SQLInputValue[]): Iterable<R> {
    return this.#prepared(sql).iterate(...values) as Iterable<R>;
  }

  /** How many rows were changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#prepared(sql).run(...values).changes);
  }

  /** Runs several statements that need no values, such as a migration's. */
  exec(sql: string): void {
    this.#db.exec(sql);
  }

  /** What an integer PRAGMA says. */
  pragma(name: string): number {
    return Number(Object.values(this.get(`PRAGMA ${name}`) ?? {})[0]);
  }

  get inTransaction(): boolean {
    return this.#db.isTransaction;
  }

  /**
   * Answers each query at once, until what asks has its own answer. It hears of a statement that is
   * refused; a failure of the database itself ends the asking.
   */
  drive<R>(sql: Sql<R>): R {
    let step = sql.next();
    while (step.done !== true) {
      let found: unknown;
      try {
        found = this.#answer(step.value);
      } catch (error) {
        if (isDatabaseFailure(error)) throw error;
        step = sql.throw(neutral(error));
        continue;
      }
      step = sql.next(found);
    }
    return step.value;
  }

  #answer({ of, sql, values }: Query): unknown {
    if (of === 'first') return this.get(sql, ...values);
    if (of === 'rows') return this.all(sql, ...values);
    return this.run(sql, ...values);
  }

  /** Does `read` on one snapshot of the database: that of the transaction that is open, if any. */
  snapshot<R>(read: () => R): R {
    if (this.inTransaction) return read();
    this.run('BEGIN');
    try {
      return read();
    } finally {
      if (this.inTransaction) this.run('COMMIT');
    }
  }

  close(): void {
    this.#statements.clear();
    this.#db.close();
  }

  #prepared(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

/** Opens the connection that sets a database up, or writes to it. */
export function openWriter(path: string): Connection {
  const db = new DatabaseSync(path, { timeout: WRITER_BUSY_MS_MAX });
  try {
    // FULL: the log is on the disk before COMMIT returns. fullfsync: also on macOS, where fsync
    // alone does not reach the disk; elsewhere it changes nothing.
    db.exec(`
      PRAGMA synchronous = FULL;
      PRAGMA fullfsync = ON;
      PRAGMA checkpoint_fullfsync = ON;
      PRAGMA foreign_keys = ON;
      PRAGMA cache_size = -${CACHE_KIB};
      PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES};
      PRAGMA journal_size_limit = ${LOG_BYTES_KEPT};
    `);
    return new Connection(db);
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Opens a connection that cannot change anything. */
export function openReader(path: string): Connection {
  const db = new DatabaseSync(path, { readOnly: true, timeout: READER_BUSY_MS_MAX });
  try {
    db.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
    return new Connection(db);
  } catch (error) {
    db.close();
    throw error;
  }
}
