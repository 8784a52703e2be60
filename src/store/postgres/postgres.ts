/** Opening a store on PostgreSQL, which any number of processes may share. */
import type { KeyObject } from 'node:crypto';
import pg from 'pg';
import { type Clock, newId, systemClock, systemRandom } from '../../domain/clock.ts';
import { Changes } from '../changes.ts';
import { SqlStore, type SqlStoreOptions } from '../sql/sql-store.ts';
import type { Store } from '../store.ts';
import { clientConfig } from './connection.ts';
import { Feed } from './feed.ts';
import { migrate } from './migrate.ts';
import { Pulse } from './pulse.ts';
import { PostgresReader } from './reader.ts';
import { refusalOf } from './refusals.ts';
import { PostgresRunner } from './runner.ts';

export const CONNECTIONS_MAX = 10;
/** Of a server, beside those for reads: for writes, for notifications, and to ask for the fate of a COMMIT. */
export const CONNECTIONS_MORE = 3;
const STATEMENT_MS_MAX = 5_000;
const STALENESS_MS_MAX = 1_000;

export interface PostgresOptions extends SqlStoreOptions {
  /** HMACs the audit log. Without it nothing that has an audit entry can be written. */
  readonly auditKey?: KeyObject;
  /** Connections that reads share; CONNECTIONS_MORE are for all else. */
  readonly connectionsMax?: number;
  /** What a statement may take, in milliseconds. */
  readonly statementMsMax?: number;
  /** False where nobody needs to hear of what other processes change, as in a command. */
  readonly follows?: boolean;
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
  // One that is lost while somebody has it fails the query under way, and would end the process too.
  pool.on('connect', (client) => client.on('error', () => {}));
  const changes = new Changes();
  const node = newId(systemRandom);
  const { clock = systemClock, stalenessMsMax = STALENESS_MS_MAX } = options;
  const pulse = new Pulse(clock, connectionsMax);
  try {
    const feeding = {
      pool,
      listening: {
        ...clientConfig(connecting, 'feed'),
        // Pipelined, one that stalls is given up, in time for a look over another connection.
        pipeline: true,
        query_timeout: stalenessMsMax / 2,
      },
      changes,
      node,
      clock,
      stalenessMsMax,
      onAnswer: () => pulse.beat(),
      onHeard: options.onHeard ?? (() => {}),
    };
    const feed = options.follows === false ? undefined : await Feed.open(feeding);
    const runner = new PostgresRunner({
      ...connecting,
      clock,
      auditKey: options.auditKey,
      node,
      onUnknown: () => feed?.hearAll(),
    });
    const following = feed && {
      feed,
      pulse,
      // What this process has changed itself the feed leaves to it, and it knows of it with the answer.
      isCurrent: () => feed.isCurrent() && runner.committingMs() <= stalenessMsMax,
    };
    return new SqlStore({ changes, reader: new PostgresReader(pool, following), runner, options });
  } catch (error) {
    await pool.end();
    throw refusalOf(url, error);
  }
}
