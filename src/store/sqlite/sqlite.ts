/** The store on SQLite, by node:sqlite: in a file, or in memory for tests and demonstrations. */
import { DatabaseSync } from 'node:sqlite';
import { AppError } from '../../domain/errors.ts';
import type { AuditEntry, Holdings, SealedSigningKey, Session } from '../../domain/model.ts';
import type { OrderState, Trade } from '../../domain/order.ts';
import { Changes } from '../changes.ts';
import {
  type Change,
  type Numbered,
  type OrdersSnapshot,
  type Records,
  type RevokedSession,
  type Store,
  StoreError,
} from '../store.ts';
import { type WriteLimits, WriteQueue } from '../write-queue.ts';
import type { BatchRunner } from '../writes.ts';
import { Connection, isDatabaseFailure, openReader, openWriter } from './connection.ts';
import { asStoreError, type FileLock, lockFile, prepareFile } from './file.ts';
import { migrate, readMigrations } from './migrate.ts';
import {
  readNewestTrades,
  readOpenOrders,
  readOrder,
  readOrderChanges,
  readOrders,
  readPlacedOrder,
  readTrades,
} from './orders.ts';
import {
  readAudit,
  readHoldings,
  readKeyIdOfSecret,
  readMeta,
  readRevokedSessions,
  readSession,
  readSigningKeys,
} from './reads.ts';
import { InlineRunner, WorkerRunner } from './runners.ts';

const WRITE_QUEUE_MAX = 8_192;
const WRITE_BATCH_MAX = 512;

const SCHEME = 'sqlite:';
const MEMORY = ':memory:';

export interface SqliteOptions extends Partial<WriteLimits> {
  /**
   * Take the file for this process alone, as long as it lives: a server's memory of what keys may
   * do would not hear of another server's changes. Without a meaning for a database in memory.
   */
  readonly exclusive?: boolean;
  /** Hears how many writes shared each commit. */
  readonly onCommit?: (writes: number) => void;
}

/**
 * Opens the database, and makes or migrates it first where that is needed.
 *
 * @param url `sqlite:PATH` or `sqlite::memory:`
 * @throws StoreError in one line, when it cannot be used
 */
export async function openSqlite(url: string, options: SqliteOptions = {}): Promise<Store> {
  const path = url.startsWith(SCHEME) ? url.slice(SCHEME.length) : '';
  if (path === '') throw new StoreError(`${url} is not of the form sqlite:PATH or sqlite::memory:`);
  return path === MEMORY ? openMemory(options) : openFile(prepareFile(path), options);
}

function openMemory(options: SqliteOptions): Store {
  const db = new Connection(new DatabaseSync(MEMORY));
  migrate(db, readMigrations(), MEMORY);
  return new SqliteStore({ reader: db, runner: new InlineRunner(db), options });
}

async function openFile(file: string, options: SqliteOptions): Promise<Store> {
  const lock = options.exclusive ? lockFile(file) : undefined;
  let runner: BatchRunner | undefined;
  try {
    setUp(file);
    runner = await WorkerRunner.start(file);
    return new SqliteStore({ reader: openReader(file), runner, lock, options });
  } catch (error) {
    await runner?.close();
    lock?.close();
    throw asStoreError(file, error);
  }
}

function setUp(file: string): void {
  const db = openWriter(file);
  try {
    migrate(db, readMigrations(), file);
    const mode = db.get<{ journal_mode: string }>('PRAGMA journal_mode = WAL')?.journal_mode;
    if (mode !== 'wal') {
      throw new StoreError(`${file} is on a file system without what SQLite's WAL mode needs`);
    }
  } finally {
    db.close();
  }
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
    return this.#read((db) => readMeta(db, name));
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

  async keyIdOfSecret(secretMac: string): Promise<string | undefined> {
    return this.#read((db) => readKeyIdOfSecret(db, secretMac));
  }

  async holdings(keyId: string): Promise<Holdings | undefined> {
    return this.#read((db) => readHoldings(db, keyId));
  }

  putRecords(records: Records, audit: AuditEntry): Promise<void> {
    return this.#writes.submit('putRecords', records, audit);
  }

  revokeKey(keyId: string, atMs: number, audit: AuditEntry): Promise<boolean> {
    return this.#writes.submit('revokeKey', keyId, atMs, audit);
  }

  createSession(session: Session, audit: AuditEntry): Promise<boolean> {
    return this.#writes.submit('createSession', session, audit);
  }

  async session(sessionId: string): Promise<Session | undefined> {
    return this.#read((db) => readSession(db, sessionId));
  }

  revokeSession(sessionId: string, atMs: number, audit: AuditEntry): Promise<boolean> {
    return this.#writes.submit('revokeSession', sessionId, atMs, audit);
  }

  async revokedSessions(nowMs: number): Promise<RevokedSession[]> {
    return this.#read((db) => readRevokedSessions(db, nowMs));
  }

  recordOrders(changes: readonly OrderState[], trades: readonly Trade[]): Promise<void> {
    return this.#writes.submit('recordOrders', changes, trades);
  }

  async order(accountId: string, orderId: string): Promise<OrderState | undefined> {
    return this.#read((db) => readOrder(db, accountId, orderId));
  }

  async placedOrder(accountId: string, clientOrderId: string): Promise<OrderState | undefined> {
    return this.#read((db) => readPlacedOrder(db, accountId, clientOrderId));
  }

  async orders(accountId: string, finalMax: number): Promise<OrdersSnapshot> {
    return this.#read((db) => readOrders(db, accountId, finalMax));
  }

  async openOrders(): Promise<OrderState[]> {
    return this.#read(readOpenOrders);
  }

  async orderChanges(
    accountId: string,
    afterSequence: number,
    limit: number,
  ): Promise<Numbered<OrderState>[]> {
    return this.#read((db) => readOrderChanges(db, accountId, afterSequence, limit));
  }

  async trades(
    accountId: string,
    afterSequence: number,
    limit: number,
  ): Promise<Numbered<Trade>[]> {
    return this.#read((db) => readTrades(db, accountId, afterSequence, limit));
  }

  async newestTrades(accountId: string, max: number): Promise<Numbered<Trade>[]> {
    return this.#read((db) => readNewestTrades(db, accountId, max));
  }

  async audit(
    afterSequence: number,
    limit: number,
  ): Promise<(AuditEntry & { sequence: number })[]> {
    return this.#read((db) => readAudit(db, afterSequence, limit));
  }

  subscribe(listener: (change: Change) => void): () => void {
    return this.#changes.subscribe(listener);
  }

  async ping(): Promise<void> {
    this.#read((db) => readMeta(db, 'ping'));
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

  #read<R>(read: (db: Connection) => R): R {
    if (this.#closed !== undefined) throw new AppError('UNAVAILABLE', 'the store is closed');
    try {
      return read(this.#parts.reader);
    } catch (error) {
      if (!isDatabaseFailure(error)) throw error;
      throw new AppError('UNAVAILABLE', 'the database cannot be read', { cause: error });
    }
  }
}
