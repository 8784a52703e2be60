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

/** Of base64url, in the order of its letters as bytes. */
const SORTED = '-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz';
/** 42 bits: enough until 2109. */
const TIME_LETTERS = 7;

/**
 * A new identifier that sorts by time, to the millisecond, as bytes: an index takes what is recorded now
 * into the same few pages, however much it holds. `s`, 7 letters of time, and 84 random bits in 14.
 */
export function newTimedId(random: Random, nowMs: number): string {
  let time = '';
  for (let rest = nowMs; time.length < TIME_LETTERS; rest = Math.floor(rest / 64)) {
    time = `${SORTED[rest % 64]}${time}`;
  }
  return `s${time}${random(11).toString('base64url').slice(0, 14)}`;
}
