/** Counters in this process's memory. */
import type { Clock } from '../domain/clock.ts';
import { WINDOW_MS } from '../domain/quota.ts';
import type { Counters, Taken, Usage } from './counters.ts';

/** How many idle callers are forgotten with each call: more than one, so that they become fewer. */
const FORGOTTEN_PER_CALL = 2;

/** The instants of one caller's calls, the oldest first: a ring that grows as it is used. */
class Log {
  readonly caller: string;
  /** Whose last call came right before, and right after; itself where it is in no queue. */
  before: Log = this;
  after: Log = this;
  #times: number[] = [0];
  #first = 0;
  #count = 0;

  constructor(caller: string) {
    this.caller = caller;
  }

  get count(): number {
    return this.#count;
  }

  get room(): number {
    return this.#times.length;
  }

  /** The instant of a call, 0 being the oldest. */
  at(index: number): number {
    return this.#times[(this.#first + index) % this.#times.length] as number;
  }

  add(atMs: number): void {
    if (this.#count === this.#times.length) this.#grow();
    this.#times[(this.#first + this.#count) % this.#times.length] = atMs;
    this.#count++;
  }

  /** Forgets the calls that have left the window. */
  forget(nowMs: number): void {
    while (this.#count > 0 && this.at(0) + WINDOW_MS <= nowMs) {
      this.#first = (this.#first + 1) % this.#times.length;
      this.#count--;
    }
  }

  copy(): Log {
    const copy = new Log(this.caller);
    copy.#times = [...this.#times];
    copy.#first = this.#first;
    copy.#count = this.#count;
    return copy;
  }

  /** Forgets the newest call. */
  drop(): void {
    if (this.#count > 0) this.#count--;
  }

  leave(): void {
    this.before.after = this.after;
    this.after.before = this.before;
  }

  /** Joins the queue right before `next`. */
  join(next: Log): void {
    this.before = next.before;
    this.after = next;
    next.before.after = this;
    next.before = this;
  }

  #grow(): void {
    const grown = new Array<number>(this.#times.length * 2).fill(0);
    for (let i = 0; i < this.#count; i++) grown[i] = this.at(i);
    this.#times = grown;
    this.#first = 0;
  }
}

/** The calls of one caller. */
export interface Instants {
  readonly caller: string;
  /** Monotonic milliseconds, the oldest first. */
  readonly atMs: readonly number[];
}

export interface MemoryCountersOptions {
  readonly clock: Clock;
  /** Callers with calls in the window that are held at most. */
  readonly callersMax: number;
}

export class MemoryCounters implements Counters {
  readonly #clock: Clock;
  readonly #callersMax: number;
  readonly #logs = new Map<string, Log>();
  /**
   * Its beginning and its end. Who called last stands last, so the idlest is at hand: a Map's own
   * first entry is not, since looking for it passes all that were deleted before it.
   */
  readonly #queue = new Log('');

  constructor({ clock, callersMax }: MemoryCountersOptions) {
    this.#clock = clock;
    this.#callersMax = callersMax;
  }

  /** Callers held. */
  get size(): number {
    return this.#logs.size;
  }

  /** Calls that there is room for, of all callers together; what the memory goes for. */
  get room(): number {
    return this.#logs.values().reduce((sum, log) => sum + log.room, 0);
  }

  take(caller: string, limit: number): Taken | 'full' {
    const nowMs = this.#clock.monotonic();
    this.#forgetIdle(nowMs);
    let log = this.#logs.get(caller);
    if (log === undefined) {
      if (this.#logs.size >= this.#callersMax) return 'full';
      log = new Log(caller);
      this.#logs.set(caller, log);
    } else {
      log.forget(nowMs);
      if (log.count >= limit) return takenOf(log, limit, nowMs, false);
      log.leave();
    }
    log.join(this.#queue);
    log.add(nowMs);
    return takenOf(log, limit, nowMs, true);
  }

  /** Takes back what was just taken: the call is not made after all. */
  giveBack(caller: string): void {
    this.#logs.get(caller)?.drop();
  }

  /** Some callers, those first whose last call is longest ago, and the first of their calls. */
  idlest(callersMax: number, callsMax: number): Instants[] {
    const found: Instants[] = [];
    const nowMs = this.#clock.monotonic();
    for (let log = this.#queue.after; log !== this.#queue; log = log.after) {
      if (found.length >= callersMax) break;
      log.forget(nowMs);
      const { caller, count } = log;
      const length = Math.min(count, callsMax);
      found.push({ caller, atMs: Array.from({ length }, (_, i) => log.at(i)) });
    }
    return found;
  }

  /** Forgets the calls of a caller up to an instant. */
  forget(caller: string, untilMs: number): void {
    const log = this.#logs.get(caller);
    log?.forget(untilMs + WINDOW_MS);
    if (log === undefined || log.count > 0) return;
    log.leave();
    this.#logs.delete(caller);
  }

  /** Others that hold the same. */
  copy(): MemoryCounters {
    const copy = new MemoryCounters({ clock: this.#clock, callersMax: this.#callersMax });
    for (let log = this.#queue.after; log !== this.#queue; log = log.after) {
      const same = log.copy();
      same.join(copy.#queue);
      copy.#logs.set(same.caller, same);
    }
    return copy;
  }

  look(caller: string, limit: number): Usage {
    const nowMs = this.#clock.monotonic();
    const log = this.#logs.get(caller);
    log?.forget(nowMs);
    return usageOf(log, limit, nowMs);
  }

  #forgetIdle(nowMs: number): void {
    for (let i = 0; i < FORGOTTEN_PER_CALL; i++) {
      const idlest = this.#queue.after;
      idlest.forget(nowMs);
      if (idlest.count > 0 || idlest === this.#queue) return;
      idlest.leave();
      this.#logs.delete(idlest.caller);
    }
  }
}

function takenOf(log: Log, limit: number, nowMs: number, isAllowed: boolean): Taken {
  const { remaining, resetMs } = usageOf(log, limit, nowMs);
  return { limit, remaining, resetMs, isAllowed };
}

function usageOf(log: Log | undefined, limit: number, nowMs: number): Usage {
  if (log === undefined || log.count === 0) return { limit, remaining: limit, resetMs: 0 };
  const remaining = Math.max(0, limit - log.count);
  // A limit that was lowered is passed by several calls: all of them but limit - 1 must leave.
  const next = Math.max(0, log.count - limit);
  return { limit, remaining, resetMs: log.at(next) + WINDOW_MS - nowMs };
}
