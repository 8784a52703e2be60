/**
 * Counters that all nodes share, and what a node does while it cannot reach them: it keeps to its share
 * of each limit, by a log of its own.
 *
 * That log has every call that this node has let through, so that the change from the one to the other
 * gives no caller a second limit:
 * - Going away: the calls that were counted together count against the node's share. Nodes that had less
 *   than their share of a caller's calls still let the rest of it through; all nodes together may so come
 *   to less than twice the limit, in the windows that hold the change.
 * - Coming back: each node tells the others what it let through alone; where all was forgotten, what it let
 *   through at all. Until all had the time to do so, and until it has itself, calls must pass by the
 *   node's share as well. With all nodes away and back at the same time no window holds more than the
 *   limit.
 */
import type { Clock } from '../domain/clock.ts';
import type { Counters, Taken, Usage } from './counters.ts';
import { MemoryCounters } from './memory.ts';

/**
 * How long calls must pass by the node's share as well, after the counters have come back, in
 * milliseconds: in that time all nodes have noticed, and told what they know.
 */
export const HELD_MS = 6000;
/** Callers, and calls of each, that are told of at a time: few, so that no call waits behind them. */
const TOLD_CALLERS = 4;
const TOLD_CALLS = 200;

/** How the counters have come back. */
export interface Back {
  /** They were out of reach; else only late. */
  readonly wasLost: boolean;
  /** They know nothing of what was counted. */
  readonly hasForgotten: boolean;
}

export type Follower = (back: Back) => void;

/** Where the nodes count together. */
export interface Together {
  /** Whether asking makes sense now. */
  readonly isUp: boolean;
  /** What of a limit this node may let through alone. */
  shareOf(limit: number): number;
  /**
   * As Counters; undefined when no answer came in time.
   * @param onLate hears whether the call was counted, when the answer comes after all
   */
  take(
    key: string,
    limit: number,
    onLate: (isAllowed: boolean) => void,
  ): Promise<Taken | undefined>;
  look(key: string, limit: number): Promise<Usage | undefined>;
  /**
   * Counts calls made so many milliseconds ago; false when no answer came in time.
   * @param onLate hears when the answer comes after all
   */
  tell(key: string, agesMs: readonly number[], onLate: () => void): Promise<boolean>;
  follow(follower: Follower): void;
}

export interface SharedCountersOptions {
  readonly together: Together;
  /** Stands before the callers' names, so that each kind of caller has names of its own. */
  readonly prefix: string;
  readonly clock: Clock;
  /** Callers with calls in the window that this node's own log holds at most. */
  readonly callersMax: number;
}

export class SharedCounters implements Counters {
  readonly #together: Together;
  readonly #prefix: string;
  readonly #clock: Clock;
  /** The calls that this node has let through. */
  readonly #own: MemoryCounters;
  /** Those of them that the others do not know of. */
  #untold: MemoryCounters;
  #isTelling = false;
  #heldUntilMs = Number.NEGATIVE_INFINITY;
  #decidedAlone = 0;

  constructor({ together, prefix, ...options }: SharedCountersOptions) {
    this.#together = together;
    this.#prefix = prefix;
    this.#clock = options.clock;
    this.#own = new MemoryCounters(options);
    this.#untold = new MemoryCounters(options);
    together.follow(({ wasLost, hasForgotten }) => {
      if (wasLost) this.#heldUntilMs = this.#clock.monotonic() + HELD_MS;
      if (hasForgotten) this.#untold = this.#own.copy();
      void this.#tell();
    });
  }

  /** Callers that this node has let through and remembers. */
  get size(): number {
    return this.#own.size;
  }

  /** Calls that were decided without the other nodes, since the start. */
  get decidedAlone(): number {
    return this.#decidedAlone;
  }

