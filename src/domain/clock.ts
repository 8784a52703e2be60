/** Time and randomness are passed in, so that tests can choose them. */
import { randomBytes } from 'node:crypto';

export interface Clock {
  /** Wall clock, milliseconds since 1970: for what is stored or compared with a token. */
  now(): number;
  /** Monotonic clock, milliseconds: for timers and windows. */
  monotonic(): number;
}

/** The machine's own clocks. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};

/** Gives that many random bytes. */
export type Random = (bytes: number) => Buffer;

/** Drawn at a time: a draw costs the same for an id as for this many bytes. */
const DRAWN_BYTES = 4096;
let drawn = Buffer.alloc(0);
let used = 0;

/** The machine's own source of randomness. No byte is given twice. */
export const systemRandom: Random = (bytes) => {
  if (bytes > DRAWN_BYTES) return randomBytes(bytes);
  if (used + bytes > drawn.length) {
    drawn = randomBytes(DRAWN_BYTES);
    used = 0;
  }
  // A copy, and nothing left of it: it may be a key.
  const own = Buffer.from(drawn.subarray(used, used + bytes));
  drawn.fill(0, used, used + bytes);
  used += bytes;
  return own;
};

/** A new identifier: 128 random bits, 22 characters of base64url. */
export function newId(random: Random): string {
  return random(16).toString('base64url');
}
