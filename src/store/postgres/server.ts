/** What a PostgreSQL server says of itself: how it is set up, how full it is, what time it is there. */
import { changed, first, type Sql } from '../sql/query.ts';
import { DATABASE_NOW_MS, drive } from './connection.ts';
import { connected } from './maintenance.ts';

const SERVER_SQL = {
  facts: `
    SELECT current_user AS role, current_setting('server_version') AS version,
      CAST(current_setting('server_version_num') AS integer) / 10000 AS major,
      current_setting('server_encoding') AS encoding,
      CAST(pg_is_in_recovery() AS integer) AS "isStandby",
      CAST(current_setting('default_transaction_read_only') = 'on' AS integer) AS "isReadOnly",
      current_setting('synchronous_commit') AS "synchronousCommit",
      current_setting('fsync') AS fsync,
      current_setting('full_page_writes') AS "fullPageWrites",
      least(
        CAST(current_setting('max_connections') AS integer)
          - CAST(current_setting('superuser_reserved_connections') AS integer)
          - CAST(coalesce(current_setting('reserved_connections', true), '0') AS integer),
        CASE WHEN rolconnlimit >= 0 THEN rolconnlimit END,
        CASE WHEN datconnlimit >= 0 THEN datconnlimit END) AS "connectionsMax",
      pg_database_size(datname) AS bytes,
      (SELECT string_agg(relname, ', ' ORDER BY relname) FROM pg_class
       WHERE relkind = 'r' AND relpersistence = 'u'
         AND relnamespace = to_regnamespace(quote_ident(current_schema()))) AS unlogged
    FROM pg_database, pg_roles WHERE datname = current_database() AND rolname = current_user`,
  now: `SELECT ${DATABASE_NOW_MS} AS "nowMs"`,
} as const;

export interface ServerFacts {
  /** As whom we are known. */
  readonly role: string;
  /** Such as `17.2 (Debian 17.2-1)`. */
  readonly version: string;
  readonly major: number;
  readonly encoding: string;
  /** 0 or 1. */
  readonly isStandby: number;
  /** 0 or 1. */
  readonly isReadOnly: number;
  /** What a COMMIT waits for: `on`, `off`, `local`, `remote_write`, `remote_apply`. */
  readonly synchronousCommit: string;
  /** `on` or `off`. */
  readonly fsync: string;
  /** `on` or `off`. */
  readonly fullPageWrites: string;
  /** That our role may have to our database. */
  readonly connectionsMax: number;
  /** Of the database on its disk. */
  readonly bytes: number;
  /** Names of tables that a crash empties; null when there are none. */
  readonly unlogged: string | null;
}

/** What a server says, and how its clock differs from ours. */
export interface Server {
  readonly facts: ServerFacts;
  /** Milliseconds by which its clock is ahead, give or take the half of how long it took to ask. */
  readonly aheadMs: number;
}

/** Asks a server; the database may be anybody's. @throws StoreError without a password */
export function lookAtServer(url: string, now: () => number): Promise<Server> {
  return connected(url, 'doctor', async (client) => {
    await drive(client, changed('BEGIN READ ONLY'));
    const facts = await drive(client, readFacts());
    const beforeMs = now();
    const nowMs = await drive(client, readNow());
    return { facts, aheadMs: Math.round(nowMs - (beforeMs + now()) / 2) };
  });
}

function* readFacts(): Sql<ServerFacts> {
  const found = yield* first<ServerFacts>(SERVER_SQL.facts);
  if (found === undefined) throw new Error('the server does not know its own database');
  return found;
}

function* readNow(): Sql<number> {
  return (yield* first<{ nowMs: number }>(SERVER_SQL.now))?.nowMs ?? 0;
}
