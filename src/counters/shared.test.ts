/** What a node does while it cannot reach the others, and when it can again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { WINDOW_MS } from '../domain/quota.ts';
import { countersContract, TestClock } from './contract-suite.ts';
import { HELD_MS, SharedCounters, type Together } from './shared.ts';
import { FakeTogether } from './test-together.ts';

const alone: Together = Object.assign(new FakeTogether(new TestClock(), 1), { isUp: false });

countersContract(
  'a node that is alone',
  (clock, callersMax) => new SharedCounters({ together: alone, prefix: '', clock, callersMax }),
  { isBounded: true },
);

countersContract(
  'a node among others',
  (clock, callersMax) => {
    const together = new FakeTogether(clock, 4);
    return new SharedCounters({ together, prefix: '', clock, callersMax });
  },
  { isBounded: false },
);

/** Nodes that share one clock and what they count together. */
class Scene {
  readonly clock = new TestClock();
  readonly together: FakeTogether;
  readonly nodes: SharedCounters[];

  constructor(nodes: number, callersMax = 100) {
    this.together = new FakeTogether(this.clock, nodes);
    const { together, clock } = this;
    this.nodes = Array.from(
      { length: nodes },
      () => new SharedCounters({ together, prefix: 'p:', clock, callersMax }),
    );
  }

  /** How many of so many calls at once a node lets through. */
  async passing(node: number, calls: number, limit: number, caller = 'a'): Promise<number> {
    const counters = this.nodes[node] as SharedCounters;
    const taken = await Promise.all(
      Array.from({ length: calls }, () => counters.take(caller, limit)),
    );
    return taken.filter((each) => each !== 'full' && each.isAllowed).length;
  }
}

test('alone, each node lets through its share, and tells that it is less', async () => {
  const scene = new Scene(4);
  scene.together.goAway();
  for (const node of [0, 1, 2, 3]) assert.equal(await scene.passing(node, 300, 200), 50);
  const [first] = scene.nodes;
  assert.deepEqual(await first?.look('a', 200), { limit: 50, remaining: 0, resetMs: WINDOW_MS });
  assert.equal(first?.decidedAlone, 300);
});

test('more nodes than calls: one each', async () => {
  const scene = new Scene(4);
  scene.together.goAway();
  for (const node of [0, 1, 2, 3]) assert.equal(await scene.passing(node, 5, 2), 1);
});

test('what was let through together counts for the share', async () => {
  const scene = new Scene(2);
  assert.equal(await scene.passing(0, 150, 200), 150);
  assert.equal(await scene.passing(1, 20, 200), 20);
  scene.together.goAway();
  assert.equal(await scene.passing(0, 100, 200), 0);
  assert.equal(await scene.passing(1, 100, 200), 80);
});

test('what was let through alone is told when all are back, and held to the share until then', async () => {
  const scene = new Scene(2);
  scene.together.goAway();
  assert.equal(await scene.passing(0, 30, 200), 30);
  scene.together.comeBack(false);
  const [first] = scene.nodes;
  const share = { limit: 100, remaining: 70, resetMs: WINDOW_MS };
  assert.deepEqual(await first?.look('a', 200), share);
  assert.equal(await scene.passing(1, 300, 200), 100, 'by its share');
  assert.equal(await scene.passing(0, 50, 200), 50, 'by its share');
  scene.clock.pass(HELD_MS);
  assert.equal(await scene.passing(1, 300, 200), 20, 'what is left of all');
  assert.equal(await scene.passing(0, 300, 200), 0);
  assert.equal(await scene.passing(0, 300, 200, 'b'), 200);
});

test('when all was forgotten, the nodes tell what they know', async () => {
  const scene = new Scene(2);
  assert.equal(await scene.passing(0, 90, 200), 90);
  assert.equal(await scene.passing(1, 20, 200), 20);
  scene.together.comeBack(true);
  // They tell at once, and need a moment for it.
  await new Promise(setImmediate);
  scene.clock.pass(HELD_MS);
  assert.equal(await scene.passing(1, 300, 200), 90);
  assert.equal(await scene.passing(0, 300, 200), 0);
});

test('held to the share, what the others have used up is refused and not counted', async () => {
  const scene = new Scene(2);
  scene.together.goAway();
  assert.equal(await scene.passing(0, 1, 10), 1);
  scene.together.comeBack(false);
  await scene.together.tell('p:a', Array(9).fill(0));
  assert.equal(await scene.passing(0, 20, 10), 0);
  scene.together.goAway();
  assert.equal(await scene.passing(0, 20, 10), 4, 'its share less the one');
});

