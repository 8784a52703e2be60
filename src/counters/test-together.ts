/** What all nodes count together, for tests: there, away, late or empty as the test says. */
import assert from 'node:assert/strict';
import type { TestClock } from './contract-suite.ts';
import type { Taken, Usage } from './counters.ts';
import { MemoryCounters } from './memory.ts';
import type { Follower, Together } from './shared.ts';

/** Counts in memory. */
export class FakeTogether implements Together {
  readonly #clock: TestClock;
  readonly #nodes: number;
  #counters: MemoryCounters;
  isUp = true;
  /** Answers as one that hangs: late, which its callers see as none. */
  isLate = false;
  /** Answers wait for this. */
  answers: Promise<unknown> = Promise.resolve();
  readonly #late: (() => void)[] = [];
  readonly #followers: Follower[] = [];

  constructor(clock: TestClock, nodes: number) {
    this.#clock = clock;
    this.#nodes = nodes;
    this.#counters = this.#empty();
  }

  goAway(): void {
    this.isUp = false;
  }

  comeBack(hasForgotten: boolean): void {
    this.isUp = true;
    if (hasForgotten) this.#counters = this.#empty();
    for (const each of this.#followers) each({ wasLost: true, hasForgotten });
  }

  /** Has answered all that it was asked. */
  catchUp(): void {
    this.isLate = false;
    for (const tell of this.#late.splice(0)) tell();
    this.isUp = true;
    for (const each of this.#followers) each({ wasLost: false, hasForgotten: false });
  }

  follow(follower: Follower): void {
    this.#followers.push(follower);
  }

  /** Counts them as of now: that is what the limit has to stand at the worst. */
  async tell(key: string, agesMs: readonly number[]): Promise<boolean> {
    for (const _ of agesMs) this.#counters.take(key, Number.MAX_SAFE_INTEGER);
    await Promise.resolve();
    return true;
  }

  shareOf(limit: number): number {
    return Math.max(1, Math.floor(limit / this.#nodes));
  }

  async take(
    key: string,
    limit: number,
    onLate: (isAllowed: boolean) => void,
  ): Promise<Taken | undefined> {
    const taken = this.#counters.take(key, limit);
    assert.ok(taken !== 'full');
    await this.answers;
    if (!this.isLate) return taken;
    this.isUp = false;
    this.#late.push(() => onLate(taken.isAllowed));
    return undefined;
  }

  async look(key: string, limit: number): Promise<Usage | undefined> {
    return this.isLate ? undefined : this.#counters.look(key, limit);
  }

  #empty(): MemoryCounters {
    return new MemoryCounters({ clock: this.#clock, callersMax: Number.POSITIVE_INFINITY });
  }
}
