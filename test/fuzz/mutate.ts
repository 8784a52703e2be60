/** Well-made bytes, spoilt a little: flipped, cut, doubled, swapped, or with something put in. */
import type { Random } from './random.ts';

/** Numbers that length fields and flags are often wrong about. */
const EDGES = [0, 1, 2, 0x7f, 0x80, 0xfe, 0xff] as const;

type Change = (random: Random, bytes: Buffer, words: readonly Buffer[]) => Buffer;

function put(bytes: Buffer, at: number, drop: number, insert: Uint8Array): Buffer {
  return Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + drop)]);
}

const CHANGES: readonly Change[] = [
  (random, bytes) => {
    const changed = Buffer.from(bytes);
    const at = random.below(bytes.length);
    changed[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
    return changed;
  },
  (random, bytes) => {
    const changed = Buffer.from(bytes);
    changed[random.below(bytes.length)] = random.pick(EDGES);
    return changed;
  },
  (random, bytes) => put(bytes, random.below(bytes.length), random.between(1, 8), Buffer.alloc(0)),
  (random, bytes) => put(bytes, random.below(bytes.length), 0, random.bytes(random.between(1, 8))),
  (random, bytes) => bytes.subarray(0, random.below(bytes.length)),
  (random, bytes) => {
    const from = random.below(bytes.length);
    const part = bytes.subarray(from, from + random.between(1, 64));
    return put(bytes, random.below(bytes.length), 0, part);
  },
  (random, bytes) => {
    const from = random.below(bytes.length);
    const part = bytes.subarray(from, from + random.between(1, 64));
    return put(bytes, random.below(bytes.length), part.length, part);
  },
  (random, bytes, words) =>
    words.length === 0
      ? bytes
      : put(bytes, random.below(bytes.length), random.below(3), random.pick(words)),
];

/**
 * Spoils bytes in one place or a few.
 * @param words what the format is made of; put in here and there
 */
export function mutate(random: Random, bytes: Buffer, words: readonly Buffer[] = []): Buffer {
  let changed = bytes;
  const times = random.weighted([
    [6, 1],
    [3, 2],
    [1, random.between(3, 12)],
  ]);
  for (let i = 0; i < times && changed.length > 0; i++) {
    changed = random.pick(CHANGES)(random, changed, words);
  }
  return changed;
}

/** Cuts bytes into pieces, as a network may; nothing of them is lost. */
export function pieces(random: Random, bytes: Buffer, countMax: number): Buffer[] {
  const cuts = random.list(random.below(countMax), () => random.below(bytes.length + 1));
  const edges = [0, ...cuts.sort((a, b) => a - b), bytes.length];
  return edges
    .slice(1)
    .map((edge, i) => bytes.subarray(edges[i], edge))
    .filter((piece) => piece.length > 0);
}
