import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DescMethod } from '@bufbuild/protobuf';
import { AppError } from '../domain/errors.ts';
import { AuthService } from '../gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { UsageMetricsService } from '../gen/grpc/tradeapi/v1/metrics/usage_metrics_service_pb.js';
import { Health } from '../gen/health/v1/health_pb.js';
import { RequestMemory } from './request-memory.ts';
import { isOverload, Shed, type ShedOptions } from './shed.ts';

const { auth, tokenDetails, subscribeJwtRenewal } = AuthService.method;
const { getUsageMetrics } = UsageMetricsService.method;
const KIB = 1024;

function make(change: Partial<ShedOptions> = {}) {
  const time = { ms: 1000 };
  const lines: { refused: number }[] = [];
  const log = { warn: (line: { refused: number }) => lines.push(line) };
  const memory = new RequestMemory(100 * KIB);
  const shed = new Shed({
    clock: { monotonic: () => time.ms },
    log: log as unknown as ShedOptions['log'],
    memory,
    callsMax: 12,
    streamsMax: 3,
    lagMsMax: 20,
    first: [getUsageMetrics, auth],
    never: [Health],
    ...change,
  });
  return { shed, time, lines, memory };
}

function isShed(shed: Shed, method: DescMethod): boolean {
  try {
    shed.enter(method)();
    return false;
  } catch (error) {
    assert.ok(error instanceof AppError && isOverload(error), String(error));
    assert.deepEqual([error.reason, error.retryAfterMs], ['UNAVAILABLE', 1000]);
    return true;
  }
}

/** Which of the four unary methods are shed now. */
function shedNow(shed: Shed): string[] {
  const methods: DescMethod[] = [getUsageMetrics, auth, tokenDetails, Health.method.check];
  return methods.filter((method) => isShed(shed, method)).map((method) => method.name);
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test('calls in hand: at half of the limit, at three quarters, at all of it, and back', () => {
  const { shed } = make();
  const leaves: (() => void)[] = [];
  const inHand = (calls: number) => {
    while (leaves.length < calls) leaves.push(shed.enter(tokenDetails));
    while (leaves.length > calls) leaves.pop()?.();
    return shedNow(shed);
  };
  assert.deepEqual(inHand(5), []);
  assert.deepEqual(inHand(6), ['GetUsageMetrics']);
  assert.deepEqual(inHand(9), ['GetUsageMetrics', 'Auth']);
  assert.deepEqual(inHand(11), ['GetUsageMetrics', 'Auth']);
  assert.deepEqual(inHand(12), ['GetUsageMetrics', 'Auth', 'TokenDetails']);
  assert.equal(isShed(shed, subscribeJwtRenewal), false);
  assert.deepEqual(inHand(5), []);
});

test('streams have a limit of their own, whatever their place in the order', () => {
  const { shed } = make({ first: [subscribeJwtRenewal] });
  const leaves = [1, 2, 3].map(() => shed.enter(subscribeJwtRenewal));
  assert.equal(isShed(shed, subscribeJwtRenewal), true);
  assert.equal(isShed(shed, Health.method.watch), false);
  assert.equal(isShed(shed, tokenDetails), false);
  leaves[0]?.();
  assert.equal(isShed(shed, subscribeJwtRenewal), false);
});

/** A turn of the event loop in which calls come; the last of them after `ms`. */
async function turn(
  { shed, time }: ReturnType<typeof make>,
  steps: readonly (readonly [ms: number, shedThen: readonly string[]])[],
): Promise<void> {
  assert.deepEqual(shedNow(shed), []);
  for (const [ms, names] of steps) {
    time.ms += ms;
    assert.deepEqual(shedNow(shed), names);
  }
  await nextTurn();
}

const ALL = ['GetUsageMetrics', 'Auth', 'TokenDetails'];
/** A call has waited since the first one of its turn. */
const LATE_TURN = [
  [10, []],
  [1, ['GetUsageMetrics']],
  [4.5, ['GetUsageMetrics', 'Auth']],
  [5, ALL],
] as const;

test('lag: turns that are too long for 100 ms on end', async () => {
  const made = make();
  for (let i = 0; i < 4; i++) await turn(made, [[25, []]]);
  await turn(made, LATE_TURN);
  await turn(made, LATE_TURN);
  // One that is not is enough to begin anew.
  await turn(made, [[10, []]]);
  await turn(made, [[21, []]]);
});

test('lag: one turn that is very long', async () => {
  const made = make();
  await turn(made, [
    [50, []],
    [1, ['GetUsageMetrics']],
    [25, ['GetUsageMetrics', 'Auth']],
    [25, ALL],
  ]);
  await turn(made, LATE_TURN);
});

test('lag: a loop that had nothing to do in between keeps up', async () => {
  const made = make();
  for (let i = 0; i < 20; i++) {
    await turn(made, [[30, []]]);
    made.time.ms += 2;
  }
});

test('request bytes in memory count too', () => {
  const { shed, memory } = make();
  const held = memory.open();
  held.set(51 * KIB);
  assert.deepEqual(shedNow(shed), ['GetUsageMetrics']);
  held.set(76 * KIB);
  assert.deepEqual(shedNow(shed), ['GetUsageMetrics', 'Auth']);
  held.release();
  assert.deepEqual(shedNow(shed), []);
});

test('the log tells of what was shed at once, then once a second with the count', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { shed, lines } = make();
  const counts = () => lines.map(({ refused }) => refused);
  for (let i = 0; i < 5; i++) shed.note();
  assert.deepEqual(counts(), [1]);
  t.mock.timers.tick(999);
  assert.deepEqual(counts(), [1]);
  t.mock.timers.tick(1);
  assert.deepEqual(counts(), [1, 4]);
  t.mock.timers.tick(5000);
  assert.deepEqual(counts(), [1, 4]);
  shed.note();
  assert.deepEqual(counts(), [1, 4, 1]);
});

test('memory: a call that would pass the limit is refused, a small one never', () => {
  const memory = new RequestMemory(100 * KIB);
  const [large, other, small] = [memory.open(), memory.open(), memory.open()];
  assert.equal(large.set(60 * KIB), undefined);
  assert.equal(isOverload(other.set(41 * KIB)), true);
  assert.equal(memory.bytes, 60 * KIB);
  assert.equal(other.set(40 * KIB), undefined);
  assert.equal(small.set(4 * KIB), undefined);
  assert.equal(isOverload(small.set(4 * KIB + 1)), true);
  assert.equal(large.set(10 * KIB), undefined);
  assert.equal(memory.bytes, 54 * KIB);
  for (const held of [large, other, small]) held.release();
  assert.equal(memory.bytes, 0);
});

test('memory: what is released is given back once, tells its reader, and takes no more', () => {
  const memory = new RequestMemory(100 * KIB);
  const held = memory.open();
  const reasons: string[] = [];
  held.onRelease(({ reason }) => reasons.push(reason));
  held.set(10 * KIB);
  held.release();
  held.release();
  assert.equal(isOverload(held.set(1)), true);
  assert.equal(memory.bytes, 0);
  held.onRelease(({ reason }) => reasons.push(reason));
  assert.deepEqual(reasons, ['CANCELLED', 'CANCELLED']);
});
