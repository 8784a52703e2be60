/**
 * What counting costs: a million callers with one call each, whether they are all still known when as
 * many more have come, and the time of one call.
 */
import { MemoryCounters } from '../src/counters/memory.ts';
import { systemClock } from '../src/domain/clock.ts';

const CALLERS = 1_000_000;
const LIMIT = 200;
const ROUNDS = 5;

function mebibytes(): { heap: number; resident: number } {
  globalThis.gc?.();
  const { heapUsed, rss } = process.memoryUsage();
  return { heap: heapUsed / 2 ** 20, resident: rss / 2 ** 20 };
}

function nanosecondsPer(calls: number, work: () => void): number {
  const before = performance.now();
  work();
  return ((performance.now() - before) * 1e6) / calls;
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

const before = mebibytes();
const crowd = new MemoryCounters({ clock: systemClock, callersMax: CALLERS });
const first = nanosecondsPer(CALLERS, () => {
  for (let i = 0; i < CALLERS; i++) crowd.take(`TokenDetails key-${i}-of-22-characters`, LIMIT);
});
const peak = process.resourceUsage().maxRSS / 1024;
const after = mebibytes();
console.log(`${CALLERS} callers, one call each: ${first.toFixed(0)} ns a call`);
console.log(
  `heap +${(after.heap - before.heap).toFixed(0)} MiB, resident +${(after.resident - before.resident).toFixed(0)} MiB, ` +
    `peak resident ${peak.toFixed(0)} MiB (at the start ${before.resident.toFixed(0)} MiB)`,
);

let refused = 0;
const others = nanosecondsPer(CALLERS, () => {
  for (let i = 0; i < CALLERS; i++) if (crowd.take(`other ${i}`, LIMIT) === 'full') refused++;
});
let known = 0;
for (let i = 0; i < CALLERS; i++) {
  if (crowd.look(`TokenDetails key-${i}-of-22-characters`, LIMIT).remaining === LIMIT - 1) known++;
}
console.log(
  `${CALLERS} others: ${refused} refused, ${others.toFixed(0)} ns each; ${known} of the first still known`,
);

for (const callers of [1, 1000, CALLERS]) {
  const names = Array.from({ length: callers }, (_, i) => `TokenDetails key-${i}-of-22-characters`);
  const counters = new MemoryCounters({ clock: systemClock, callersMax: CALLERS });
  for (const name of names) counters.take(name, LIMIT);
  const rounds = Array.from({ length: ROUNDS }, () =>
    nanosecondsPer(CALLERS, () => {
      for (let i = 0; i < CALLERS; i++) counters.take(names[i % callers] as string, 1e9);
    }),
  );
  console.log(`${callers} callers known: median ${median(rounds).toFixed(0)} ns a call`);
}
