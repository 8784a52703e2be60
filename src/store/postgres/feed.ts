/**
 * Hears what other nodes change: rows of the feed, numbered in the order of the commits. Each look asks
 * for what is new, every 250 ms; a notification only makes the next one come at once. So what is heard
 * is whole whatever becomes of notifications, and how old it is counts from the last look's beginning.
 */
import type pg from 'pg';
import type { Clock } from '../../domain/clock.ts';
import type { Changes } from '../changes.ts';
import { changed, first, rows, type Sql } from '../sql/query.ts';
import { connect, DATABASE_NOW_MS, drive, leave, type Queries } from './connection.ts';
import { changeOf, type FeedRow } from './feed-rows.ts';

/** Between two looks, in milliseconds. */
const LOOK_EVERY_MS = 250;
/** Before a lost connection for notifications is made again, in milliseconds. */
const LISTEN_AGAIN_MS = 500;
/** Rows that are read at a time. */
const PAGE = 1_000;
/** How long rows are kept, and how often old ones are removed, in milliseconds. */
const KEPT_MS = 600_000;
const TRIM_EVERY_MS = 60_000;

/** Every statement of the feed. */
export const FEED_SQL = {
  ends: `
    SELECT (SELECT min(number) FROM change_feed) AS oldest,
      (SELECT max(number) FROM change_feed) AS newest`,
  after: `
    SELECT number, node, kind, id, expires_at_ms AS "expiresAtMs", at_ms AS "atMs", ${DATABASE_NOW_MS} AS "nowMs"
    FROM change_feed WHERE number > ? ORDER BY number LIMIT ${PAGE}`,
  trim: `
    DELETE FROM change_feed WHERE number IN (
      SELECT number FROM change_feed
      WHERE at_ms < ${DATABASE_NOW_MS} - ${KEPT_MS} AND number < (SELECT max(number) FROM change_feed)
      ORDER BY number LIMIT 10000)`,
} as const;

export interface FeedOptions {
  /** Answers the looks where there is no connection for notifications. */
  readonly pool: pg.Pool;
  /** How that connection is made, over which looks go as well as long as it answers. */
  readonly listening: pg.ClientConfig;
  readonly changes: Changes;
  /** Of this process, whose rows it has announced itself. */
  readonly node: string;
  readonly clock: Pick<Clock, 'monotonic'>;
  /** From when on what was heard is too old to rest on, in milliseconds. */
  readonly stalenessMsMax: number;
  /** Hears that the database answers. */
  readonly onAnswer: () => void;
  /** Hears how long after its change a row of another node was heard, in milliseconds. */
  readonly onHeard: (lagMs: number) => void;
}

interface Ends {
  /** null where there are no rows. */
  readonly oldest: number | null;
  readonly newest: number | null;
}

export class Feed {
  readonly #options: FeedOptions;
  readonly #ending = new AbortController();
  /** All up to this number is announced. */
  #last = 0;
  /** When the last look that ended well began, by the monotonic clock. */
  #confirmedAtMs = Number.NEGATIVE_INFINITY;
  #trimmedAtMs: number;
  #listener: pg.Client | undefined;
  /** What this process has changed too. */
  #isAllHeard = false;
  /** Ends the wait between two looks. */
  #wake: () => void = () => {};
  #isNotified = false;
  #running: Promise<unknown> = Promise.resolve();

  private constructor(options: FeedOptions) {
    this.#options = options;
    this.#trimmedAtMs = options.clock.monotonic();
  }

  /** Follows what changes from now on, before anything else is read. @throws DatabaseFailure */
  static async open(options: FeedOptions): Promise<Feed> {
    const feed = new Feed(options);
    const beganAtMs = options.clock.monotonic();
    const { newest } = await drive(options.pool, ends());
    feed.#last = newest ?? 0;
    feed.#confirmedAtMs = beganAtMs;
    feed.#running = Promise.all([feed.#follow(), feed.#listen()]);
    return feed;
  }

