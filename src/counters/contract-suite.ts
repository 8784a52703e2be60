/** What every implementation of the counters must do; run by each one's own test. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { WINDOW_MS } from '../domain/quota.ts';
import type { Counters, Taken } from './counters.ts';

/** The time of one test. */
export class TestClock {
  #wallMs = 1.7e12;
  #monotonicMs = 5000;

  now = () => this.#wallMs;
  monotonic = () => this.#monotonicMs;

  pass(ms: number): void {
    this.#wallMs += ms;
    this.#monotonicMs += ms;
  }

  step(ms: number): void {
    this.#wallMs += ms;
  }
}

export type Open = (clock: TestClock, callersMax: number) => Counters;

export interface Traits {
  /** Whether they hold no more than `callersMax` callers; else as many as come. */
  readonly isBounded: boolean;
}

async function taken(counters: Counters, caller: string, limit: number): Promise<Taken> {
  const result = await counters.take(caller, limit);
  assert.ok(result !== 'full');
  return result;
}

/**
 * Runs the suite.
 * @param open gives new counters
 */
export function countersContract(name: string, open: Open, { isBounded }: Traits): void {
  describe(`counters in ${name}`, () => {
    windowContract(open);
    limitContract(open);
    if (isBounded) callersContract(open);
    modelContract(open, isBounded ? CALLERS_MAX : Number.POSITIVE_INFINITY);
  });
}

function windowContract(open: Open): void {
  test('so many calls pass and no more, until the first has left the window', async () => {
    const clock = new TestClock();
    const counters = open(clock, 10);
    for (const remaining of [2, 1, 0]) {
      const usage = {
        isAllowed: true,
        limit: 3,
        remaining,
        resetMs: 60_000 - 1000 * (2 - remaining),
      };
      assert.deepEqual(await taken(counters, 'a', 3), usage);
      clock.pass(1000);
    }
    const refused = { isAllowed: false, limit: 3, remaining: 0, resetMs: 57_000 };
    assert.deepEqual(await taken(counters, 'a', 3), refused);
    clock.pass(56_999.75);
    assert.deepEqual(await taken(counters, 'a', 3), { ...refused, resetMs: 0.25 });
    clock.pass(0.25);
    const last = { isAllowed: true, limit: 3, remaining: 0, resetMs: 1000 };
    assert.deepEqual(await taken(counters, 'a', 3), last);
    assert.equal((await taken(counters, 'a', 3)).isAllowed, false);
  });

  test('a step of the wall clock changes nothing', async () => {
    const clock = new TestClock();
    const counters = open(clock, 10);
    await taken(counters, 'a', 1);
    for (const ms of [3_600_000, -7_200_000]) {
      clock.step(ms);
      assert.equal((await taken(counters, 'a', 1)).isAllowed, false);
    }
    clock.pass(WINDOW_MS);
    assert.equal((await taken(counters, 'a', 1)).isAllowed, true);
  });

  test('a look counts nothing, also of nobody', async () => {
    const counters = open(new TestClock(), 1);
    assert.deepEqual(await counters.look('a', 5), { limit: 5, remaining: 5, resetMs: 0 });
    await taken(counters, 'b', 5);
    for (let i = 0; i < 10; i++) {
      const usage = { limit: 5, remaining: 4, resetMs: WINDOW_MS };
      assert.deepEqual(await counters.look('b', 5), usage);
    }
  });
}

function limitContract(open: Open): void {
  test('a limit that is lowered holds at once, and tells when the next call passes', async () => {
    const clock = new TestClock();
    const counters = open(clock, 10);
    for (let i = 0; i < 5; i++) {
      await taken(counters, 'a', 5);
      clock.pass(1000);
    }
    // Calls at 0, 1, 2, 3 and 4 s; it is 5 s. With a limit of 2, four of the five must leave.
    const lowered = { isAllowed: false, limit: 2, remaining: 0, resetMs: 58_000 };
    assert.deepEqual(await taken(counters, 'a', 2), lowered);
    clock.pass(58_000);
    const allowed = { isAllowed: true, limit: 2, remaining: 0, resetMs: 1000 };
    assert.deepEqual(await taken(counters, 'a', 2), allowed);
    assert.equal((await taken(counters, 'a', 3)).isAllowed, true);
  });

  test('a limit of 100,000 is kept as exactly', async () => {
    const clock = new TestClock();
    const counters = open(clock, 10);
    for (let i = 0; i < 100_000; i++) assert.ok((await taken(counters, 'a', 100_000)).isAllowed);
    assert.equal((await taken(counters, 'a', 100_000)).isAllowed, false);
    clock.pass(WINDOW_MS);
    assert.equal((await taken(counters, 'a', 100_000)).remaining, 99_999);
  });
}

