/**
 * Everything remembered, behind one small interface; one file per engine implements it.
 *
 * Promises of every engine:
 * - A write's promise resolves once the write and its audit entry are durable, both or neither.
 * - A change is announced to every subscriber before the write that made it resolves, and not before
 *   every read that begins from then on sees it.
 * - A database that cannot answer (full disk, lost connection) makes a call reject with AppError
 *   UNAVAILABLE, and nothing of that call is kept.
 */
import type {
  Account,
  ApiKey,
  AuditEntry,
  Client,
  Holdings,
  Numbered,
  Operator,
  Plan,
  SealedSigningKey,
  Session,
  Subscription,
} from '../domain/model.ts';
import type { OrderStore } from './order-store.ts';

/** Something that was known has changed; what is held in memory about it must be dropped. */
export type Change =
  | { readonly kind: 'client'; readonly clientId: string }
  | { readonly kind: 'key'; readonly keyId: string }
  | { readonly kind: 'session-revoked'; readonly sessionId: string; readonly expiresAtMs: number }
  | { readonly kind: 'operator'; readonly operatorId: string }
  /** Orders or trades of the account were recorded. */
  | { readonly kind: 'orders'; readonly accountId: string }
  /** Anything may have changed: changes made elsewhere may have been missed. */
  | { readonly kind: 'everything' };

/** What operators administer, by kind. */
export interface Resources {
  readonly client: Client;
  readonly account: Account;
  readonly plan: Plan;
  readonly subscription: Subscription;
  readonly key: ApiKey;
  readonly operator: Operator;
}

export type ResourceKind = keyof Resources;

/** A resource as it is kept. */
export type Stored<R> = R & {
  /** The sequence of the audit entry that made it so: it grows with each change, not by one. */
  readonly version: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
};

/** Which resources of a kind to list, in the order of their ids. */
export interface ListQuery {
  /** Those of this client: accounts, subscriptions, keys. */
  readonly clientId?: string;
  /** Those to this plan: subscriptions. */
  readonly planId?: string;
  /** Those with a greater id. */
  readonly afterId?: string;
  /** How many at most. */
  readonly limit: number;
}

/** One resource to be made, replaced or deleted. */
export interface ResourceChange<K extends ResourceKind = ResourceKind> {
  readonly kind: K;
  readonly id: string;
  /** The verb of the audit entry's action: `create`, `update`, `delete`, `rotate`, `revoke`. */
  readonly action: string;
  /** What must be there: nothing, whatever there is or is not, or exactly this version. */
  readonly expect: 'absent' | 'any' | number;
  /** Whole, with the same id; null deletes. */
  readonly value: Resources[K] | null;
}

/** Who makes a change, for its audit entries. */
export interface ChangeBy {
  /** Such as `operator:ID`. */
  readonly actor: string;
  readonly atMs: number;
  /** Empty when it came from this machine. */
  readonly remoteAddress: string;
  /** Joins `before` and `after` in each entry's detail, such as the id of the call. */
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** What makes a repeated request known as one; it is remembered for REQUEST_MS_KEPT. */
export interface RequestRecord {
  readonly operatorId: string;
  readonly requestId: string;
  /** Tells one body from another, whatever it is made of. */
  readonly bodyHash: string;
  readonly atMs: number;
}

/** 24 hours. */
export const REQUEST_MS_KEPT = 86_400_000;

export interface ChangeOutcome<K extends ResourceKind = ResourceKind> {
  /** The id of the first resource of the same request when it came before; nothing was changed. */
  readonly repeatedOf: string | undefined;
  /** What is there now, for each change in its order; null where it was deleted. Empty if repeated. */
  readonly stored: readonly (Stored<Resources[K]> | null)[];
}

/** Sessions of one key or one client that are neither revoked nor over at an instant. */
export interface SessionQuery {
  /** Exactly one of the two. */
  readonly keyId?: string;
  readonly clientId?: string;
  readonly activeAtMs: number;
  /** The last session of the page before. */
  readonly afterId?: string;
  readonly limit: number;
}

/** Which audit entries to find; those left out do not matter. */
export interface AuditQuery {
  readonly actor?: string;
  readonly action?: string;
  readonly target?: string;
  readonly sinceMs?: number;
  /** Not those of this instant. */
  readonly untilMs?: number;
  readonly newestFirst?: boolean;
  /** The `cursor` of the page before. */
  readonly cursor?: number;
  readonly limit: number;
}

export interface AuditPage {
  /** May be fewer than the limit, even none, though more follow: a page looks at a bounded number. */
  readonly entries: readonly Numbered<AuditEntry>[];
  /** Where the next page goes on; undefined when there is nothing more. */
  readonly cursor: number | undefined;
}

export interface RevokedSession {
  readonly sessionId: string;
  readonly expiresAtMs: number;
}

export interface Store extends OrderStore {
  /** What is noted under this name about the database itself. */
  meta(name: string): Promise<string | undefined>;
  /** Notes it, unless something is noted already; answers what is noted now. */
  noteMeta(name: string, value: string): Promise<string>;

