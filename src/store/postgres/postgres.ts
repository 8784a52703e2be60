/** Opening a store on PostgreSQL, which any number of processes may share. */
import type { KeyObject } from 'node:crypto';
import pg from 'pg';
import { type Clock, systemClock } from '../../domain/clock.ts';
import { Changes } from '../changes.ts';
import { SqlStore, type SqlStoreOptions } from '../sql/sql-store.ts';
import { type Store, StoreError } from '../store.ts';
import { clientConfig, lineOf, placeOf } from './connection.ts';
import { Feed } from './feed.ts';
import { migrate } from './migrate.ts';
import { PostgresReader } from './reader.ts';
import { PostgresRunner } from './runner.ts';

const CONNECTIONS_MAX = 10;
const STATEMENT_MS_MAX = 5_000;
const STALENESS_MS_MAX = 1_000;

export interface PostgresOptions extends SqlStoreOptions {
  /**
   * HMACs the audit log. Without it nothing that has an audit entry can be written.
   */
  readonly auditKey?: KeyObject;
  /** Connections that reads share; two more are the writes' and the notifications'. */
  readonly connectionsMax?: number;
  /** What a statement may take, in milliseconds. */
  readonly statementMsMax?: number;
  /** From when on what was heard of other nodes is too old to rest on, in milliseconds. */
  readonly stalenessMsMax?: number;
  /** Hears how long after its change a change of another node was heard, in milliseconds. */
  readonly onHeard?: (lagMs: number) => void;
  readonly clock?: Pick<Clock, 'monotonic'>;
}

/**
 * Opens the database, and makes or migrates it first where that is needed.
 *
 * @param url `postgres://…`
 * @throws StoreError in one line, when it cannot be used
 */
export async function openPostgres(url: string, options: PostgresOptions = {}): Promise<Store> {
  await migrate(url);
  const { connectionsMax = CONNECTIONS_MAX, statementMsMax = STATEMENT_MS_MAX } = options;
  const connecting = { url, statementMsMax };
  const pool = new pg.Pool({ ...clientConfig(connecting, 'reader'), max: connectionsMax });
  // An idle connection that is lost is no longer in the pool, and the next question makes another.
  pool.on('error', () => {});
  const changes = new Changes();
  try {
    const feed = await Feed.open({
      pool,
      listening: { ...clientConfig(connecting, 'feed'), pipeline: false },
      changes,
      clock: options.clock ?? systemClock,
      stalenessMsMax: options.stalenessMsMax ?? STALENESS_MS_MAX,
      onHeard: options.onHeard ?? (() => {}),
    });
    const runner = new PostgresRunner({
      ...connecting,
      auditKey: options.auditKey,
      onAnnounced: (numbers) => feed.told(numbers),
    });
    return new SqlStore({ changes, reader: new PostgresReader(pool, feed), runner, options });
  } catch (error) {
    await pool.end();
    throw new StoreError(`${placeOf(url)} cannot be used: ${lineOf(error)}`, error);
  }
}
