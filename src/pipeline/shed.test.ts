import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DescMethod, Message } from '@bufbuild/protobuf';
import { AppError } from '../domain/errors.ts';
import { AuthService } from '../gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { UsageMetricsService } from '../gen/grpc/tradeapi/v1/metrics/usage_metrics_service_pb.js';
import { Health } from '../gen/health/v1/health_pb.js';
import { AccessService } from '../gen/propusk/access/v1/access_service_pb.js';
import type { Place } from './place.ts';
import { RequestMemory } from './request-memory.ts';
import { isOverload, Shed, type ShedOptions } from './shed.ts';

const { auth, tokenDetails, subscribeJwtRenewal } = AuthService.method;
const { getUsageMetrics } = UsageMetricsService.method;
const KIB = 1024;
const ADDRESS = '192.0.2.1';

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
    arrivingCallsMax: 4,
    arrivingCallsPerAddressMax: 2,
    streamsMax: 3,
    streamsPerKeyMax: 2,
    anonymousStreamsMax: 4,
    anonymousStreamsPerAddressMax: 2,
    lagMsMax: 20,
    first: [getUsageMetrics, auth],
    never: [Health],
    ...change,
  });
  return { shed, time, lines, memory };
}

function isShed(shed: Shed, method: DescMethod): boolean {
  try {
    shed.enter(method, ADDRESS).leave();
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
  const places: Place[] = [];
  const inHand = (calls: number) => {
    while (places.length < calls) places.push(shed.enter(tokenDetails, ADDRESS));
    while (places.length > calls) places.pop()?.leave();
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
  const places = [1, 2, 3].map(() => shed.enter(subscribeJwtRenewal, ADDRESS));
  assert.equal(isShed(shed, subscribeJwtRenewal), true);
  assert.equal(isShed(shed, Health.method.watch), false);
  assert.equal(isShed(shed, tokenDetails), false);
  places[0]?.leave();
  assert.equal(isShed(shed, subscribeJwtRenewal), false);
});

test('streams of operators take no place of the callers of the contract', () => {
  const { shed } = make();
  const { checkStream } = AccessService.method;
  const checks = [1, 2, 3].map(() => shed.enter(checkStream, ADDRESS));
  assert.equal(isShed(shed, checkStream), true);
  const streams = [1, 2, 3].map(() => shed.enter(subscribeJwtRenewal, ADDRESS));
  assert.equal(isShed(shed, subscribeJwtRenewal), true);
  for (const place of [...checks, ...streams]) place.leave();
  assert.equal(isShed(shed, checkStream) || isShed(shed, subscribeJwtRenewal), false);
});

/** Whether this is refused, and as the log would tell it. */
async function refusalOf(work: () => unknown): Promise<string | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    assert.ok(error instanceof AppError && error.reason === 'UNAVAILABLE', String(error));
    return error.options.logReason;
  }
}

test('streams of anyone take no place of others, and have some in all and for each network', () => {
  const { shed } = make();
  const { watch, check } = Health.method;
  const from = (address: string) => shed.enter(watch, address);
  const isFull = (address: string) => {
    try {
      from(address).leave();
      return false;
    } catch {
      return true;
    }
  };
  const places = [from('2001:db8::1'), from('2001:db8::2')];
  // Another address of the same network.
  assert.equal(isFull('2001:db8::3'), true);
  assert.equal(isFull('2001:db8:0:1::1'), false);
  places.push(from('192.0.2.1'), from('192.0.2.2'));
  assert.equal(isFull('192.0.2.3'), true);
  assert.equal(isShed(shed, check), false);
  const streams = [1, 2, 3].map(() => shed.enter(subscribeJwtRenewal, ADDRESS));
  assert.equal(isShed(shed, subscribeJwtRenewal), true);
  for (const place of [...places, ...streams]) place.leave();
  assert.equal(isFull('192.0.2.3'), false);
});