  take(caller: string, limit: number): Taken | 'full' | Promise<Taken | 'full'> {
    if (!this.#together.isUp) return this.#takeAlone(caller, limit);
    return this.#isHeld(caller)
      ? this.#takeByBoth(caller, limit)
      : this.#takeTogether(caller, limit);
  }

  look(caller: string, limit: number): Usage | Promise<Usage> {
    const own = () => this.#own.look(caller, this.#together.shareOf(limit));
    if (!this.#together.isUp) return own();
    const isHeld = this.#isHeld(caller);
    return this.#together.look(this.#prefix + caller, limit).then((usage) => {
      if (usage === undefined) return own();
      return isHeld ? lesser(usage, own()) : usage;
    });
  }

  #takeAlone(caller: string, limit: number): Taken | 'full' {
    this.#decidedAlone++;
    const taken = this.#own.take(caller, this.#together.shareOf(limit));
    if (taken !== 'full' && taken.isAllowed) note(this.#untold, caller);
    return taken;
  }

  async #takeTogether(caller: string, limit: number): Promise<Taken | 'full'> {
    const taken = await this.#ask(caller, limit);
    if (taken === undefined) return this.#takeAlone(caller, limit);
    if (taken.isAllowed && this.#isHeld(caller)) return this.#passToo(caller, taken);
    if (taken.isAllowed) note(this.#own, caller);
    return taken;
  }

  /** What is counted though its answer is late is one less to tell: this call, or another in its place. */
  #ask(caller: string, limit: number): Promise<Taken | undefined> {
    const untold = this.#untold;
    return this.#together.take(this.#prefix + caller, limit, (isAllowed) => {
      if (isAllowed) untold.giveBack(caller);
    });
  }

  /** For a call that was counted together while others of its caller were decided alone. */
  #passToo(caller: string, taken: Taken): Taken {
    const own = this.#own.take(caller, this.#together.shareOf(taken.limit));
    if (own === 'full') return taken;
    if (own.isAllowed) return { ...lesser(taken, own), isAllowed: true };
    // Its place is one of those that the others do not know of yet.
    this.#untold.giveBack(caller);
    return own;
  }

  /** Counted here first: of calls at the same time, no two may take the same place. */
  async #takeByBoth(caller: string, limit: number): Promise<Taken | 'full'> {
    const own = this.#own.take(caller, this.#together.shareOf(limit));
    // Of whom this node has no log, it has let nothing through.
    if (own === 'full') return this.#takeTogether(caller, limit);
    if (!own.isAllowed) return own;
    const taken = await this.#ask(caller, limit);
    if (taken?.isAllowed) return { ...lesser(taken, own), isAllowed: true };
    if (taken !== undefined) {
      this.#own.giveBack(caller);
      return taken;
    }
    this.#decidedAlone++;
    note(this.#untold, caller);
    return own;
  }

  /** Whether this caller's calls must pass by this node's share as well. */
  #isHeld(caller: string): boolean {
    if (this.#clock.monotonic() < this.#heldUntilMs) return true;
    return this.#untold.size > 0 && this.#untold.look(caller, 1).remaining === 0;
  }

  /** Tells the others what they do not know of; what fails is told when they are back again. */
  async #tell(): Promise<void> {
    if (this.#isTelling) return;
    this.#isTelling = true;
    while (this.#untold.size > 0 && this.#together.isUp) {
      const untold = this.#untold;
      const nowMs = this.#clock.monotonic();
      const some = untold.idlest(TOLD_CALLERS, TOLD_CALLS).map(async ({ caller, atMs }) => {
        const ages = atMs.map((at) => nowMs - at);
        const key = this.#prefix + caller;
        const told = () => untold.forget(caller, atMs.at(-1) ?? nowMs);
        if (ages.length === 0 || (await this.#together.tell(key, ages, told))) told();
      });
      await Promise.all(some);
    }
    this.#isTelling = false;
  }
}

/** Where there is no room the call goes unnoted: it was rightly let through. */
function note(counters: MemoryCounters, caller: string): void {
  counters.take(caller, Number.MAX_SAFE_INTEGER);
}

/** The one that lets fewer through. */
function lesser(a: Usage, b: Usage): Usage {
  const { limit, remaining, resetMs } = b.remaining < a.remaining ? b : a;
  return { limit, remaining, resetMs };
}
