/** The store on SQLite: what is behind each method of the interface. */
import type { KeyObject } from 'node:crypto';
import { AppError } from '../../domain/errors.ts';
import type { AuditEntry, Holdings, SealedSigningKey, Session } from '../../domain/model.ts';
import type { LastPrice, OrderState, Trade } from '../../domain/order.ts';
import { Changes } from '../changes.ts';
import { findAudit, readAudit } from '../sql/audit-reads.ts';
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
} from '../sql/orders.ts';
import type { Sql } from '../sql/query.ts';
import {
  readHoldings,
  readKeyIdOfSecret,
  readMeta,
  readOperatorIdOfToken,
  readSigningKeys,
} from '../sql/reads.ts';
import { listResources, readResource } from '../sql/resource-reads.ts';
import { repeatedOf } from '../sql/resources.ts';
import { readRevokedSessions, readSession, readSessions } from '../sql/sessions.ts';
import type {
  AuditPage,
  AuditQuery,
  Change,
  ChangeBy,
  ChangeOutcome,
  ListQuery,
  Numbered,
  OrdersSnapshot,
  RequestRecord,
  ResourceChange,
  ResourceKind,
  Resources,
  RevokedSession,
  SessionQuery,
  Store,
  Stored,
  VenuePosition,
} from '../store.ts';
import { type WriteLimits, WriteQueue } from '../write-queue.ts';
import type { BatchRunner } from '../writes.ts';
import { type Connection, isDatabaseFailure } from './connection.ts';
import type { FileLock } from './file.ts';

/** Several queries that must see one state. */
const SNAPSHOT = true;
const WRITE_QUEUE_MAX = 8_192;
const WRITE_BATCH_MAX = 512;

export interface SqliteOptions extends Partial<WriteLimits> {
  /**
   * Take the file for this process alone, as long as it lives: a server's memory of what keys may
   * do would not hear of another server's changes. Without a meaning for a database in memory.
   */
  readonly exclusive?: boolean;
  /**
   * HMACs the audit log. Without it nothing that has an audit entry can be written to a file; a
   * database in memory, which nobody reads later, makes one of its own.
   */
  readonly auditKey?: KeyObject;
  /** Hears how many writes shared each commit. */
  readonly onCommit?: (writes: number) => void;
}

/** What a store on SQLite is made of; it closes all of it. */
export interface SqliteParts {
  readonly reader: Connection;
  readonly runner: BatchRunner;
  readonly lock?: FileLock | undefined;
  readonly options?: SqliteOptions;
}

/** Reads on the spot from one connection; has its writes done, batch by batch, by a runner. */
export class SqliteStore implements Store {
  readonly #parts: SqliteParts;
  readonly #changes = new Changes();
  readonly #writes: WriteQueue;
  #closed: Promise<void> | undefined;

  constructor(parts: SqliteParts) {
    this.#parts = parts;
    const limits = {
      writeQueueMax: parts.options?.writeQueueMax ?? WRITE_QUEUE_MAX,
      writeBatchMax: parts.options?.writeBatchMax ?? WRITE_BATCH_MAX,
    };
    this.#writes = new WriteQueue(parts.runner, this.#changes, limits, parts.options?.onCommit);
  }

  async meta(name: string): Promise<string | undefined> {
    return this.#read(() => readMeta(name));
  }

  noteMeta(name: string, value: string): Promise<string> {
    return this.#writes.submit('noteMeta', name, value);
  }

  async signingKeys(): Promise<SealedSigningKey[]> {
    return this.#read(readSigningKeys);
  }

  addSigningKey(key: SealedSigningKey, audit: AuditEntry): Promise<void> {
    return this.#writes.submit('addSigningKey', key, audit);
  }

  async keyIdOfSecret(secretMac: string, nowMs: number): Promise<string | undefined> {
    return this.#read(() => readKeyIdOfSecret(secretMac, nowMs));
  }

  async operatorIdOfToken(tokenMac: string): Promise<string | undefined> {
    return this.#read(() => readOperatorIdOfToken(tokenMac));
  }

  async holdings(keyId: string): Promise<Holdings | undefined> {
    return this.#read(() => readHoldings(keyId), SNAPSHOT);
  }

