/** Does batches of writes on a connection of its own, and finds out what became of one in doubt. */

import type { KeyObject } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../domain/clock.ts';
import { AppError } from '../../domain/errors.ts';
import { changed } from '../sql/query.ts';
import { type BatchRunner, notTaken, type Outcome, type Write } from '../writes.ts';
import {
  type ConnectOptions,
  clientConfig,
  connect,
  DATABASE_NOW_MS,
  DatabaseFailure,
  drive,
  leave,
} from './connection.ts';
import { leaseChain } from './lease.ts';
import {
  CommitInDoubt,
  fateOf,
  runTransaction,
  type Transaction,
  type Writer,
} from './transaction.ts';

/** A batch is begun again so often where its connection was lost before COMMIT. */
const ATTEMPTS_MAX = 2;
/** Between two questions what became of a transaction, in milliseconds. */
const ASK_AGAIN_MS = 100;
/** How long that is asked, in milliseconds: nobody waits so long, and a node is to be able to end. */
const ASK_MS_MAX = 30_000;

/** Removes what nodes have noted that have not written for a day, in milliseconds. */
const FORGET_OLD = `DELETE FROM newest_batch WHERE at_ms < ${DATABASE_NOW_MS} - 86400000`;

export interface RunnerOptions extends ConnectOptions {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly auditKey: KeyObject | undefined;
  /** What the feed knows this process by. */
  readonly node: string;
  /** What became of a batch was not found out: its changes may be kept, and nobody was told of them. */
  readonly onUnknown: () => void;
}

export class PostgresRunner implements BatchRunner {
  readonly #options: RunnerOptions;
  #writer: Writer | undefined;
  /** That it has begun. */
  #batches = 0;
  /** A COMMIT of changes that are not announced yet: when it was sent, by the monotonic clock. */
  #committing: { readonly sinceMs: number } | undefined;
  #isClosed = false;

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  async run(batch: readonly Write[]): Promise<readonly Outcome[]> {
    try {
      return await this.#run(batch);
    } finally {
      const committed = this.#committing;
      // Whoever waits for the outcomes announces them first.
      setImmediate(() => {
        if (this.#committing === committed) this.#committing = undefined;
      });
    }
  }

  /** For how long changes may have held that are not announced yet, in milliseconds; 0: there are none. */
  committingMs(): number {
    const { clock } = this.#options;
    return this.#committing === undefined ? 0 : clock.monotonic() - this.#committing.sinceMs;
  }

  async #run(batch: readonly Write[]): Promise<readonly Outcome[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(batch);
      } catch (error) {
        const isLost = error instanceof DatabaseFailure && error.isOfConnection;
        if (isLost && attempt < ATTEMPTS_MAX) continue;
        return batch.map(() => ({ ok: false, failure: notTaken(error) }));
      }
    }
  }

  check(): void {
    if (this.#isClosed) throw new AppError('UNAVAILABLE', 'the store is closed');
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#writer !== undefined) await leave(this.#writer.client);
  }

  async #attempt(batch: readonly Write[]): Promise<readonly Outcome[]> {
    this.#writer ??= await this.#open();
    const writer = this.#writer;
    try {
      this.#batches += 1;
      return await runTransaction(writer, batch, this.#batches, (changes) => {
        if (changes.length > 0) this.#committing = { sinceMs: this.#options.clock.monotonic() };
      });
    } catch (error) {
      if (error instanceof DatabaseFailure && error.isOfConnection) this.#drop(writer);
      if (!(error instanceof CommitInDoubt)) throw error;
      this.#drop(writer);
      if ((await this.#fateOf(error)) === 'committed') return error.outcomes;
      throw new DatabaseFailure('the connection was lost before COMMIT', true, error);
    }
  }

  async #open(): Promise<Writer> {
    const { auditKey, node } = this.#options;
    const client = await connect(this.#config('writer'));
    try {
      const chain = auditKey === undefined ? 0 : await leaseChain(client, auditKey);
      await drive(client, changed(FORGET_OLD));
      const writer = { client, auditKey, chain, node };
      client.once('end', () => this.#drop(writer));
      return writer;
    } catch (error) {
      void leave(client);
      throw error;
    }
  }

  #drop(writer: Writer): void {
    if (this.#writer === writer) this.#writer = undefined;
    void leave(writer.client);
  }

  /** Asks until the server knows, though it may be away: what is not known is not answered. */
  async #fateOf({ transaction }: CommitInDoubt): Promise<'committed' | 'aborted'> {
    const { clock } = this.#options;
    const giveUpAtMs = clock.monotonic() + ASK_MS_MAX;
    for (;;) {
      const fate = await this.#askFate(transaction).catch((error) => {
        if (error instanceof DatabaseFailure && clock.monotonic() <= giveUpAtMs) return undefined;
        this.#options.onUnknown();
        throw error;
      });
      if (fate !== undefined) return fate;
      await delay(ASK_AGAIN_MS);
    }
  }

  async #askFate(transaction: Transaction): Promise<'committed' | 'aborted' | undefined> {
    const client = await connect(this.#config('fate'));
    try {
      return await drive(client, fateOf(transaction));
    } finally {
      void leave(client);
    }
  }

  #config(purpose: string) {
    return { ...clientConfig(this.#options, purpose), pipeline: true };
  }
}
