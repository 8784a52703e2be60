/** Which sessions were revoked, of those that would otherwise still live. */
import type { Clock } from '../domain/clock.ts';
import type { Claims } from '../domain/token.ts';
import type { Store } from '../store/store.ts';
import { Looks } from './looks.ts';

/**
 * How long one is known after it would have ended: for who has just asked about it, and for a wall clock
 * that is set back.
 */
const OVER_MS_KEPT = 60_000;

/** What a token says of its session. */
export type SessionOf = Pick<Claims, 'sessionId' | 'expiresAt'>;

export class RevokedSessions {
  readonly #store: Pick<Store, 'revokedSessions' | 'session'>;
  readonly #clock: Pick<Clock, 'now'>;
  /** By session. */
  readonly #looks = new Looks((sessionId) => this.#look(sessionId));
  /** When each would have ended, milliseconds. Nothing that was revoked ever lives again. */
  readonly #ends = new Map<string, number>();
  #sweepAtSize = 1024;
  #isComplete = false;
  /** Counts `doubt`, so that what is read meanwhile is not taken for all. */
  #doubts = 0;

  constructor(store: Pick<Store, 'revokedSessions' | 'session'>, clock: Pick<Clock, 'now'>) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Whether all that were revoked are known, but for those that are over anyway. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  has(sessionId: string): boolean {
    // Mostly there are none.
    return this.#ends.size > 0 && this.#ends.has(sessionId);
  }

  /** Whether what `has` says of the session is all that there is to say at `nowMs`. */
  isKnown({ expiresAt }: SessionOf, nowMs: number): boolean {
    return this.#isComplete && expiresAt * 1000 > nowMs;
  }

  note(sessionId: string, expiresAtMs: number): void {
    this.#ends.set(sessionId, expiresAtMs);
    if (this.#ends.size < this.#sweepAtSize) return;
    const overAtMs = this.#clock.now() - OVER_MS_KEPT;
    for (const [id, end] of this.#ends) {
      if (end <= overAtMs) this.#ends.delete(id);
    }
    this.#sweepAtSize = Math.max(1024, this.#ends.size * 2);
  }

  /** From now on there may be others, until they are read anew. */
  doubt(): void {
    this.#doubts++;
    this.#isComplete = false;
  }

  /** Reads them all, and again where there was doubt meanwhile. */
  async read(): Promise<void> {
    while (!this.#isComplete) {
      const doubts = this.#doubts;
      const found = await this.#store.revokedSessions(this.#clock.now() - OVER_MS_KEPT);
      for (const { sessionId, expiresAtMs } of found) this.note(sessionId, expiresAtMs);
      this.#isComplete = doubts === this.#doubts;
    }
  }

  /** Asks the store about one; `has` knows the answer when this resolves. */
  async ask({ sessionId }: SessionOf): Promise<void> {
    if (!this.has(sessionId)) await this.#looks.fresh(sessionId);
  }

  async #look(sessionId: string): Promise<void> {
    const session = await this.#store.session(sessionId);
    if (session === undefined || session.revokedAtMs === null) return;
    this.note(sessionId, session.expiresAtMs);
  }
}
