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

/** A new identifier: 127 random bits, 22 characters of base64url, a letter first. */
export function newId(random: Random): string {
  return idOf(random(16));
}

/**
 * Random bytes as the text of an identifier. Its first bit is 0, so it begins with a letter from A to f:
 * with a `-` first a command line would take it for a flag.
 */
export function idOf(bytes: Buffer): string {
  const lettered = Buffer.from(bytes);
  lettered.writeUInt8(lettered.readUInt8(0) & 0x7f, 0);
  return lettered.toString('base64url');
}
