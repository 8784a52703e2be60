/** The store on a SQL database: what is behind each method of the interface. */
import { AppError } from '../../domain/errors.ts';
import type {
  AuditEntry,
  Holdings,
  Numbered,
  SealedSigningKey,
  Session,
} from '../../domain/model.ts';
import type { LastPrice, OrderState, Trade } from '../../domain/order.ts';
import { Changes } from '../changes.ts';
import type { OrdersSnapshot, VenuePosition } from '../order-store.ts';
import type {
  AuditPage,
  AuditQuery,
  Change,
  ChangeBy,
  ChangeOutcome,
  ListQuery,
  RequestRecord,
  ResourceChange,
  ResourceKind,
  Resources,
  RevokedSession,
  SessionQuery,
  Store,
  Stored,
} from '../store.ts';
import { type WriteLimits, WriteQueue } from '../write-queue.ts';
import type { BatchRunner } from '../writes.ts';
import { findAudit, readAudit } from './audit-reads.ts';
import {
  readNewestTrades,
  readOpenOrders,
  readOrder,
  readOrderChanges,
  readOrderLog,
  readOrders,
  readPlacedOrder,
  readPrices,
  readTrades,
  readVenuePosition,
} from './orders.ts';
import type { Sql } from './query.ts';
import {
  readHoldings,
  readKeyIdOfSecret,
  readMeta,
  readOperatorIdOfToken,
  readSigningKeys,
} from './reads.ts';
import { listResources, readResource } from './resource-reads.ts';
import { repeatedOf } from './resources.ts';
import { readRevokedSessions, readSession, readSessions } from './sessions.ts';

/** Several queries that must see one state. */
const SNAPSHOT = true;
const WRITE_QUEUE_MAX = 8_192;
const WRITE_BATCH_MAX = 512;
/** On a slow core 64 who were answered together take some 10 ms to ask again. */
const GROW_MS_MAX = 12;
/** A few times as long as a commit on a good disk takes. */
const GATHER_MS_MAX = 3;

export interface SqlStoreOptions extends Partial<WriteLimits> {
  /** Hears how many writes shared each commit. */
  readonly onCommit?: (writes: number) => void;
}

/** How an engine is asked. */
export interface Reader {
  /**
   * Answers what is asked; with `isSnapshot`, all of its queries see one state.
   * @throws AppError UNAVAILABLE when the database cannot answer
   */
  read<R>(ask: () => Sql<R>, isSnapshot: boolean): Promise<R>;
  /** See Store.isCurrent. */
  isCurrent(): boolean;
  close(): Promise<void>;
}

/** What a store is made of; it closes all of it, in this order. */
export interface SqlStoreParts {
  /** Who hears of changes, where others than this store announce some too. */
  readonly changes?: Changes;
  readonly reader: Reader;
  readonly runner: BatchRunner;
  /** What keeps others away from the database, if anything does. */
  readonly lock?: { close(): void } | undefined;
  readonly options?: SqlStoreOptions;
}

/** Reads by one part of the engine; has its writes done, batch by batch, by another. */
export class SqlStore implements Store {
  readonly #parts: SqlStoreParts;
  readonly #changes: Changes;
  readonly #writes: WriteQueue;
  #closed: Promise<void> | undefined;

  constructor(parts: SqlStoreParts) {
    this.#parts = parts;
    this.#changes = parts.changes ?? new Changes();
    const limits = {
      writeQueueMax: parts.options?.writeQueueMax ?? WRITE_QUEUE_MAX,
      writeBatchMax: parts.options?.writeBatchMax ?? WRITE_BATCH_MAX,
      growMsMax: parts.options?.growMsMax ?? GROW_MS_MAX,
      gatherMsMax: parts.options?.gatherMsMax ?? GATHER_MS_MAX,
    };
    this.#writes = new WriteQueue(parts.runner, this.#changes, limits, parts.options?.onCommit);
  }

  meta(name: string): Promise<string | undefined> {
    return this.#read(() => readMeta(name));
  }

  noteMeta(name: string, value: string): Promise<string> {
    return this.#writes.submit('noteMeta', name, value);
  }

  signingKeys(): Promise<SealedSigningKey[]> {
    return this.#read(readSigningKeys);
  }

  addSigningKey(key: SealedSigningKey, audit: AuditEntry): Promise<void> {
    return this.#writes.submit('addSigningKey', key, audit);
  }

  keyIdOfSecret(secretMac: string, nowMs: number): Promise<string | undefined> {
    return this.#read(() => readKeyIdOfSecret(secretMac, nowMs));
  }

  operatorIdOfToken(tokenMac: string): Promise<string | undefined> {
    return this.#read(() => readOperatorIdOfToken(tokenMac));
  }

  holdings(keyId: string): Promise<Holdings | undefined> {
    return this.#read(() => readHoldings(keyId), SNAPSHOT);
  }

  get<K extends ResourceKind>(kind: K, id: string): Promise<Stored<Resources[K]> | undefined> {
    return this.#read(() => readResource(kind, id), SNAPSHOT);
  }

