/**
 * Everything remembered, behind one small interface; one file per engine implements it.
 *
 * Promises of every engine:
 * - A write's promise resolves once the write and its audit entry are durable, both or neither.
 * - A change is announced to every subscriber before the write that made it resolves.
 * - A database that cannot answer (full disk, lost connection) makes a call reject with AppError
 *   UNAVAILABLE, and nothing of that call is kept.
 */
import type {
  Account,
  ApiKey,
  AuditEntry,
  Client,
  Holdings,
  Plan,
  SealedSigningKey,
  Session,
  Subscription,
} from '../domain/model.ts';
import type { OrderState, Trade } from '../domain/order.ts';

/** Something that was known has changed; what is held in memory about it must be dropped. */
export type Change =
  | { readonly kind: 'client'; readonly clientId: string }
  | { readonly kind: 'key'; readonly keyId: string }
  | { readonly kind: 'session-revoked'; readonly sessionId: string; readonly expiresAtMs: number }
  /** Orders or trades of the account were recorded. */
  | { readonly kind: 'orders'; readonly accountId: string };

/** Records to be there after a call, whole: what exists under the same id is replaced. */
export interface Records {
  readonly clients: readonly Client[];
  readonly accounts: readonly Account[];
  readonly plans: readonly Plan[];
  readonly subscriptions: readonly Subscription[];
  readonly keys: readonly ApiKey[];
}

/** A record with its place among all of its kind: it grows with each, for all accounts together. */
export type Numbered<T> = T & { readonly sequence: number };

/** What has become of an account's orders, up to a change. */
export interface OrdersSnapshot {
  /** Those that are not final, and of the final ones the newest; the oldest order first. */
  readonly orders: readonly OrderState[];
  /** Of the account's newest change that they hold; 0 when there was none. */
  readonly sequence: number;
}

export interface RevokedSession {
  readonly sessionId: string;
  readonly expiresAtMs: number;
}

export interface Store {
  /** What is noted under this name about the database itself. */
  meta(name: string): Promise<string | undefined>;
  /** Notes it, unless something is noted already; answers what is noted now. */
  noteMeta(name: string, value: string): Promise<string>;

  /** All signing keys, the newest first. */
  signingKeys(): Promise<SealedSigningKey[]>;
  addSigningKey(key: SealedSigningKey, audit: AuditEntry): Promise<void>;

  /** The id of the key that has this HMAC of its secret; revoked and expired ones too. */
  keyIdOfSecret(secretMac: string): Promise<string | undefined>;
  /**
   * Everything that decides what the key may do; undefined when there is no such key. Accounts,
   * account ids and subscriptions are sorted by id, permissions as the plan lists them.
   */
  holdings(keyId: string): Promise<Holdings | undefined>;
  /**
   * Puts all of it in place, or nothing. A key may list accounts of its own client only. Rejects
   * with AppError INVALID_REQUEST when a record names one that is not there, or a key has the
   * secretMac of another. Announces every client whose accounts, subscriptions or plans are others
   * now, those who lost something to another client too, and every key written.
   */
  putRecords(records: Records, audit: AuditEntry): Promise<void>;
  /** False when there is no such key, or it was revoked before. */
  revokeKey(keyId: string, atMs: number, audit: AuditEntry): Promise<boolean>;

  /**
   * Records a session. False, and nothing is recorded, when its key is not there, revoked, or
   * expired at the session's issue: a revocation that came first wins.
   */
  createSession(session: Session, audit: AuditEntry): Promise<boolean>;
  session(sessionId: string): Promise<Session | undefined>;
  /** False when there is no such session, or it was revoked before. */
  revokeSession(sessionId: string, atMs: number, audit: AuditEntry): Promise<boolean>;
  /** Sessions that were revoked and would otherwise live past `nowMs`. */
  revokedSessions(nowMs: number): Promise<RevokedSession[]>;

  /**
   * Records changes of orders, in the order in which they happened (a new order is one), and trades:
   * all of it or nothing. Rejects with AppError CLIENT_ORDER_ID_TAKEN when a new order has the client
   * order id of another of its account. Announces every account once.
   */
  recordOrders(changes: readonly OrderState[], trades: readonly Trade[]): Promise<void>;
  /** The newest state of an order of the account. */
  order(accountId: string, orderId: string): Promise<OrderState | undefined>;
  /** The first state of the account's order with this client order id. */
  placedOrder(accountId: string, clientOrderId: string): Promise<OrderState | undefined>;
  /** The account's orders; of the final ones at most `finalMax`. */
  orders(accountId: string, finalMax: number): Promise<OrdersSnapshot>;
  /** The orders of all accounts that are not final, the oldest first. */
  openOrders(): Promise<OrderState[]>;
  /** Changes of the account's orders after `afterSequence`, in their order. */
  orderChanges(
    accountId: string,
    afterSequence: number,
    limit: number,
  ): Promise<Numbered<OrderState>[]>;
  /** Trades of the account after `afterSequence`, in their order. */
  trades(accountId: string, afterSequence: number, limit: number): Promise<Numbered<Trade>[]>;
  /** The account's newest trades, at most `max`, in their order. */
  newestTrades(accountId: string, max: number): Promise<Numbered<Trade>[]>;

  /** Audit entries in the order in which they were written, from `afterSequence` on. */
  audit(afterSequence: number, limit: number): Promise<(AuditEntry & { sequence: number })[]>;

  /** Calls `listener` for each change until the returned function is called. */
  subscribe(listener: (change: Change) => void): () => void;
  /** Resolves when the database answers. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** The database cannot be used; `message` is one line that says what and where. */
export class StoreError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'StoreError';
  }
}