  /** All signing keys, the newest first. */
  signingKeys(): Promise<SealedSigningKey[]>;
  addSigningKey(key: SealedSigningKey, audit: AuditEntry): Promise<void>;

  /**
   * The id of the key that has this HMAC of its secret, or of the one before while that works at
   * `nowMs`; revoked and expired keys too.
   */
  keyIdOfSecret(secretMac: string, nowMs: number): Promise<string | undefined>;
  /** The id of the operator with this HMAC of the token; revoked and expired ones too. */
  operatorIdOfToken(tokenMac: string): Promise<string | undefined>;
  /**
   * Everything that decides what the key may do; undefined when there is no such key. Accounts,
   * account ids and subscriptions are sorted by id, permissions as the plan lists them.
   */
  holdings(keyId: string): Promise<Holdings | undefined>;
  get<K extends ResourceKind>(kind: K, id: string): Promise<Stored<Resources[K]> | undefined>;
  list<K extends ResourceKind>(kind: K, query: ListQuery): Promise<Stored<Resources[K]>[]>;
  /**
   * Makes all of the changes, in their order, or none, each with one audit entry: `key.revoke` of
   * `key:ID`, whose detail holds `before` and `after` without secrets. A value that is there already
   * where anything is expected changes nothing and has no entry. An account that goes, to another
   * client or altogether, goes from the keys that list it, by a change of its own; a key that goes
   * takes its sessions along, and its entry names them; those beyond 500 are named by further entries, as
   * of revokeSessions. Announces every client whose accounts, subscriptions or plans are others now,
   * those who lost something to another client too, every key and every operator.
   *
   * Rejects with AppError RESOURCE_EXISTS, RESOURCE_NOT_FOUND, VERSION_CONFLICT; RESOURCE_IN_USE when
   * others name what is to be deleted; INVALID_REQUEST when a value names what is not there, or has
   * the secret of another; LAST_OWNER when no owner would be left who can act; REQUEST_ID_REUSED when `request` has the id of one with another body.
   */
  change<K extends ResourceKind>(
    changes: readonly ResourceChange<K>[],
    by: ChangeBy,
    request?: RequestRecord,
  ): Promise<ChangeOutcome<K>>;
  /**
   * The id of the first resource of the same request, where it came before; what `change` would answer
   * as `repeatedOf`. Rejects with AppError REQUEST_ID_REUSED as `change` does.
   */
  repeatedOf(request: RequestRecord): Promise<string | undefined>;
  /** False when there is no such key, or it was revoked before. */
  revokeKey(keyId: string, atMs: number, audit: AuditEntry): Promise<boolean>;

  /**
   * Records a session. False, and nothing is recorded, when its key is not there, revoked, or
   * expired at the session's issue, or `secretMac` is of no secret of it at the entry's instant: a
   * revocation or a rotation that came first wins.
   * @param secretMac of the secret that opened it; left out, no secret is looked at
   */
  createSession(session: Session, audit: AuditEntry, secretMac?: string): Promise<boolean>;
  session(sessionId: string): Promise<Session | undefined>;
  /** False when there is no such session, or it was revoked before. */
  revokeSession(sessionId: string, atMs: number, audit: AuditEntry): Promise<boolean>;
  /** By key, then by when they end. INVALID_REQUEST when `afterId` is gone. */
  sessions(query: SessionQuery): Promise<Session[]>;
  /**
   * Revokes all active ones, with an audit entry for each 500, which names them; answers how many there
   * were.
   */
  revokeSessions(
    of: { readonly keyId: string } | { readonly clientId: string },
    atMs: number,
    audit: AuditEntry,
  ): Promise<number>;
  /** Sessions that were revoked and would otherwise live past `nowMs`. */
  revokedSessions(nowMs: number): Promise<RevokedSession[]>;

  /** Audit entries in the order in which they were written, from `afterSequence` on. */
  audit(afterSequence: number, limit: number): Promise<Numbered<AuditEntry>[]>;
  findAudit(query: AuditQuery): Promise<AuditPage>;
  /**
   * Removes the oldest audit entries, as far as they are from before `untilMs` and at most so many;
   * answers how many, and 0 when there are no more. What is left can still be verified: where the last
   * entry about a resource goes, one of `atMs` (now) says the same again. With any removed, `audit` is
   * written.
   */
  pruneAudit(
    untilMs: number,
    entriesMax: number,
    atMs: number,
    audit?: AuditEntry,
  ): Promise<number>;

  /** Calls `listener` for each change until the returned function is called. */
  subscribe(listener: (change: Change) => void): () => void;
  /**
   * Whether every change that was durable a moment ago, made by whichever process, was announced here:
   * asked at each use of what is held in memory. Where it was not, the store is to be asked itself.
   */
  isCurrent(): boolean;
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
