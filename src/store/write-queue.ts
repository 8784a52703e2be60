/**
 * Group commit, for every engine: writes that arrive while a batch is under way, or shortly after one
 * another, are the next batch, so that one wait for the disk serves many of them.
 */
import { AppError } from '../domain/errors.ts';
import type { Changes } from './changes.ts';
import {
  type BatchRunner,
  errorOf,
  notTaken,
  type Outcome,
  type Write,
  type WriteArgs,
  type WriteName,
  type WriteResult,
} from './writes.ts';

/** How much may wait, and how long for company. */
export interface WriteLimits {
  /** Writes accepted and not yet answered; one more is refused with UNAVAILABLE. */
  readonly writeQueueMax: number;
  /** Writes in one transaction; it bounds how long the first one waits for the last. */
  readonly writeBatchMax: number;
  /** How long a batch that could begin waits while each turn of the event loop brings more writes, milliseconds. */
  readonly growMsMax: number;
  /** How long it waits in all for as many as the last batch had, once a turn brings none; milliseconds. */
  readonly gatherMsMax: number;
}

interface Pending {
  readonly write: Write;
  readonly resolve: (result: WriteResult<WriteName>) => void;
  readonly reject: (error: unknown) => void;
}

/** Collects writes, hands them to a runner batch by batch, announces and answers. */
export class WriteQueue {
  readonly #runner: BatchRunner;
  readonly #changes: Changes;
  readonly #limits: WriteLimits;
  readonly #onCommit: (writes: number) => void;
  readonly #waiting: Pending[] = [];
  #underWay = 0;
  /** How many writes the last batch had. */
  #lastSize = 1;
  /** Ends the wait for as many, if there is one. */
  #enough: (() => void) | undefined;
  #drained: Promise<void> | undefined;
  #closed = false;

  /** @param onCommit hears how many writes each batch had */
  constructor(
    runner: BatchRunner,
    changes: Changes,
    limits: WriteLimits,
    onCommit: (writes: number) => void = () => {},
  ) {
    this.#onCommit = onCommit;
    this.#runner = runner;
    this.#changes = changes;
    this.#limits = limits;
  }

  /** Resolves once the write is durable and announced; rejects with AppError, nothing kept. */
  submit<N extends WriteName>(name: N, ...args: WriteArgs<N>): Promise<WriteResult<N>> {
    if (this.#closed) return Promise.reject(new AppError('UNAVAILABLE', 'the store is closed'));
    const { writeQueueMax } = this.#limits;
    if (this.#waiting.length + this.#underWay >= writeQueueMax) {
      const message = `${writeQueueMax} writes are waiting already`;
      return Promise.reject(new AppError('UNAVAILABLE', message));
    }
    return new Promise<WriteResult<WriteName>>((resolve, reject) => {
      this.#waiting.push({ write: { name, args }, resolve, reject });
      this.#drained ??= this.#drain();
      if (this.#waiting.length >= this.#lastSize) this.#enough?.();
      // The runner answers each write with its own kind of result.
    }) as Promise<WriteResult<N>>;
  }

  /** Refuses further writes; resolves when those accepted before are answered. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#drained;
  }

  async #drain(): Promise<void> {
    await this.#gather();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, this.#limits.writeBatchMax);
      this.#underWay = batch.length;
      this.#lastSize = batch.length;
      const outcomes = await this.#run(batch.map((pending) => pending.write));
      this.#underWay = 0;
      this.#onCommit(batch.length);
      this.#settle(batch, outcomes);
      // Those that the commit kept waiting begin at once, if they are as many as it had.
      const { length } = this.#waiting;
      if (length > 0 && length < this.#lastSize) await this.#gather();
    }
    this.#drained = undefined;
  }

  /**
   * Waits for the writes that arrive with the first: a turn, and another as long as each brings more (growMsMax),
   * since those who were answered together ask again together, but not in one turn. Then for as many as shared the
   * last commit (gatherMsMax): where writes come one by one, each commit would else have only those that came
   * during the one before, and a commit takes as much of a core as several writes.
   */
  async #gather(): Promise<void> {
    const { writeBatchMax, growMsMax, gatherMsMax } = this.#limits;
    const startMs = performance.now();
    const spentMs = () => performance.now() - startMs;
    let before = 0;
    while (
      this.#waiting.length > before &&
      this.#waiting.length < writeBatchMax &&
      spentMs() < growMsMax
    ) {
      before = this.#waiting.length;
      await new Promise(setImmediate);
    }
    const restMs = gatherMsMax - spentMs();
    if (this.#waiting.length >= this.#lastSize || restMs <= 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, restMs);
    this.#enough = resolve;
    await promise;
    clearTimeout(timer);
    this.#enough = undefined;
  }

  async #run(writes: readonly Write[]): Promise<readonly Outcome[]> {
    try {
      return await this.#runner.run(writes);
    } catch (error) {
      return writes.map(() => ({ ok: false, failure: notTaken(error) }));
    }
  }

  #settle(batch: readonly Pending[], outcomes: readonly Outcome[]): void {
    for (const outcome of outcomes) {
      if (outcome.ok) this.#changes.announce(outcome.changes);
    }
    for (const [i, pending] of batch.entries()) {
      const outcome = outcomes[i];
      if (outcome?.ok) pending.resolve(outcome.result);
      else pending.reject(errorOf(outcome?.failure ?? notTaken(undefined)));
    }
  }
}
