/** How many bytes of requests are held in memory, on all connections together. */
import { AppError } from '../domain/errors.ts';
import { networkOf } from '../domain/network.ts';

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
  readonly #bytesPerAddressMax: number;
  #bytes = 0;
  /** What calls that are not small hold, by the network that they come from. */
  readonly #largeOf = new Map<string, number>();

  /** @param bytesPerAddressMax that calls from one address may hold, so that others have room too */
  constructor(bytesMax: number, bytesPerAddressMax = bytesMax) {
    this.bytesMax = bytesMax;
    this.#bytesPerAddressMax = bytesPerAddressMax;
  }

  /** Held now, in all. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What one call holds; nothing at first. @param address where it comes from */
  open(address: string): Held {
    return new Held(this, address);
  }

  /**
   * Has a call hold more bytes than its own so far, or less.
   * @returns false when there is no room for them
   */
  grow(address: string, own: number, more: number): boolean {
    const large = largePart(own + more) - largePart(own);
    if (large > 0 && this.#bytes + more > this.bytesMax) return false;
    if (large !== 0 && !this.#addLarge(networkOf(address), large)) return false;
    this.#bytes += more;
    return true;
  }

  #addLarge(network: string, more: number): boolean {
    const bytes = (this.#largeOf.get(network) ?? 0) + more;
    if (more > 0 && bytes > this.#bytesPerAddressMax) return false;
    if (bytes === 0) this.#largeOf.delete(network);
    else this.#largeOf.set(network, bytes);
    return true;
  }
}

function largePart(bytes: number): number {
  return bytes > SMALL_BYTES ? bytes : 0;
}

/** The bytes that one call holds, until it gives them back. */
export class Held {
  readonly #memory: RequestMemory;
  readonly #address: string;
  #own = 0;
  #isReleased = false;
  #onRelease: ((reason: AppError) => void) | undefined;

  constructor(memory: RequestMemory, address: string) {
    this.#memory = memory;
    this.#address = address;
  }

  /**
   * Says how many bytes the call holds from now on.
   * @returns what its caller hears when there is no room for them; then it holds what it held
   */
  set(bytes: number): AppError | undefined {
    const more = bytes - this.#own;
    if (this.#isReleased || !this.#memory.grow(this.#address, this.#own, more)) return FULL;
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
