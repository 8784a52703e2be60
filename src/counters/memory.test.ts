import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countersContract, TestClock } from './contract-suite.ts';
import { MemoryCounters } from './memory.ts';

countersContract('memory', (clock, callersMax) => new MemoryCounters({ clock, callersMax }), {
  isBounded: true,
});

test('callers who are idle are forgotten as others call', () => {
  const clock = new TestClock();
  const counters = new MemoryCounters({ clock, callersMax: 1000 });
  for (let i = 0; i < 1000; i++) counters.take(`caller ${i}`, 5);
  assert.equal(counters.size, 1000);
  clock.pass(60_000);
  for (let i = 0; i < 600; i++) counters.take('one', 1_000);
  assert.equal(counters.size, 1);
});

test('a log takes the room of the calls that were made, not of those that may be', () => {
  const clock = new TestClock();
  const counters = new MemoryCounters({ clock, callersMax: 1000 });
  for (let i = 0; i < 1000; i++) counters.take(`caller ${i}`, 200);
  assert.equal(counters.room, 1000);
  for (let calls = 2; calls <= 200; calls++) {
    counters.take('caller 7', 200);
    const room: number = counters.room - 999;
    assert.ok(room >= calls && room < 2 * calls, `${room} for ${calls} calls`);
  }
  // Refused calls take none, nor do looks at callers that nobody knows.
  const full = counters.room;
  for (let i = 0; i < 1000; i++) counters.take('caller 7', 200);
  counters.look('nobody', 200);
  assert.equal(counters.room, full);
});

test('a log is kept as long as one of its calls is in the window, and dropped then', () => {
  const clock = new TestClock();
  const counters = new MemoryCounters({ clock, callersMax: 1 });
  for (let i = 0; i < 150; i++) counters.take('busy', 200);
  clock.pass(30_000);
  counters.take('busy', 200);
  const { room } = counters;
  // The burst has left the window, the last call has not.
  clock.pass(59_999.75);
  assert.equal(counters.take('other', 200), 'full');
  assert.deepEqual([counters.size, counters.room], [1, room]);
  assert.equal(counters.look('busy', 200).remaining, 199);
  clock.pass(0.25);
  assert.notEqual(counters.take('other', 200), 'full');
  assert.deepEqual([counters.size, counters.room], [1, 1]);
});

test('what is given back, or forgotten, makes room again; others hold the same as before', () => {
  const clock = new TestClock();
  const counters = new MemoryCounters({ clock, callersMax: 10 });
  const remaining = (of: MemoryCounters, caller: string) => of.look(caller, 5).remaining;
  for (const caller of ['a', 'b', 'a', 'a']) {
    counters.take(caller, 5);
    clock.pass(1);
  }
  const copy = counters.copy();
  assert.deepEqual(counters.idlest(9, 2), [
    { caller: 'b', atMs: [5001] },
    { caller: 'a', atMs: [5000, 5002] },
  ]);
  assert.equal(counters.idlest(1, 2).length, 1);
  counters.giveBack('a');
  assert.equal(remaining(counters, 'a'), 3);
  counters.forget('a', 5000);
  assert.equal(remaining(counters, 'a'), 4);
  counters.forget('a', 5003);
  counters.forget('nobody', 5003);
  assert.deepEqual([counters.size, remaining(counters, 'a')], [1, 5]);
  assert.deepEqual([copy.size, remaining(copy, 'a'), remaining(copy, 'b')], [2, 2, 4]);
  copy.take('b', 5);
  assert.equal(remaining(counters, 'b'), 4);
});
