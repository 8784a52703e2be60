/**
 * Tokens of every node that signs: where a signing key is not known here, made by another node since, the
 * store is asked for it.
 */
import type { Clock } from '../domain/clock.ts';
import type { Claims, SigningKey, TokenFlaw, TokenReader } from '../domain/token.ts';

/** Between two looks at the store at least: whoever makes up names of keys has it asked no more often. */
const LOOK_EVERY_MS = 1_000;
/** Tokens that wait for a look at a time; others are refused, or made-up ones would take all places. */
const WAITING_MAX = 100;

/** Reads tokens. It does not look at the time. */
export interface Tokens {
  /**
   * The claims of a genuine token, else what is wrong with it. No promise where the key that it names
   * is known.
   * @throws AppError UNAVAILABLE where the store has to be asked and cannot answer
   */
  read(token: string): Claims | TokenFlaw | Promise<Claims | TokenFlaw>;
}

export interface SharedTokensOptions {
  readonly reader: TokenReader;
  /** All signing keys that there are now. */
  readonly readKeys: () => Promise<readonly SigningKey[]>;
  readonly clock: Pick<Clock, 'monotonic'>;
}

export class SharedTokens implements Tokens {
  readonly #options: SharedTokensOptions;
  /** The look that has not begun yet; all who come before it begins share it. */
  #next: Promise<void> | undefined;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #waiting = 0;

  constructor(options: SharedTokensOptions) {
    this.#options = options;
  }

  read(token: string): Claims | TokenFlaw | Promise<Claims | TokenFlaw> {
    const { reader } = this.#options;
    const read = reader.read(token);
    if (read !== 'TOKEN_FORGED' || !reader.isOfUnknownKey(token)) return read;
    return this.#waiting < WAITING_MAX ? this.#readAfterLook(token) : read;
  }

  async #readAfterLook(token: string): Promise<Claims | TokenFlaw> {
    this.#waiting++;
    try {
      this.#next ??= this.#look();
      await this.#next;
    } finally {
      this.#waiting--;
    }
    return this.#options.reader.read(token);
  }

  async #look(): Promise<void> {
    const { reader, readKeys, clock } = this.#options;
    const restMs = this.#lookedAtMs + LOOK_EVERY_MS - clock.monotonic();
    await (restMs > 0 ? new Promise((resolve) => setTimeout(resolve, restMs)) : undefined);
    // Who comes from here on may show the token of a key that is younger than the answer.
    this.#next = undefined;
    this.#lookedAtMs = clock.monotonic();
    reader.add(await readKeys());
  }
}
