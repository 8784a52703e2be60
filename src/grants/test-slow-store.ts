/** A store for tests: it answers when the test says so, and tells of changes when the test lets it. */
import type { Clock } from '../domain/clock.ts';
import { AppError } from '../domain/errors.ts';
import type { ApiKey, Holdings, Session } from '../domain/model.ts';
import { keyOf } from '../domain/test-key.ts';
import type { Change, RevokedSession, Store } from '../store/store.ts';

export class FakeClock implements Clock {
  ms = 1000;

  now(): number {
    return this.ms;
  }

  monotonic(): number {
    return this.ms;
  }
}

export const KEYS = ['k0', 'k1', 'k2'];

type Asked = 'holdings' | 'session' | 'revokedSessions';

/** What the records said from one change to the next. */
interface State {
  readonly holdings: ReadonlyMap<string, Holdings>;
  readonly revoked: ReadonlySet<string>;
}

/** Answers with what was there when it was asked, or is by then. */
export class SlowStore implements Pick<Store, Asked | 'subscribe' | 'isCurrent'> {
  /** Tells those who subscribed. */
  readonly changes = {
    announce: (changes: readonly Change[]) => {
      for (const change of changes) for (const listener of this.#listeners) listener(change);
    },
  };
  readonly keys = new Map(
    KEYS.map((id) => [id, keyOf(id, id === 'k2' ? 'c2' : 'c1', { secretMac: `mac of ${id}` })]),
  );
  readonly accounts = new Map<string, string[]>([
    ['c1', ['a']],
    ['c2', ['b']],
  ]);
  /** Questions that are not answered yet; those in `immediate` never wait. */
  readonly waiting: (() => void)[] = [];
  readonly immediate = new Set<Asked>(['revokedSessions']);
  /** One for each change that was durable, the first before all of them. */
  readonly states: State[] = [];
  revoked: RevokedSession[] = [];
  lookUps = 0;
  /** How often each was asked. */
  readonly asked = { holdings: 0, session: 0, revokedSessions: 0 };
  /** Whether questions are answered with UNAVAILABLE. */
  isAway = false;
  /** Whether changes are kept back, so that it is not current. */
  isCut = false;
  /** Whether it says that it is not current though nothing is kept back. */
  isOld = false;
  /** Whether answers hold what is there by then, rather than when they were asked for. */
  readsLate = false;
  readonly #listeners = new Set<(change: Change) => void>();
  #keptBack: Change[] = [];
  /** The newest state all of which was told. */
  #told = 0;

  constructor() {
    this.#record();
  }

  isCurrent(): boolean {
    return !this.isOld && this.#keptBack.length === 0;
  }

  /** The newest state, and the newest that everybody was told of. */
  get place(): { readonly newest: number; readonly told: number } {
    return { newest: this.states.length - 1, told: this.#told };
  }

  /** What the records say now. */
  read(keyId: string): Holdings | undefined {
    const key = this.keys.get(keyId);
    if (key === undefined) return undefined;
    const accounts = (this.accounts.get(key.clientId) ?? []).map((id) => ({
      id,
      clientId: key.clientId,
      readonly: false,
    }));
    return { key, accounts, subscriptions: [] };
  }

  holdings(keyId: string): Promise<Holdings | undefined> {
    this.lookUps++;
    return this.#answer('holdings', () => this.read(keyId));
  }

  session(sessionId: string): Promise<Session | undefined> {
    return this.#answer('session', () => {
      const found = this.revoked.find((each) => each.sessionId === sessionId);
      return found && ({ id: sessionId, revokedAtMs: 1, ...found } as unknown as Session);
    });
  }

  revokedSessions(nowMs: number): Promise<RevokedSession[]> {
    return this.#answer('revokedSessions', () =>
      this.revoked.filter(({ expiresAtMs }) => expiresAtMs > nowMs),
    );
  }

  subscribe(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  changeKey(keyId: string, change: Partial<ApiKey>): void {
    const key = this.keys.get(keyId);
    if (key === undefined) return;
    this.keys.set(keyId, { ...key, ...change });
    this.#tell({ kind: 'key', keyId });
  }

  changeClient(clientId: string, accounts: string[]): void {
    this.accounts.set(clientId, accounts);
    this.#tell({ kind: 'client', clientId });
  }

  revokeSession(sessionId: string, expiresAtMs: number): void {
    if (this.revoked.some((each) => each.sessionId === sessionId)) return;
    this.revoked = [...this.revoked, { sessionId, expiresAtMs }];
    this.#tell({ kind: 'session-revoked', sessionId, expiresAtMs });
  }

  /** Tells what was kept back, or that it was lost. */
  catchUp(isLost = false): void {
    const kept = this.#keptBack;
    this.isCut = false;
    this.changes.announce(isLost ? [{ kind: 'everything' }] : kept);
    this.#keptBack = [];
    this.#told = this.states.length - 1;
  }

  async answerAll(): Promise<void> {
    while (this.waiting.length > 0) {
      this.waiting.shift()?.();
      await new Promise(setImmediate);
    }
  }

  #tell(change: Change): void {
    this.#record();
    if (this.isCut) {
      this.#keptBack.push(change);
      return;
    }
    this.#told = this.states.length - 1;
    this.changes.announce([change]);
  }

  #record(): void {
    const holdings = KEYS.map((id) => [id, this.read(id)] as [string, Holdings]);
    const revoked = new Set(this.revoked.map(({ sessionId }) => sessionId));
    this.states.push({ holdings: new Map(holdings), revoked });
  }

  #answer<R>(asked: Asked, read: () => R): Promise<R> {
    this.asked[asked]++;
    const seen = read();
    const isLate = this.readsLate;
    const answer = async () => {
      if (this.isAway) throw new AppError('UNAVAILABLE', 'the database is away');
      return isLate ? read() : seen;
    };
    if (this.immediate.has(asked)) return answer();
    return new Promise((resolve) => this.waiting.push(() => resolve(answer())));
  }
}