test('requests that are awaited are no calls in hand, and are limited in all and by network', async () => {
  const { shed } = make({ callsMax: 2 });
  const awaited: { place: Place; arrive: () => void; read: Promise<unknown> }[] = [];
  const begin = (address: string, method: DescMethod = tokenDetails) => {
    const place = shed.enter(method, address);
    const { promise, resolve } = Promise.withResolvers<Message>();
    const read = Promise.try(() => shed.read(place, { readOne: () => promise }));
    awaited.push({ place, arrive: () => resolve({} as Message), read });
    return read.catch((error) => {
      awaited.pop();
      place.leave();
      throw error;
    });
  };
  begin('192.0.2.1');
  begin('192.0.2.1', subscribeJwtRenewal);
  assert.equal(await refusalOf(() => begin('192.0.2.1')), 'OVERLOADED');
  begin('192.0.2.2');
  begin('192.0.2.2');
  assert.equal(await refusalOf(() => begin('192.0.2.3')), 'OVERLOADED');
  // Nothing of theirs counts among the calls, until it is there.
  assert.equal(isShed(shed, tokenDetails), false);
  const [first, second, third] = awaited;
  for (const call of [first, third]) {
    call?.arrive();
    await call?.read;
  }
  assert.equal(isShed(shed, tokenDetails), true);
  begin('192.0.2.9', subscribeJwtRenewal);
  for (const { place } of awaited) place.leave();
  // What comes when the call is over takes no place.
  second?.arrive();
  await second?.read;
  assert.deepEqual(shedNow(shed), []);
  for (const address of ['192.0.2.1', '192.0.2.1', '192.0.2.2', '192.0.2.2']) begin(address);
});

test('places are kept by name, however many names come and go', () => {
  const { shed } = make({ anonymousStreamsMax: 10_000 });
  const { watch } = Health.method;
  const [stays] = [shed.enter(watch, ADDRESS), shed.enter(watch, ADDRESS)];
  for (let i = 0; i < 5000; i++) shed.enter(watch, `198.51.${i >> 8}.${i & 255}`).leave();
  assert.throws(() => shed.enter(watch, ADDRESS), { reason: 'UNAVAILABLE' });
  stays?.leave();
  shed.enter(watch, ADDRESS);
});

test('a key has so many streams, and its place back when one ends', async () => {
  const { shed } = make();
  const open = (keyId: string) => {
    const place = shed.enter(subscribeJwtRenewal, ADDRESS);
    try {
      shed.own(place, keyId);
      return place;
    } catch (error) {
      place.leave();
      throw error;
    }
  };
  const [first] = [open('a'), open('a')];
  assert.equal(await refusalOf(() => open('a')), 'KEY_STREAMS_FULL');
  open('b').leave();
  first?.leave();
  open('a');
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

test('lag: turns that are too long for 250 ms on end', async () => {
  const made = make();
  for (let i = 0; i < 10; i++) await turn(made, [[25, []]]);
  await turn(made, LATE_TURN);
  await turn(made, LATE_TURN);
  // One that is not is enough to begin anew.
  await turn(made, [[10, []]]);
  await turn(made, [[21, []]]);
});

test('lag: one turn that is very long', async () => {
  const made = make();
  await turn(made, [
    [250, []],
    [1, ALL],
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
  const held = memory.open('127.0.0.1');
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
  const [large, other, small] = [
    memory.open('127.0.0.1'),
    memory.open('127.0.0.1'),
    memory.open('127.0.0.1'),
  ];
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

test('memory: one address takes only so much of it, and others have room', () => {
  const memory = new RequestMemory(100 * KIB, 40 * KIB);
  const [one, two] = [memory.open('2001:db8::1'), memory.open('2001:db8::2')];
  assert.equal(one.set(30 * KIB), undefined);
  // The network of one user.
  assert.equal(isOverload(two.set(11 * KIB)), true);
  assert.equal(two.set(4 * KIB), undefined);
  assert.equal(memory.open('192.0.2.1').set(40 * KIB), undefined);
  assert.equal(isOverload(memory.open('192.0.2.2').set(40 * KIB)), true);
  one.release();
  assert.equal(two.set(40 * KIB), undefined);
});

test('memory: what is released is given back once, tells its reader, and takes no more', () => {
  const memory = new RequestMemory(100 * KIB);
  const held = memory.open('127.0.0.1');
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
