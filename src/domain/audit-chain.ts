/**
 * How the audit log shows tampering: each entry is HMACed together with the HMAC of the entry before
 * it, and the newest one is noted with an HMAC of its own. Who has not the key can neither write an
 * entry nor say that the log ends earlier.
 */
import { type KeyObject, timingSafeEqual } from 'node:crypto';
import { hmacOf } from './hmac.ts';
import type { AuditEntry } from './model.ts';

/** Names the version of the key and of what is HMACed. */
const VERSION = '1';

/** The chain of a log that has one; others are numbered from there on. */
export const FIRST_CHAIN = 1;

/** A place in a chain: after the entry with this sequence. */
export interface ChainPoint {
  /** Who writes the chain; drawn at random when it begins. */
  readonly writer: string;
  /** 0: before the first entry. */
  readonly sequence: number;
  /** The entry's HMAC; at the chain's beginning, that of the writer. */
  readonly hash: string;
}

/** Which point it is, so that none passes for another. The register is that of the whole log. */
export type PointName = 'head' | 'checkpoint' | 'register';

/**
 * What a point is sealed as. A `whole` checkpoint is one after which the log tells of every resource
 * that there is; a `checkpoint` is one of a log from before that was so.
 */
export type SealName = PointName | 'whole';

/** A point that only the holder of the key could name. */
export interface SealedPoint extends ChainPoint {
  readonly mac: string;
}

/** A chain of a log, by which no other passes for it. */
export interface Chain {
  readonly chain: number;
  readonly writer: string;
}

/** An entry as it is HMACed: its detail as the text that is kept. */
export interface ChainedEntry extends Omit<AuditEntry, 'detail'> {
  readonly sequence: number;
  readonly detail: string;
}

/** Where the log of a writer begins, after `sequence` entries that are not part of it. */
export function chainStart(key: KeyObject, writer: string, sequence: number): ChainPoint {
  return { writer, sequence, hash: macOf(key, 'start', [writer, sequence]) };
}

/** True where a log begins there, and nothing of its chain was pruned. */
export function isChainStart(key: KeyObject, { writer, sequence, hash }: ChainPoint): boolean {
  return isSame(hash, chainStart(key, writer, sequence).hash);
}

/**
 * Which chains a log has, for a point that is sealed as its register: none is removed, added or takes
 * another's number unseen. Its writer is that of the first of them, its sequence how many there are.
 */
export function registerOf(key: KeyObject, chains: readonly Chain[]): ChainPoint {
  const content = chains.flatMap(({ chain, writer }) => [chain, writer]);
  const writer = chains[0]?.writer ?? '';
  return { writer, sequence: chains.length, hash: macOf(key, 'chains', content) };
}

/** The HMAC of an entry that follows the one with the HMAC `previous`. */
export function entryMac(key: KeyObject, previous: string, entry: ChainedEntry): string {
  const { sequence, atMs, actor, action, target, remoteAddress, detail } = entry;
  const content = [previous, sequence, atMs, actor, action, target, remoteAddress, detail];
  return macOf(key, 'entry', content);
}

export function sealPoint(key: KeyObject, name: SealName, point: ChainPoint): SealedPoint {
  const { writer, sequence, hash } = point;
  return { writer, sequence, hash, mac: macOf(key, name, [writer, sequence, hash]) };
}

/** True when this key sealed the point under this name. */
export function isSealed(key: KeyObject, name: SealName, point: SealedPoint): boolean {
  return isSame(point.mac, sealPoint(key, name, point).mac);
}

/** What a checkpoint was sealed as; undefined when this key did not seal it. */
export function checkpointSeal(
  key: KeyObject,
  point: SealedPoint,
): 'whole' | 'checkpoint' | undefined {
  return (['whole', 'checkpoint'] as const).find((name) => isSealed(key, name, point));
}

/** Vouches for what must not be told, such as the HMACs of secrets: `what` says whose. */
export function digestOf(key: KeyObject, what: string, content: readonly string[]): string {
  return macOf(key, 'digest', [what, ...content]);
}

/** Compares in a time that tells nothing about the content. */
export function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function macOf(key: KeyObject, what: string, content: readonly (string | number)[]): string {
  const text = `${what}\n${JSON.stringify(content)}`;
  return `${VERSION}:${hmacOf(key, text)}`;
}
