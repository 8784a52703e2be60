/**
 * What keys may do, and which secrets are theirs, held in memory and dropped when it changes: by the
 * store's change events, and at the next instant at which it changes by itself. It is trusted only while
 * the store is current.
 *
 * Why no grant is older than what was announced, nor than the call where the store is not current:
 * - A look-up sees all that was announced before it began. What is announced about its key or client while
 *   it is under way has it begin anew; what is announced afterwards drops what it brought.
 *   So what was looked up while the store was not current may be held: whatever it missed is
 *   announced, or `everything` is, before the store is current again.
 * - A look-up that began before a call is shared with it only where the store is current when it is
 *   done, too: then nothing older than a moment can be missing in it. Else calls that come while one is
 *   under way share the next.
 */
import type { Clock } from '../domain/clock.ts';
import { type Grant, grantOf } from '../domain/grant.ts';
import type { ApiKey } from '../domain/model.ts';
import type { Claims } from '../domain/token.ts';
import type { Change, Store } from '../store/store.ts';
import { HeldSecrets } from './held-secrets.ts';
import { type Looker, lookAgain } from './look-again.ts';
import { Looks } from './looks.ts';
import { RevokedSessions, type SessionOf } from './revoked-sessions.ts';
import { SharedPermissions } from './shared-permissions.ts';
import { Since } from './since.ts';
import { Vigil } from './vigil.ts';
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
  readonly #secrets = new HeldSecrets();
  /** Kept, since to find the first of a Map anew is to pass all that were deleted before it. */
  readonly #oldest = this.#byKey.keys();
  /** By key. */
  readonly #looks = new Looks((keyId) => this.#look(keyId));
  readonly #permissions = new SharedPermissions();
  readonly #keysOfClient = new Map<string, Set<string>>();
  readonly #watchers = new Watchers();
  readonly #vigil = new Vigil(() => this.isCurrent());
  readonly #revoked: RevokedSessions;
  /** Revoked sessions are being read anew. */
  #isReading = false;
  readonly #since = new Since();

  private constructor({ store, clock, grantsCachedMax }: GrantsOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#max = grantsCachedMax;
    this.#revoked = new RevokedSessions(store, clock);
  }

  /** Starts to follow the store. */
  static async follow(options: GrantsOptions): Promise<Grants> {
    const grants = new Grants(options);
    options.store.subscribe((change) => grants.#apply(change));
    await grants.#revoked.read();
    return grants;
  }

  /** How often a grant was held when it was asked for, and how often not. */
  readonly lookups = { hits: 0, misses: 0 };

  /** Whether what is held is trusted now; else each look asks the store. */
  isCurrent(): boolean {
    return this.#store.isCurrent() && this.#revoked.isComplete;
  }

  /**
   * What the key may do now; undefined when there is no such key. No promise when it is held.
   * @param session looked up as well, for `isSessionRevoked`, where what is held does not tell
   * @throws AppError UNAVAILABLE where the store has to be asked and cannot answer
   */
  of(keyId: string, session?: SessionOf): Grant | undefined | Promise<Grant | undefined> {
    const nowMs = this.#clock.now();
    if (!this.#isTrusted(session, nowMs)) {
      this.lookups.misses++;
      if (!this.#revoked.isComplete) void this.#readRevoked();
      return this.#load(keyId, session);
    }
    const held = this.#byKey.get(keyId);
    if (held !== undefined && nowMs < held.changesAtMs) {
      this.lookups.hits++;
      return held;
    }
    this.lookups.misses++;
    return this.#loadShared(keyId, session);
  }

  /**
   * The key whose secret has this HMAC; undefined where what is held does not tell, and the store is to
   * be asked.
   */
  keyIdOfSecret(secretMac: string): string | undefined {
    return this.#store.isCurrent()
      ? this.#secrets.keyIdOf(secretMac, this.#clock.now())
      : undefined;
  }

  /** Whether the session was revoked, as far as is known: all that there is behind `of`. */
  isSessionRevoked(sessionId: string): boolean {
    return this.#revoked.has(sessionId);
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

  /**
   * The same for who tells others and takes silence for a yes: looks every second as well while what
   * is held is not trusted.
   */
  attendClosely(watched: Watched, looker: Looker): () => void {
    const listen = (listener: () => void) => {
      const ends = [this.watch(watched, listener), this.#vigil.keep(listener)];
      return () => ends.forEach((end) => void end());
    };
    return lookAgain(this.#clock, listen, looker);
  }

  #isTrusted(session: SessionOf | undefined, nowMs: number): boolean {
    if (!this.#store.isCurrent()) return false;
    return session === undefined || this.#revoked.isKnown(session, nowMs);
  }

  async #loadShared(keyId: string, session?: SessionOf): Promise<Grant | undefined> {
    const grant = await this.#looks.current(keyId);
    // It may have begun before this call, and have taken its time.
    return this.#isTrusted(session, this.#clock.now()) ? grant : this.#load(keyId, session);
  }

  /** What a look-up finds that begins after this call. */
  async #load(keyId: string, session?: SessionOf): Promise<Grant | undefined> {
    for (;;) {
      const mark = this.#since.begin();
      try {
        const asked = session && this.#revoked.ask(session);
        const [grant] = await Promise.all([this.#looks.fresh(keyId), asked]);
        // Whichever came first may be old by now.
        if (this.#since.has(namesOf(keyId, grant?.clientId), mark)) continue;
        if (grant === undefined || this.#clock.now() < grant.changesAtMs) return grant;
      } finally {
        this.#since.end();
      }
    }
  }

  async #look(keyId: string): Promise<Grant | undefined> {
    for (;;) {
      const mark = this.#since.begin();
      try {
        const holdings = await this.#store.holdings(keyId);
        if (this.#since.has(namesOf(keyId, holdings?.key.clientId), mark)) continue;
        if (holdings === undefined) return undefined;
        const found = grantOf(holdings, this.#clock.now());
        const grant = { ...found, permissions: this.#permissions.of(found.permissions) };
        this.#hold(grant, holdings.key);
        return grant;
      } finally {
        this.#since.end();
      }
    }
  }

  #hold(grant: Grant, key: ApiKey): void {
    this.#drop(grant.keyId);
    if (this.#byKey.size >= this.#max) {
      const oldest = this.#oldest.next().value;
      if (oldest !== undefined) this.#drop(oldest);
    }
    this.#byKey.set(grant.keyId, grant);
    this.#secrets.hold(key);
    const keys = this.#keysOfClient.get(grant.clientId) ?? new Set();
    this.#keysOfClient.set(grant.clientId, keys.add(grant.keyId));
  }

  #drop(keyId: string): void {
    const grant = this.#byKey.get(keyId);
    if (grant === undefined) return;
    this.#byKey.delete(keyId);
    this.#secrets.drop(keyId);
    const keys = this.#keysOfClient.get(grant.clientId);
    keys?.delete(keyId);
    if (keys?.size === 0) this.#keysOfClient.delete(grant.clientId);
  }

  #apply(change: Change): void {
    // What became of an order or an operator changes nothing about what a key may do.
    if (change.kind === 'orders' || change.kind === 'operator') return;
    if (change.kind === 'everything') {
      this.#doubtAll();
      return;
    }
    if (change.kind === 'session-revoked') {
      this.#revoked.note(change.sessionId, change.expiresAtMs);
      this.#watchers.tell(`session:${change.sessionId}`);
      return;
    }
    const name = change.kind === 'key' ? `key:${change.keyId}` : `client:${change.clientId}`;
    this.#since.note(name);
    const keyIds =
      change.kind === 'key' ? [change.keyId] : [...(this.#keysOfClient.get(change.clientId) ?? [])];
    for (const keyId of keyIds) this.#drop(keyId);
    this.#watchers.tell(name);
  }

  #doubtAll(): void {
    this.#since.noteAll();
    this.#byKey.clear();
    this.#secrets.clear();
    this.#keysOfClient.clear();
    this.#revoked.doubt();
    void this.#readRevoked();
  }

  /**
   * Reads anew which sessions were revoked; then all who watch look again. Until it is done, each session
   * is asked about; where it fails, the next call has it tried again, and hears itself what is wrong.
   */
  async #readRevoked(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      await this.#revoked.read();
    } catch {
      return;
    } finally {
      this.#isReading = false;
    }
    if (this.#revoked.isComplete) this.#watchers.tellAll();
    else await this.#readRevoked();
  }
}

/** Whose changes a look-up is about. */
function namesOf(keyId: string, clientId: string | undefined): string[] {
  return clientId === undefined ? [`key:${keyId}`] : [`key:${keyId}`, `client:${clientId}`];
}
