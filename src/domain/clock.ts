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

/** The machine's own source of randomness. */
export const systemRandom: Random = (bytes) => randomBytes(bytes);

/** A new identifier: 128 random bits, 22 characters of base64url. */
export function newId(random: Random): string {
  return random(16).toString('base64url');
}