  list<K extends ResourceKind>(kind: K, query: ListQuery): Promise<Stored<Resources[K]>[]> {
    return this.#read(() => listResources(kind, query), SNAPSHOT);
  }

  change<K extends ResourceKind>(
    changes: readonly ResourceChange<K>[],
    by: ChangeBy,
    request?: RequestRecord,
  ): Promise<ChangeOutcome<K>> {
    // A change of one kind of resources is answered with resources of that kind.
    return this.#writes.submit('change', changes, by, request) as Promise<ChangeOutcome<K>>;
  }

  repeatedOf(request: RequestRecord): Promise<string | undefined> {
    return this.#read(() => repeatedOf(request));
  }

  revokeKey(keyId: string, atMs: number, audit: AuditEntry): Promise<boolean> {
    return this.#writes.submit('revokeKey', keyId, atMs, audit);
  }

  createSession(session: Session, audit: AuditEntry, secretMac?: string): Promise<boolean> {
    return this.#writes.submit('createSession', session, audit, secretMac);
  }

  session(sessionId: string): Promise<Session | undefined> {
    return this.#read(() => readSession(sessionId));
  }

  revokeSession(sessionId: string, atMs: number, audit: AuditEntry): Promise<boolean> {
    return this.#writes.submit('revokeSession', sessionId, atMs, audit);
  }

  sessions(query: SessionQuery): Promise<Session[]> {
    return this.#read(() => readSessions(query), SNAPSHOT);
  }

  revokeSessions(
    of: { readonly keyId: string } | { readonly clientId: string },
    atMs: number,
    audit: AuditEntry,
  ): Promise<number> {
    return this.#writes.submit('revokeSessions', of, atMs, audit);
  }

  revokedSessions(nowMs: number): Promise<RevokedSession[]> {
    return this.#read(() => readRevokedSessions(nowMs));
  }

  recordOrders(
    changes: readonly OrderState[],
    trades: readonly Trade[],
    prices?: readonly LastPrice[],
    after?: VenuePosition,
  ): Promise<VenuePosition | undefined> {
    return this.#writes.submit('recordOrders', changes, trades, prices, after);
  }

  venuePosition(): Promise<VenuePosition> {
    return this.#read(readVenuePosition);
  }

  orderLog(afterSequence: number, limit: number): Promise<Numbered<OrderState>[]> {
    return this.#read(() => readOrderLog(afterSequence, limit));
  }

  prices(afterSequence: number, limit: number): Promise<Numbered<LastPrice>[]> {
    return this.#read(() => readPrices(afterSequence, limit));
  }

  order(accountId: string, orderId: string): Promise<OrderState | undefined> {
    return this.#read(() => readOrder(accountId, orderId));
  }

  placedOrder(accountId: string, clientOrderId: string): Promise<OrderState | undefined> {
    return this.#read(() => readPlacedOrder(accountId, clientOrderId));
  }

  orders(accountId: string, finalMax: number): Promise<OrdersSnapshot> {
    return this.#read(() => readOrders(accountId, finalMax), SNAPSHOT);
  }

  openOrders(): Promise<OrderState[]> {
    return this.#read(readOpenOrders);
  }

  orderChanges(
    accountId: string,
    afterSequence: number,
    limit: number,
  ): Promise<Numbered<OrderState>[]> {
    return this.#read(() => readOrderChanges(accountId, afterSequence, limit));
  }

  trades(accountId: string, afterSequence: number, limit: number): Promise<Numbered<Trade>[]> {
    return this.#read(() => readTrades(accountId, afterSequence, limit));
  }

  newestTrades(accountId: string, max: number): Promise<Numbered<Trade>[]> {
    return this.#read(() => readNewestTrades(accountId, max));
  }

  audit(afterSequence: number, limit: number): Promise<Numbered<AuditEntry>[]> {
    return this.#read(() => readAudit(afterSequence, limit));
  }

  findAudit(query: AuditQuery): Promise<AuditPage> {
    return this.#read(() => findAudit(query), SNAPSHOT);
  }

  pruneAudit(
    untilMs: number,
    entriesMax: number,
    atMs: number,
    audit?: AuditEntry,
  ): Promise<number> {
    return this.#writes.submit('pruneAudit', untilMs, entriesMax, atMs, audit);
  }

  subscribe(listener: (change: Change) => void): () => void {
    return this.#changes.subscribe(listener);
  }

  isCurrent(): boolean {
    return this.#parts.reader.isCurrent();
  }

  async ping(): Promise<void> {
    await this.#read(() => readMeta('ping'));
    this.#parts.runner.check();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const { reader, runner, lock } = this.#parts;
    await this.#writes.close();
    // The reader first: with SQLite, the last connection to close moves the log into the database,
    // which a connection that cannot write is unable to do.
    await reader.close();
    await runner.close();
    lock?.close();
  }

  #read<R>(ask: () => Sql<R>, isSnapshot = false): Promise<R> {
    if (this.#closed === undefined) return this.#parts.reader.read(ask, isSnapshot);
    return Promise.reject(new AppError('UNAVAILABLE', 'the store is closed'));
  }
}
