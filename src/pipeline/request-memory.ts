/** How many bytes of requests are held in memory, on all connections together. */
import { AppError } from '../domain/errors.ts';

/**
 * A call that holds no more than this is never refused for what others hold: bodies that large
 * callers leave unfinished must not keep out the small ones, which most are.
 */
const SMALL_BYTES = 4096;

/** The refusal of bytes that there is no room for. */
const FULL = new AppError(
  'UNAVAILABLE',
  'too many bytes of requests are in hand; try again later',
  { logReason: 'OVERLOADED' },
);

/** Tells who still reads that nobody waits. */
const OVER = new AppError('CANCELLED', 'the call is over');

export class RequestMemory {
  readonly bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** Held now, in all. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What one call holds; nothing at first. */
  open(): Held {
    return new Held((own, more) => {
      const isFull = this.#bytes + more > this.bytesMax;
      if (more > 0 && isFull && own + more > SMALL_BYTES) return false;
      this.#bytes += more;
      return true;
    });
  }
}

/** The bytes that one call holds, until it gives them back. */
export class Held {
  readonly #grow: (own: number, more: number) => boolean;
  #own = 0;
  #isReleased = false;
  #onRelease: ((reason: AppError) => void) | undefined;

  constructor(grow: (own: number, more: number) => boolean) {
    this.#grow = grow;
  }

  /**
   * Says how many bytes the call holds from now on.
   * @returns what its caller hears when there is no room for them; then it holds what it held
   */
  set(bytes: number): AppError | undefined {
    if (this.#isReleased || !this.#grow(this.#own, bytes - this.#own)) return FULL;
    this.#own = bytes;
    return undefined;
  }

  /** Calls `listener` when the call is over and nobody waits for its request any more. */
  onRelease(listener: (reason: AppError) => void): void {
    if (this.#isReleased) listener(OVER);
    else this.#onRelease = listener;
  }

  /** Gives everything back, for good. */
  release(): void {
    if (this.#isReleased) return;
    this.set(0);
    this.#isReleased = true;
    this.#onRelease?.(OVER);
    this.#onRelease = undefined;
  }
}
