/** Where batches run: in a worker thread, which waits for the disk, or on the spot for memory. */
import type { KeyObject } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { AppError } from '../../domain/errors.ts';
import { WRITES } from '../sql/writes.ts';
import type { BatchRunner, Outcome, Write } from '../writes.ts';
import { runBatch } from './batch.ts';
import type { Connection } from './connection.ts';

/** What the worker is started with. */
export interface WriterData {
  readonly path: string;
  /** A KeyObject crosses to another thread as what it is, and shows its bytes to nobody. */
  readonly auditKey: KeyObject | undefined;
}

/** What the main thread asks of the worker. */
export type ToWorker =
  | { readonly kind: 'batch'; readonly batch: readonly Write[] }
  | { readonly kind: 'close' };

/** What the worker says. */
export type FromWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'outcomes'; readonly outcomes: readonly Outcome[] };

interface Awaited {
  readonly resolve: (outcomes: readonly Outcome[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Runs batches in a worker thread. A worker that dies is not replaced: from then on everything is
 * UNAVAILABLE, health checks included, and a new process starts from what is on the disk.
 */
export class WorkerRunner implements BatchRunner {
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  #awaited: Awaited | undefined;
  /** Why no batch can be run any more. */
  #stopped: unknown;

  private constructor(worker: Worker) {
    this.#worker = worker;
    this.#exited = new Promise((resolve) => worker.once('exit', () => resolve()));
    worker.on('error', (error) => this.#stop(error));
    worker.on('messageerror', (error) => this.#stop(error));
    worker.on('exit', (code) => this.#stop(new Error(`it ended with code ${code}`)));
    worker.on('message', (message: FromWorker) => this.#hear(message));
  }

  /** Starts `program`, which opens `path`; rejects when it cannot. */
  static async start(
    path: string,
    auditKey?: KeyObject,
    program: URL = new URL('./writer.ts', import.meta.url),
  ): Promise<WorkerRunner> {
    const workerData: WriterData = { path, auditKey };
    // The flags of the main thread (--eval, --test) are not the worker's.
    const worker = new Worker(program, { workerData, execArgv: [], name: 'sqlite' });
    const runner = new WorkerRunner(worker);
    await runner.#answer();
    return runner;
  }

  async run(batch: readonly Write[]): Promise<readonly Outcome[]> {
    this.check();
    try {
      this.#post({ kind: 'batch', batch });
    } catch (error) {
      // Something in the batch cannot cross to another thread: find out which, one by one.
      if (batch.length > 1) return this.#runEach(batch);
      const message = 'the write holds what is not data';
      return [{ ok: false, failure: { reason: 'INTERNAL', message, cause: error } }];
    }
    return this.#answer();
  }

  check(): void {
    if (this.#stopped === undefined) return;
    const message = 'the database writer has stopped';
    throw new AppError('UNAVAILABLE', message, { cause: this.#stopped });
  }

  async close(): Promise<void> {
    if (this.#stopped === undefined) {
      this.#worker.ref();
      this.#post({ kind: 'close' });
    }
    await this.#exited;
  }

  async #runEach(batch: readonly Write[]): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    for (const write of batch) outcomes.push(...(await this.run([write])));
    return outcomes;
  }

  #post(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  /** The worker's next answer. Only while one is due does the worker keep the process alive. */
  #answer(): Promise<readonly Outcome[]> {
    this.#worker.ref();
    return new Promise((resolve, reject) => {
      this.#awaited = { resolve, reject };
    });
  }

  #hear(message: FromWorker): void {
    const awaited = this.#awaited;
    this.#awaited = undefined;
    this.#worker.unref();
    awaited?.resolve(message.kind === 'outcomes' ? message.outcomes : []);
  }

  #stop(error: unknown): void {
    this.#stopped ??= error;
    this.#awaited?.reject(this.#stopped);
    this.#awaited = undefined;
  }
}

/** Runs batches on the main thread: for a database in memory, which waits for no disk. */
export class InlineRunner implements BatchRunner {
  readonly #db: Connection;
  readonly #auditKey: KeyObject | undefined;

  /** @param db closed by the caller, who reads from it too */
  constructor(db: Connection, auditKey?: KeyObject) {
    this.#db = db;
    this.#auditKey = auditKey;
  }

  async run(batch: readonly Write[]): Promise<readonly Outcome[]> {
    return runBatch(this.#db, WRITES, batch, this.#auditKey);
  }

  check(): void {}

  async close(): Promise<void> {}
}
