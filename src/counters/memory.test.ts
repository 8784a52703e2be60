import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countersContract, TestClock } from './contract-suite.ts';
import { MemoryCounters } from './memory.ts';

countersContract('memory', (clock, callersMax) => new MemoryCounters({ clock, callersMax }));

test('callers who are idle are forgotten as others call', () => {
  const clock = new TestClock();
  const counters = new MemoryCounters({ clock, callersMax: 1000 });
  for (let i = 0; i < 1000; i++) counters.take(`caller ${i}`, 5);
  assert.equal(counters.size, 1000);
  clock.pass(60_000);
  for (let i = 0; i < 600; i++) counters.take('one', 1_000);
  assert.equal(counters.size, 1);
});
