/** Reading an SQLite database: on the spot, from one connection. */
import { AppError } from '../../domain/errors.ts';
import type { Sql } from '../sql/query.ts';
import type { Reader } from '../sql/sql-store.ts';
import { type Connection, isDatabaseFailure } from './connection.ts';

export class SqliteReader implements Reader {
  readonly #db: Connection;

  /** @param db closed with it */
  constructor(db: Connection) {
    this.#db = db;
  }

  async read<R>(ask: () => Sql<R>, isSnapshot: boolean): Promise<R> {
    try {
      const db = this.#db;
      return isSnapshot ? db.snapshot(() => db.drive(ask())) : db.drive(ask());
    } catch (error) {
      if (!isDatabaseFailure(error)) throw error;
      throw new AppError('UNAVAILABLE', 'the database cannot be read', { cause: error });
    }
  }

  /** Nobody else writes to what a server has taken for itself. */
  isCurrent(): boolean {
    return true;
  }

  async close(): Promise<void> {
    this.#db.close();
  }
}
