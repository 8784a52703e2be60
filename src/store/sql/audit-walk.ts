/** Follows one chain of the audit log, entry by entry, from its checkpoint to its head. */
import type { KeyObject } from 'node:crypto';
import {
  type ChainedEntry,
  entryMac,
  FIRST_CHAIN,
  isChainStart,
  isSame,
  type SealedPoint,
} from '../../domain/audit-chain.ts';
import type { Told } from './audit-faults.ts';

/** An entry as it is kept; without an HMAC, from before logs were chained. */
export interface KeptEntry extends ChainedEntry {
  readonly chain: number;
  readonly mac: string | null;
}

/** What is to be followed. */
export interface ChainEnds {
  readonly chain: number;
  readonly checkpoint: SealedPoint | undefined;
  readonly head: SealedPoint | undefined;
  /** The log has one chain, whose entries are numbered without gaps. */
  readonly isGapless: boolean;
}

/** A chain as far as it was followed. */
export class ChainWalk {
  readonly #key: KeyObject;
  readonly #faults: Told;
  readonly #ends: ChainEnds;
  readonly #checkpoint: number;
  #sequence: number;
  /** undefined: not known, so that what follows is believed to begin anew. */
  #hash: string | undefined;
  /** Up to the checkpoint: how many entries, how many of them with an HMAC, the lowest sequence. */
  readonly #old = { entries: 0, chained: 0, first: 1 };
  /** Entries that are as they were written. */
  good = 0;

  constructor(key: KeyObject, faults: Told, ends: ChainEnds) {
    this.#key = key;
    this.#faults = faults;
    this.#ends = ends;
    this.#checkpoint = ends.checkpoint?.sequence ?? 0;
    this.#sequence = this.#checkpoint;
    this.#hash = ends.checkpoint?.hash;
  }

  /** Entries from before the log was chained; nobody knows about them. */
  get unchained(): number {
    return this.#old.entries - this.#old.chained;
  }

  /** Takes the chain's next entry; false when it is from before the chain, or was pruned. */
  follow(entry: KeptEntry): boolean {
    const { sequence, mac } = entry;
    if (sequence <= this.#checkpoint) {
      this.#old.entries += 1;
      if (mac !== null) this.#old.chained += 1;
      this.#old.first = Math.min(this.#old.first, sequence);
      return false;
    }
    if (this.#isNext(entry)) this.good += 1;
    this.#sequence = sequence;
    this.#hash = mac ?? undefined;
    return true;
  }

  /** To be called after the last entry. */
  end(): void {
    this.#judgeOld();
    const { head, isGapless } = this.#ends;
    if (head === undefined) return;
    if (this.#sequence < head.sequence) {
      if (isGapless) this.#missing(this.#sequence + 1, head.sequence);
      else {
        const what = `entries after ${this.#sequence} are missing`;
        this.#faults.add(`${what}: its head says that it ends with entry ${head.sequence}`);
      }
    } else if (this.#sequence > head.sequence) {
      this.#faults.add(`entries after ${head.sequence}, where the log ends, were added`);
    } else if (this.#hash !== head.hash) {
      this.#faults.add(`the log's end, entry ${head.sequence}, is not the one that its head names`);
    }
  }

  #isNext(entry: KeptEntry): boolean {
    const { sequence, mac } = entry;
    const before = this.#hash;
    // Nothing was between two entries of which one follows the other, whatever their numbers.
    if (mac !== null && before !== undefined && isSame(mac, entryMac(this.#key, before, entry))) {
      return true;
    }
    const isGap = sequence !== this.#sequence + 1;
    if (isGap && this.#ends.isGapless) this.#missing(this.#sequence + 1, sequence - 1);
    if (mac !== null && (before === undefined || (isGap && this.#ends.isGapless))) return true;
    const isChanged = `entry ${sequence} is not as it was written`;
    if (isGap && !this.#ends.isGapless) {
      const what = `entries between ${this.#sequence} and ${sequence} are missing`;
      this.#faults.add(`${what}, or ${isChanged}`);
    } else this.#faults.add(`${isChanged}, or not where it was`);
    return false;
  }

  #missing(first: number, last: number): void {
    const what = first === last ? `entry ${first} is` : `entries ${first} to ${last} are`;
    this.#faults.add(`${what} missing`);
  }

  /**
   * Entries from before the log was chained are the first that are pruned, so there are none any more
   * once the checkpoint has left the beginning of the chain; and only its first chain has any.
   */
  #judgeOld(): void {
    const { chain, checkpoint } = this.#ends;
    const { chained, first } = this.#old;
    const upTo = `entries up to ${this.#checkpoint}`;
    if (chained > 0) {
      this.#faults.add(`${upTo} were pruned, and ${chained} of them are there again`);
    }
    const isMoved = checkpoint !== undefined && !isChainStart(this.#key, checkpoint);
    if (this.unchained > 0 && isMoved) {
      this.#faults.add(`${upTo} were pruned, and ${this.unchained} others were put there`);
    } else if (this.unchained > 0 && chain !== FIRST_CHAIN) {
      this.#faults.add(`${upTo}, after which it begins, were added`);
    } else if (first < 1) {
      this.#faults.add('entries before 1, where every log begins, were added');
    }
  }
}