test('an answer that does not come in time is decided alone', async () => {
  const scene = new Scene(2);
  scene.together.isLate = true;
  assert.equal(await scene.passing(0, 300, 200), 100);
  assert.equal(scene.nodes[0]?.decidedAlone, 300);
  assert.equal((await scene.nodes[0]?.look('a', 200))?.remaining, 0);
});

test('what was late and counted after all is not told again; what was never asked is', async () => {
  const scene = new Scene(2);
  scene.together.isLate = true;
  assert.equal(await scene.passing(0, 3, 200), 3, 'late');
  assert.equal(await scene.passing(0, 4, 200), 4, 'not asked');
  scene.together.catchUp();
  await new Promise(setImmediate);
  // Nothing was lost, so nobody is held to the share.
  assert.equal(await scene.passing(1, 300, 200), 193);
});

test('what is decided alone while others are asked about leaves them what is left', async () => {
  const scene = new Scene(1);
  const { together } = scene;
  assert.equal(await scene.passing(0, 150, 200), 150);
  const { promise, resolve } = Promise.withResolvers<void>();
  together.answers = promise;
  const asked = scene.passing(0, 50, 200);
  // The first of them is late: what comes now is decided alone, and knows nothing of the other 49.
  together.isUp = false;
  assert.equal(await scene.passing(0, 20, 200), 20);
  resolve();
  assert.equal(await asked, 30);
  together.catchUp();
  await new Promise(setImmediate);
  assert.equal(await scene.passing(0, 20, 200), 0);
  scene.clock.pass(WINDOW_MS - 1);
  assert.equal(await scene.passing(0, 20, 200), 0);
  scene.clock.pass(1);
  assert.equal(await scene.passing(0, 300, 200), 200, 'what was refused was not counted');
});

test('what was counted late and refused alone takes the place of what was let through', async () => {
  const scene = new Scene(1);
  const { together } = scene;
  assert.equal(await scene.passing(0, 190, 200), 190);
  const { promise, resolve } = Promise.withResolvers<void>();
  together.answers = promise;
  together.isLate = true;
  const asked = scene.passing(0, 10, 200);
  together.isUp = false;
  assert.equal(await scene.passing(0, 30, 200), 10);
  resolve();
  assert.equal(await asked, 0);
  together.catchUp();
  await new Promise(setImmediate);
  assert.equal(await scene.passing(0, 300, 300), 100, '200 were counted');
});

test('callers that a node has no room for are counted together all the same, and not alone', async () => {
  const scene = new Scene(1, 1);
  assert.equal(await scene.passing(0, 5, 3, 'a'), 3);
  assert.equal(await scene.passing(0, 5, 3, 'b'), 3);
  scene.together.goAway();
  assert.equal(await scene.nodes[0]?.take('b', 3), 'full');
  scene.together.comeBack(true);
  assert.equal(await scene.passing(0, 5, 3, 'c'), 3);
});

const LIMIT = 12;
const NODES = 3;
type Step =
  | { kind: 'calls'; node: number; calls: number }
  | { kind: 'pass'; ms: number }
  | 'turn'
  | 'lose';
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('calls' as const),
      node: fc.nat(NODES - 1),
      calls: fc.integer({ min: 1, max: 15 }),
    }),
  },
  fc.record({
    kind: fc.constant('pass' as const),
    ms: fc.constantFrom(1, 10_000, 30_000, 59_999, 60_000),
  }),
  fc.constantFrom('turn' as const, 'lose' as const),
);

test('whatever goes and comes: the limit, and less than twice that in a window with a going', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async (steps) => {
      const scene = new Scene(NODES);
      const passed: { atMs: number; calls: number }[] = [];
      let leftAtMs = Number.NEGATIVE_INFINITY;
      for (const each of steps) {
        if (each === 'turn' || each === 'lose') {
          if (!scene.together.isUp) scene.together.comeBack(each === 'lose');
          else {
            scene.together.goAway();
            leftAtMs = scene.clock.monotonic();
          }
        } else if (each.kind === 'pass') {
          // No time passes in which nothing is done.
          await new Promise(setImmediate);
          scene.clock.pass(each.ms);
        } else {
          const calls = await scene.passing(each.node, each.calls, LIMIT);
          passed.push({ atMs: scene.clock.monotonic(), calls });
        }
        const nowMs = scene.clock.monotonic();
        const window = passed.filter(({ atMs }) => atMs + WINDOW_MS > nowMs);
        const sum = window.reduce((total, { calls }) => total + calls, 0);
        const hasLeft = leftAtMs + WINDOW_MS > nowMs;
        assert.ok(sum <= (hasLeft ? 2 * LIMIT - LIMIT / NODES : LIMIT), `${sum} in a window`);
      }
    }),
    { numRuns: 1000 },
  );
});