function callersContract(open: Open): void {
  test('with as many callers as can be held a new one is not, and none is forgotten', async () => {
    const clock = new TestClock();
    const counters = open(clock, 3);
    for (const caller of ['a', 'b', 'c']) {
      await taken(counters, caller, 1);
      clock.pass(10_000);
    }
    for (let i = 0; i < 5; i++) assert.equal(await counters.take(`new ${i}`, 1), 'full');
    for (const caller of ['a', 'b', 'c']) {
      assert.equal((await taken(counters, caller, 1)).isAllowed, false);
    }
    // At 60 s the first has left the window: its place is for one other, and for one alone.
    clock.pass(30_000);
    assert.equal((await taken(counters, 'd', 1)).isAllowed, true);
    assert.equal(await counters.take('a', 1), 'full');
    assert.equal((await taken(counters, 'b', 1)).isAllowed, false);
  });
}

type Step =
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'take' | 'look'; readonly caller: string; readonly limit: number };

/** One less than call. */
const CALLERS_MAX = 3;
const caller = fc.constantFrom('a', 'b', 'c', 'd');
const limit = fc.integer({ min: 1, max: 6 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('take' as const), caller, limit }) },
  fc.record({ kind: fc.constant('look' as const), caller, limit }),
  fc.record({
    kind: fc.constant('pass' as const),
    ms: fc.constantFrom(0, 0.25, 1, 9_999.75, 20_000, 30_000, 59_999.75, 60_000),
  }),
);

/** The same by arrays of instants, as simple as can be. */
class Model {
  readonly #calls = new Map<string, number[]>();
  readonly #callersMax: number;
  #nowMs = 0;

  constructor(callersMax: number) {
    this.#callersMax = callersMax;
  }

  pass(ms: number): void {
    this.#nowMs += ms;
  }

  #live(name: string): number[] {
    return (this.#calls.get(name) ?? []).filter((at) => this.#nowMs < at + WINDOW_MS);
  }

  look(name: string, most: number) {
    const live = this.#live(name);
    const remaining = Math.max(0, most - live.length);
    // The least wait after which more pass than now.
    const waits = live.map((at) => at + WINDOW_MS - this.#nowMs);
    const more = (wait: number) =>
      most - live.filter((at) => this.#nowMs + wait < at + WINDOW_MS).length;
    const resetMs = waits.find((wait) => more(wait) > remaining) ?? 0;
    return { limit: most, remaining, resetMs };
  }

  take(name: string, most: number) {
    const live = this.#live(name);
    const others = [...this.#calls.keys()].filter((each) => this.#live(each).length > 0);
    if (live.length === 0 && others.length >= this.#callersMax) return 'full';
    const isAllowed = live.length < most;
    if (isAllowed) this.#calls.set(name, [...live, this.#nowMs]);
    return { ...this.look(name, most), isAllowed };
  }
}

function modelContract(open: Open, heldMax: number): void {
  test('any calls, looks and pauses: as by a list of instants', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
        const clock = new TestClock();
        const counters = open(clock, CALLERS_MAX);
        const model = new Model(heldMax);
        for (const each of steps) {
          if (each.kind === 'pass') {
            clock.pass(each.ms);
            model.pass(each.ms);
          } else {
            const { kind, caller: name, limit: most } = each;
            assert.deepEqual(await counters[kind](name, most), model[kind](name, most));
          }
        }
      }),
      { numRuns: 500 },
    );
  });
}
