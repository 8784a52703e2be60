/** The counters' contract on a real Valkey (or Redis), and what its scripts leave there. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { countersContract, type TestClock } from '../../src/counters/contract-suite.ts';
import { SharedCounters } from '../../src/counters/shared.ts';
import { Valkey } from '../../src/counters/valkey.ts';
import { TIMED_SCRIPTS } from '../../src/counters/valkey-scripts.ts';
import { systemClock, systemRandom } from '../../src/domain/clock.ts';
import { ValkeyServer } from './valkey.ts';

/** Whether it is fast is not what is asked here. */
const answerMsMax = 60_000;
const server = await ValkeyServer.start();
after(() => server.kill());

const common = { url: server.url, answerMsMax, random: systemRandom, onChange: () => {} };
let time: TestClock | undefined;
const timed = await Valkey.open({
  ...common,
  clock: systemClock,
  scripts: TIMED_SCRIPTS,
  scriptArgs: () => [String((time?.monotonic() ?? 0) * 1000)],
});
const real = await Valkey.open({ ...common, clock: systemClock });
after(() => Promise.all([timed.close(), real.close()]));

let opened = 0;
countersContract(
  'Valkey',
  (clock, callersMax) => {
    time = clock;
    opened++;
    return new SharedCounters({ together: timed, prefix: `test ${opened}:`, clock, callersMax });
  },
  { isBounded: false },
);

/** Counters by Valkey's own clock. */
function counters(prefix: string): SharedCounters {
  return new SharedCounters({ together: real, prefix, clock: systemClock, callersMax: 1000 });
}

test("by Valkey's own clock: exactly the limit of many calls at once, and when more will pass", async () => {
  const mine = counters('own clock ');
  const taken = await Promise.all(Array.from({ length: 1000 }, () => mine.take('caller', 200)));
  const allowed = taken.filter((each) => each !== 'full' && each.isAllowed);
  assert.equal(allowed.length, 200);
  const { remaining, resetMs } = await mine.look('caller', 200);
  assert.equal(remaining, 0);
  assert.ok(resetMs > 0 && resetMs <= 60_000, `${resetMs}`);
  assert.equal(mine.decidedAlone, 0);
});

test('a list takes the room of its calls, is gone by itself, and refused calls take none', async () => {
  const mine = counters('room ');
  for (let i = 0; i < 300; i++) await mine.take('caller', 200);
  assert.equal(await server.command('LLEN', 'room caller'), 200);
  const bytes = Number(await server.command('MEMORY', 'USAGE', 'room caller'));
  assert.ok(bytes < 4096, `${bytes} bytes`);
  const ttl = Number(await server.command('PTTL', 'room caller'));
  // Longer than the window, and not for ever.
  assert.ok(ttl > 0 && ttl <= 61_000, `${ttl} ms`);
});

test('a look writes nothing', async () => {
  const before = await server.command('DBSIZE');
  await counters('nothing ').look('caller', 5);
  assert.equal(await server.command('DBSIZE'), before);
});

test('scripts that the server has forgotten are told again', async () => {
  const mine = counters('scripts ');
  await mine.take('caller', 5);
  await server.command('SCRIPT', 'FLUSH');
  const taken = await Promise.all([mine.take('caller', 5), mine.take('caller', 5)]);
  assert.deepEqual(
    taken.map((each) => each !== 'full' && each.remaining),
    [3, 2],
  );
  assert.equal(mine.decidedAlone, 0);
});

test('a clock of the server that is set back keeps nobody out for longer than a window', async () => {
  const key = 'set back caller';
  const future = (Date.now() + 3_600_000) * 1000;
  await server.command('RPUSH', key, ...Array.from({ length: 3 }, (_, i) => String(future + i)));
  const mine = counters('set back ');
  const looked = await mine.look('caller', 3);
  assert.ok(looked.remaining === 0 && looked.resetMs <= 60_000, `${looked.resetMs} ms`);
  const refused = await mine.take('caller', 3);
  assert.ok(refused !== 'full' && !refused.isAllowed && refused.resetMs <= 60_000);
  const kept = (await server.command('LRANGE', key, '0', '-1')) as string[];
  assert.equal(kept.length, 3);
  for (const instant of kept) assert.ok(Number(instant) < future - 3_000_000_000);
  assert.ok(Number(await server.command('PTTL', key)) > 0);
});

test('what is told is put in its place among the others, and counts from when it was', async () => {
  const mine = counters('told ');
  await mine.take('caller', 5000);
  assert.ok(await real.tell('told caller', [50_000, 40_000], () => {}));
  await mine.take('caller', 5000);
  const many = Array.from({ length: 2500 }, (_, i) => 45_000 - i * 10);
  assert.ok(await real.tell('told caller', many, () => {}));
  const list = ((await server.command('LRANGE', 'told caller', '0', '-1')) as string[]).map(Number);
  assert.equal(list.length, 2504);
  assert.deepEqual(
    list,
    list.toSorted((a, b) => a - b),
  );
  const spans = list.map((instant) => Math.round(((list.at(-1) ?? 0) - instant) / 1000));
  // The last call was made a moment after they were told.
  assert.ok(Math.abs((spans[0] ?? 0) - 50_000) < 5000, `${spans[0]}`);
  const { remaining, resetMs } = await mine.look('caller', 5000);
  assert.equal(remaining, 2496);
  assert.ok(resetMs <= 10_000, `${resetMs}`);
  assert.ok(Number(await server.command('PTTL', 'told caller')) > 0);
});
