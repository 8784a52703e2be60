/** Reading a PostgreSQL database: over a pool of connections. */
import type pg from 'pg';
import { AppError } from '../../domain/errors.ts';
import { changed, type Sql } from '../sql/query.ts';
import type { Reader } from '../sql/sql-store.ts';
import { DatabaseFailure, drive, neutral } from './connection.ts';
import type { Feed } from './feed.ts';
import type { Pulse } from './pulse.ts';

/** What a store has that hears of others' changes. */
export interface Following {
  readonly feed: Feed;
  readonly pulse: Pulse;
  /** See Store.isCurrent. */
  readonly isCurrent: () => boolean;
}

export class PostgresReader implements Reader {
  readonly #pool: pg.Pool;
  readonly #following: Following | undefined;

  /** Both are closed with it. */
  constructor(pool: pg.Pool, following: Following | undefined) {
    this.#pool = pool;
    this.#following = following;
  }

  async read<R>(ask: () => Sql<R>, isSnapshot: boolean): Promise<R> {
    const question = () => (isSnapshot ? snapshot(this.#pool, ask) : drive(this.#pool, ask()));
    try {
      return await (this.#following?.pulse.ask(question) ?? question());
    } catch (error) {
      if (!(error instanceof DatabaseFailure)) throw error;
      throw new AppError('UNAVAILABLE', 'the database cannot be read', { cause: error });
    }
  }

  isCurrent(): boolean {
    // Who hears of nothing that others change may rest on nothing that it holds.
    return this.#following?.isCurrent() ?? false;
  }

  async close(): Promise<void> {
    await this.#following?.feed.close();
    await this.#pool.end();
  }
}

/** All queries see one state. @throws DatabaseFailure */
async function snapshot<R>(pool: pg.Pool, asked: () => Sql<R>): Promise<R> {
  const client = await pool.connect().catch((error) => {
    throw neutral(error);
  });
  try {
    await drive(client, changed('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY'));
    const found = await drive(client, asked());
    await drive(client, changed('COMMIT'));
    client.release();
    return found;
  } catch (error) {
    // A refusal is in the middle of nothing; whatever else it is in the middle of goes with the connection.
    const isWhole =
      error instanceof AppError &&
      (await drive(client, changed('ROLLBACK')).then(
        () => true,
        () => false,
      ));
    client.release(!isWhole);
    throw error;
  }
}
