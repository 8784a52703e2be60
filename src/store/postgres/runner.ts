/** Does batches of writes on a connection of its own, and finds out what became of one in doubt. */

import type { KeyObject } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { AppError } from '../../domain/errors.ts';
import { type BatchRunner, notTaken, type Outcome, type Write } from '../writes.ts';
import {
  type ConnectOptions,
  clientConfig,
  connect,
  DatabaseFailure,
  drive,
} from './connection.ts';
import { leaseChain } from './lease.ts';
import {
  CommitInDoubt,
  type Committed,
  fateOf,
  runTransaction,
  type Writer,
} from './transaction.ts';

/** A batch is begun again so often where its connection was lost before COMMIT. */
const ATTEMPTS_MAX = 2;
/** Between two questions what became of a transaction, in milliseconds. */
const ASK_AGAIN_MS = 100;

export interface RunnerOptions extends ConnectOptions {
  readonly auditKey: KeyObject | undefined;
  /** Hears the feed's numbers of what its own store announces. */
  readonly onAnnounced: (numbers: readonly number[]) => void;
}

export class PostgresRunner implements BatchRunner {
  readonly #options: RunnerOptions;
  #writer: Writer | undefined;
  #isClosed = false;

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  async run(batch: readonly Write[]): Promise<readonly Outcome[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        const { outcomes, numbers } = await this.#attempt(batch);
        this.#options.onAnnounced(numbers);
        return outcomes;
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
    await this.#writer?.client.end();
  }

  async #attempt(batch: readonly Write[]): Promise<Committed> {
    this.#writer ??= await this.#open();
    const writer = this.#writer;
    try {
      return await runTransaction(writer, batch);
    } catch (error) {
      if (error instanceof DatabaseFailure && error.isOfConnection) this.#drop(writer);
      if (!(error instanceof CommitInDoubt)) throw error;
      this.#drop(writer);
      if ((await this.#fateOf(error)) === 'committed') {
        // Its numbers are not known: the feed tells of them.
        return { outcomes: error.outcomes, numbers: [] };
      }
      throw new DatabaseFailure('the connection was lost before COMMIT', true, error);
    }
  }

  async #open(): Promise<Writer> {
    const { auditKey } = this.#options;
    const client = await connect(this.#config('writer'));
    try {
      const chain = auditKey === undefined ? 0 : await leaseChain(client, auditKey);
      const writer = { client, auditKey, chain };
      client.once('end', () => this.#drop(writer));
      return writer;
    } catch (error) {
      client.end().catch(() => {});
      throw error;
    }
  }

  #drop(writer: Writer): void {
    if (this.#writer === writer) this.#writer = undefined;
    writer.client.end().catch(() => {});
  }

  /** Asks until the server knows, however long it is away: what is not known is not answered. */
  async #fateOf({ transactionId }: CommitInDoubt): Promise<'committed' | 'aborted'> {
    for (;;) {
      const fate = await this.#askFate(transactionId).catch((error) => {
        if (!(error instanceof DatabaseFailure) || this.#isClosed) throw error;
      });
      if (fate !== undefined) return fate;
      await delay(ASK_AGAIN_MS);
    }
  }

  async #askFate(transactionId: string): Promise<'committed' | 'aborted' | undefined> {
    const client = await connect(this.#config('fate'));
    try {
      return await drive(client, fateOf(transactionId));
    } finally {
      client.end().catch(() => {});
    }
  }

  #config(purpose: string) {
    return { ...clientConfig(this.#options, purpose), pipeline: true };
  }
}