  /** Whether all is heard. Asks the clock each time: who slept must not trust what it knew before. */
  isCurrent(): boolean {
    const { clock, stalenessMsMax } = this.#options;
    return clock.monotonic() - this.#confirmedAtMs <= stalenessMsMax;
  }

  /** Announces what this process has changed as well, as it may not know of it; or may have passed it. */
  hearAll(): void {
    this.#isAllHeard = true;
    this.#options.changes.announce([{ kind: 'everything' }]);
  }

  async close(): Promise<void> {
    this.#ending.abort();
    this.#wake();
    if (this.#listener !== undefined) void leave(this.#listener);
    await this.#running;
  }

  get #isClosed(): boolean {
    return this.#ending.signal.aborted;
  }

  async #follow(): Promise<void> {
    while (!this.#isClosed) {
      await this.#pause();
      // What cannot be asked now is asked at the next look; until then it grows old.
      if (!this.#isClosed) await this.#look().catch(() => {});
    }
  }

  async #look(): Promise<void> {
    const { clock, pool, changes, onAnswer } = this.#options;
    const queries = this.#listener ?? pool;
    const beganAtMs = clock.monotonic();
    const { oldest, newest } = await drive(queries, ends());
    onAnswer();
    // Rows that this process has not seen may be gone, or the whole database is another.
    const isTorn = newest === null ? this.#last > 0 : newest < this.#last;
    if (isTorn || (oldest !== null && oldest > this.#last + 1)) {
      this.#last = newest ?? 0;
      changes.announce([{ kind: 'everything' }]);
    }
    while (this.#last < (newest ?? 0)) {
      // Rows that were there a moment ago are gone: the next look says whether any was missed.
      if (!(await this.#announcePage(queries))) return;
    }
    this.#confirmedAtMs = beganAtMs;
    await this.#trim(queries);
  }

  /** False: there was nothing to announce. */
  async #announcePage(queries: Queries): Promise<boolean> {
    type Row = FeedRow & { number: number; node: string; atMs: number; nowMs: number };
    const page = await drive(queries, rows<Row>(FEED_SQL.after, this.#last));
    for (const row of page) {
      this.#last = row.number;
      if (row.node === this.#options.node && !this.#isAllHeard) continue;
      this.#options.onHeard(Math.max(0, row.nowMs - row.atMs));
      this.#options.changes.announce([changeOf(row)]);
    }
    return page.length > 0;
  }

  async #trim(queries: Queries): Promise<void> {
    const nowMs = this.#options.clock.monotonic();
    if (nowMs - this.#trimmedAtMs < TRIM_EVERY_MS) return;
    this.#trimmedAtMs = nowMs;
    await drive(queries, changed(FEED_SQL.trim));
  }

  /** Until the next look is due, or something is known to have happened. */
  async #pause(): Promise<void> {
    if (!this.#isNotified) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, LOOK_EVERY_MS);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#isNotified = false;
  }

  async #listen(): Promise<void> {
    while (!this.#isClosed) {
      await this.#listenOnce().catch(() => {});
      this.#listener = undefined;
      if (this.#isClosed) return;
      await new Promise((resolve) => setTimeout(resolve, LISTEN_AGAIN_MS).unref());
    }
  }

  /** Resolves when the connection is lost. */
  async #listenOnce(): Promise<void> {
    const client = await connect(this.#options.listening);
    const lost = new Promise<void>((resolve) => {
      client.once('error', () => resolve());
      client.once('end', () => resolve());
    });
    client.on('notification', () => {
      this.#isNotified = true;
      this.#wake();
    });
    try {
      await client.query('LISTEN propusk_change');
      this.#listener = client;
      if (!this.#isClosed) await lost;
    } finally {
      void leave(client);
    }
  }
}

function* ends(): Sql<Ends> {
  return (yield* first<Ends>(FEED_SQL.ends)) ?? { oldest: null, newest: null };
}
