/**
 * From the token that an operator shows to who it is: held in memory, and dropped when the store tells
 * of a change.
 */
import type { Clock } from '../domain/clock.ts';
import { AppError } from '../domain/errors.ts';
import type { MasterKey } from '../domain/master-key.ts';
import type { Operator } from '../domain/model.ts';
import type { Change, Store, Stored } from '../store/store.ts';
import { type Looker, lookAgain } from './look-again.ts';
import { Looks } from './looks.ts';
import { Watchers } from './watchers.ts';

/** Operators held at most; the oldest goes first. */
const OPERATORS_CACHED_MAX = 10_000;

export interface OperatorsOptions {
  readonly store: Store;
  readonly masterKey: MasterKey;
  readonly clock: Pick<Clock, 'now'>;
  /** Operators held at most, where it is not as many as the program holds. */
  readonly cachedMax?: number;
}

/** What is taken from an operator is gone with its next call. */
export class Operators {
  readonly #options: OperatorsOptions;
  /** By the HMAC of the token. Tokens that are nobody's are looked up each time. */
  readonly #byMac = new Map<string, Stored<Operator>>();
  readonly #macOfId = new Map<string, string>();
  /** By the HMAC of the token. */
  readonly #looks = new Looks((tokenMac) => this.#look(tokenMac));
  readonly #watchers = new Watchers();
  /** Counts changes, so that a look-up under way cannot bring back what a change has dropped. */
  #generation = 0;

  /** Starts to follow the store. */
  constructor(options: OperatorsOptions) {
    this.#options = options;
    options.store.subscribe((change) => this.#apply(change));
  }

  /** What an operator's token is known by. */
  macOf(token: string): string {
    return this.#options.masterKey.macOfSecret(token);
  }

  /**
   * Whose token has this HMAC, as it is now. No promise when it is held.
   * @throws AppError OPERATOR_TOKEN_INVALID, the same whatever is wrong; the log's reason tells
   */
  ofMac(tokenMac: string): Stored<Operator> | Promise<Stored<Operator>> {
    const held = this.isCurrent() ? this.#byMac.get(tokenMac) : undefined;
    return held === undefined ? this.#looks.fresh(tokenMac) : this.#good(held);
  }

  /** The same where it is held and good; else undefined, and `ofMac` tells. */
  held(tokenMac: string): Stored<Operator> | undefined {
    const held = this.isCurrent() ? this.#byMac.get(tokenMac) : undefined;
    return held !== undefined && this.#flawOf(held) === undefined ? held : undefined;
  }

  /** Whether what is held is trusted now; else each look asks the store. */
  isCurrent(): boolean {
    return this.#options.store.isCurrent();
  }

  /** Looks at once, and again whenever what the operator may do may have changed; the result ends it. */
  attend({ id }: Operator, looker: Looker): () => void {
    return lookAgain(
      this.#options.clock,
      (listener) => this.#watchers.watch([id], listener),
      looker,
    );
  }

  async #look(tokenMac: string): Promise<Stored<Operator>> {
    const { store } = this.#options;
    for (;;) {
      const generation = this.#generation;
      const id = await store.operatorIdOfToken(tokenMac);
      const operator = id === undefined ? undefined : await store.get('operator', id);
      if (generation !== this.#generation) continue;
      // Its token may have been replaced between the two.
      if (operator?.tokenMac !== tokenMac) throw refuse('OPERATOR_UNKNOWN');
      this.#hold(operator);
      return this.#good(operator);
    }
  }

  #good(operator: Stored<Operator>): Stored<Operator> {
    const flaw = this.#flawOf(operator);
    if (flaw !== undefined) throw refuse(flaw);
    return operator;
  }

  #flawOf({ revokedAtMs, expiresAtMs }: Operator): string | undefined {
    if (revokedAtMs !== null) return 'OPERATOR_REVOKED';
    const isOver = expiresAtMs !== null && expiresAtMs <= this.#options.clock.now();
    return isOver ? 'OPERATOR_EXPIRED' : undefined;
  }

  #hold(operator: Stored<Operator>): void {
    this.#drop(operator.id);
    if (this.#byMac.size >= (this.#options.cachedMax ?? OPERATORS_CACHED_MAX)) {
      const [oldest] = this.#macOfId.keys();
      if (oldest !== undefined) this.#drop(oldest);
    }
    this.#byMac.set(operator.tokenMac, operator);
    this.#macOfId.set(operator.id, operator.tokenMac);
  }

  #drop(id: string): void {
    const mac = this.#macOfId.get(id);
    if (mac === undefined) return;
    this.#macOfId.delete(id);
    this.#byMac.delete(mac);
  }

  #apply(change: Change): void {
    if (change.kind === 'everything') {
      this.#generation++;
      this.#macOfId.clear();
      this.#byMac.clear();
      this.#watchers.tellAll();
    }
    if (change.kind !== 'operator') return;
    this.#generation++;
    this.#drop(change.operatorId);
    this.#watchers.tell(change.operatorId);
  }
}

function refuse(logReason: string): AppError {
  return new AppError(
    'OPERATOR_TOKEN_INVALID',
    "the operator's token is malformed, unknown, revoked, expired or missing; log in again",
    { logReason },
  );
}
