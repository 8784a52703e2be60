/**
 * What a write is, for every engine: the Store's own methods, by name, as plain data that can be
 * collected, batched and handed to another thread.
 */
import { AppError, type Reason } from '../domain/errors.ts';
import type { Change, Store } from './store.ts';

/** The methods of Store that change something. */
export type WriteName =
  | 'noteMeta'
  | 'addSigningKey'
  | 'change'
  | 'revokeKey'
  | 'createSession'
  | 'revokeSession'
  | 'revokeSessions'
  | 'pruneAudit'
  | 'recordOrders';

/** The arguments of a write: those of the Store's method. */
export type WriteArgs<N extends WriteName> = Parameters<Store[N]>;

/** What a write answers: what the promise of the Store's method holds. */
export type WriteResult<N extends WriteName> = Awaited<ReturnType<Store[N]>>;

/** One write, to be done. */
export interface Write<N extends WriteName = WriteName> {
  readonly name: N;
  readonly args: WriteArgs<N>;
}

/** One write, done: its answer, and what must be announced once it is durable. */
export interface Written<R> {
  readonly result: R;
  readonly changes: readonly Change[];
}

/** A write that was not done, as data: errors lose their class on the way between threads. */
export interface Failure {
  readonly reason: Reason;
  readonly message: string;
  readonly cause?: unknown;
}

/** How one write of a batch ended. */
export type Outcome =
  | ({ readonly ok: true } & Written<WriteResult<WriteName>>)
  | { readonly ok: false; readonly failure: Failure };

/** Does batches of writes, each in one transaction; one batch at a time. */
export interface BatchRunner {
  /**
   * Answers one outcome for each write, in their order, once those that are `ok` are durable.
   * Rejects when it is unknown what became of them.
   */
  run(batch: readonly Write[]): Promise<readonly Outcome[]>;
  /** Throws AppError UNAVAILABLE when no batch can be run any more. */
  check(): void;
  close(): Promise<void>;
}

/** The failure of every write of a batch that the database did not take. */
export function notTaken(cause: unknown): Failure {
  return { reason: 'UNAVAILABLE', message: 'the database did not take the write', cause };
}

/** The error of a failure. */
export function errorOf(failure: Failure): AppError {
  return new AppError(failure.reason, failure.message, { cause: failure.cause });
}