  async get<K extends ResourceKind>(
    kind: K,
    id: string,
  ): Promise<Stored<Resources[K]> | undefined> {
    return this.#read(() => readResource(kind, id), SNAPSHOT);
  }

  async list<K extends ResourceKind>(kind: K, query: ListQuery): Promise<Stored<Resources[K]>[]> {
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

  async repeatedOf(request: RequestRecord): Promise<string | undefined> {
    return this.#read(() => repeatedOf(request));
  }

  revokeKey(keyId: string, atMs: number, audit: AuditEntry): Promise<boolean> {
    return this.#writes.submit('revokeKey', keyId, atMs, audit);
  }

  createSession(session: Session, audit: AuditEntry, secretMac?: string): Promise<boolean> {
    return this.#writes.submit('createSession', session, audit, secretMac);
  }

  async session(sessionId: string): Promise<Session | undefined> {
    return this.#read(() => readSession(sessionId));
  }

  revokeSession(sessionId: string, atMs: number, audit: AuditEntry): Promise<boolean> {
    return this.#writes.submit('revokeSession', sessionId, atMs, audit);
  }

  async sessions(query: SessionQuery): Promise<Session[]> {
    return this.#read(() => readSessions(query), SNAPSHOT);
  }

  revokeSessions(
    of: { readonly keyId: string } | { readonly clientId: string },
    atMs: number,
    audit: AuditEntry,
  ): Promise<number> {
    return this.#writes.submit('revokeSessions', of, atMs, audit);
  }

  async revokedSessions(nowMs: number): Promise<RevokedSession[]> {
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

  async venuePosition(): Promise<VenuePosition> {
    return this.#read(readVenuePosition);
  }

  async orderLog(afterSequence: number, limit: number): Promise<Numbered<OrderState>[]> {
    return this.#read(() => readOrderLog(afterSequence, limit));
  }

  async prices(afterSequence: number, limit: number): Promise<Numbered<LastPrice>[]> {
    return this.#read(() => readPrices(afterSequence, limit));
  }

  async order(accountId: string, orderId: string): Promise<OrderState | undefined> {
    return this.#read(() => readOrder(accountId, orderId));
  }

  async placedOrder(accountId: string, clientOrderId: string): Promise<OrderState | undefined> {
    return this.#read(() => readPlacedOrder(accountId, clientOrderId));
  }

  async orders(accountId: string, finalMax: number): Promise<OrdersSnapshot> {
    return this.#read(() => readOrders(accountId, finalMax), SNAPSHOT);
  }

  async openOrders(): Promise<OrderState[]> {
    return this.#read(readOpenOrders);
  }

  async orderChanges(
    accountId: string,
    afterSequence: number,
    limit: number,
  ): Promise<Numbered<OrderState>[]> {
    return this.#read(() => readOrderChanges(accountId, afterSequence, limit));
  }

  async trades(
    accountId: string,
    afterSequence: number,
    limit: number,
  ): Promise<Numbered<Trade>[]> {
    return this.#read(() => readTrades(accountId, afterSequence, limit));
  }

  async newestTrades(accountId: string, max: number): Promise<Numbered<Trade>[]> {
    return this.#read(() => readNewestTrades(accountId, max));
  }

  async audit(afterSequence: number, limit: number): Promise<Numbered<AuditEntry>[]> {
    return this.#read(() => readAudit(afterSequence, limit));
  }

  async findAudit(query: AuditQuery): Promise<AuditPage> {
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

  async ping(): Promise<void> {
    this.#read(() => readMeta('ping'));
    this.#parts.runner.check();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const { reader, runner, lock } = this.#parts;
    await this.#writes.close();
    // The reader first: the last connection to close moves the log into the database, which a
    // connection that cannot write is unable to do.
    reader.close();
    await runner.close();
    lock?.close();
  }

  #read<R>(read: () => Sql<R>, snapshot = false): R {
    if (this.#closed !== undefined) throw new AppError('UNAVAILABLE', 'the store is closed');
    try {
      const { reader } = this.#parts;
      return snapshot ? reader.snapshot(() => reader.drive(read())) : reader.drive(read());
    } catch (error) {
      if (!isDatabaseFailure(error)) throw error;
      throw new AppError('UNAVAILABLE', 'the database cannot be read', { cause: error });
    }
  }
}
