/**
 * What keys may do, held in memory and dropped when it changes: by the store's change events, and
 * at the next instant at which it changes by itself.
 */
import type { Clock } from '../domain/clock.ts';
import { type Grant, grantOf } from '../domain/grant.ts';
import type { Claims } from '../domain/token.ts';
import type { Change, Store } from '../store/store.ts';
import { type Looker, lookAgain } from './look-again.ts';
import { SharedPermissions } from './shared-permissions.ts';
import { Watchers } from './watchers.ts';

export interface GrantsOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** Grants held at most; the oldest goes first. */
  readonly grantsCachedMax: number;
}

/** Whose changes are watched: what a token says of its caller. */
export type Watched = Pick<Claims, 'keyId' | 'sessionId' | 'clientId'>;

export class Grants {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #max: number;
  readonly #byKey = new Map<string, Grant>();
  /** Kept, since to find the first of a Map anew is to pass all that were deleted before it. */
  readonly #oldest = this.#byKey.keys();
  /** Look-ups under way, so that all who ask for one key meanwhile share one. */
  readonly #loading = new Map<string, Promise<Grant | undefined>>();
  readonly #permissions = new SharedPermissions();
  readonly #keysOfClient = new Map<string, Set<string>>();
  readonly #watchers = new Watchers();
  /** Ends of revoked sessions that would otherwise still live, by session. */
  readonly #revokedSessions = new Map<string, number>();
  #sweepAtSize = 1024;
  /** Counts changes, so that a look-up under way cannot bring back what a change has dropped. */
  #generation = 0;

  private constructor({ store, clock, grantsCachedMax }: GrantsOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#max = grantsCachedMax;
  }

  /** Starts to follow the store. */
  static async follow(options: GrantsOptions): Promise<Grants> {
    const grants = new Grants(options);
    options.store.subscribe((change) => grants.#apply(change));
    for (const revoked of await options.store.revokedSessions(options.clock.now())) {
      grants.#revokedSessions.set(revoked.sessionId, revoked.expiresAtMs);
    }
    return grants;
  }

  /** How often a grant was held when it was asked for, and how often not. */
  readonly lookups = { hits: 0, misses: 0 };

  /** What the key may do now; undefined when there is no such key. No promise when it is held. */
  of(keyId: string): Grant | undefined | Promise<Grant | undefined> {
    const held = this.#byKey.get(keyId);
    if (held !== undefined && this.#clock.now() < held.changesAtMs) {
      this.lookups.hits++;
      return held;
    }
    this.lookups.misses++;
    let loading = this.#loading.get(keyId);
    if (loading === undefined) {
      loading = this.#load(keyId).finally(() => this.#loading.delete(keyId));
      this.#loading.set(keyId, loading);
    }
    return loading;
  }

  isSessionRevoked(sessionId: string): boolean {
    return this.#revokedSessions.has(sessionId);
  }

  /** Calls `listener` at each change of the key, its client or the session; the result ends it. */
  watch({ keyId, sessionId, clientId }: Watched, listener: () => void): () => void {
    // The client by itself: a key whose grant is not held at the moment is not known to be its.
    const names = [`key:${keyId}`, `session:${sessionId}`, `client:${clientId}`];
    return this.#watchers.watch(names, listener);
  }

  /** Looks at once, and again whenever what the watched may do may have changed; the result ends it. */
  attend(watched: Watched, looker: Looker): () => void {
    return lookAgain(this.#clock, (listener) => this.watch(watched, listener), looker);
  }

  async #load(keyId: string): Promise<Grant | undefined> {
    for (;;) {
      const generation = this.#generation;
      const holdings = await this.#store.holdings(keyId);
      if (generation !== this.#generation) continue;
      if (holdings === undefined) return undefined;
      const found = grantOf(holdings, this.#clock.now());
      const grant = { ...found, permissions: this.#permissions.of(found.permissions) };
      this.#hold(grant);
      return grant;
    }
  }

  #hold(grant: Grant): void {
    this.#drop(grant.keyId);
    if (this.#byKey.size >= this.#max) {
      const oldest = this.#oldest.next().value;
      if (oldest !== undefined) this.#drop(oldest);
    }
    this.#byKey.set(grant.keyId, grant);
    const keys = this.#keysOfClient.get(grant.clientId) ?? new Set();
    this.#keysOfClient.set(grant.clientId, keys.add(grant.keyId));
  }

  #drop(keyId: string): void {
    const grant = this.#byKey.get(keyId);
    if (grant === undefined) return;
    this.#byKey.delete(keyId);
    const keys = this.#keysOfClient.get(grant.clientId);
    keys?.delete(keyId);
    if (keys?.size === 0) this.#keysOfClient.delete(grant.clientId);
  }

  #apply(change: Change): void {
    // What became of an order or an operator changes nothing about what a key may do.
    if (change.kind === 'orders' || change.kind === 'operator') return;
    if (change.kind === 'session-revoked') {
      this.#noteRevoked(change.sessionId, change.expiresAtMs);
      this.#watchers.tell(`session:${change.sessionId}`);
      return;
    }
    this.#generation++;
    if (change.kind === 'key') {
      this.#drop(change.keyId);
      this.#watchers.tell(`key:${change.keyId}`);
    } else if (change.kind === 'client') {
      for (const keyId of [...(this.#keysOfClient.get(change.clientId) ?? [])]) this.#drop(keyId);
      this.#watchers.tell(`client:${change.clientId}`);
    }
  }

  #noteRevoked(sessionId: string, expiresAtMs: number): void {
    this.#revokedSessions.set(sessionId, expiresAtMs);
    if (this.#revokedSessions.size < this.#sweepAtSize) return;
    const now = this.#clock.now();
    for (const [id, end] of this.#revokedSessions) {
      if (end <= now) this.#revokedSessions.delete(id);
    }
    this.#sweepAtSize = Math.max(1024, this.#revokedSessions.size * 2);
  }
}
