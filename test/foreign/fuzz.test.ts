/**
 * A million inputs against one server. FUZZ_SEED chooses others than those of every day, FUZZ_COUNT
 * how many they are.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertNothingFound, fuzz } from '../fuzz/run.ts';

const SEED = Number(process.env.FUZZ_SEED ?? 1);
const COUNT = Number(process.env.FUZZ_COUNT ?? 1_000_000);
/** What the second half may add to the first, where the first has filled every cache. */
const GROWTH_BYTES_MAX = 64 << 20;

test(`${COUNT} inputs of seed ${SEED} break nothing`, async (t) => {
  const report = await fuzz({
    seed: SEED,
    indexes: Array(COUNT).keys(),
    count: COUNT,
    onProgress: (sent) => t.diagnostic(`${sent} sent`),
  });
  const { count, seconds, ledger, halves } = report;
  t.diagnostic(
    `seed ${SEED}: ${count} inputs in ${seconds.toFixed(0)} s, ${Math.round(count / seconds)}/s`,
  );
  for (const [kind, { answered, cut, left }] of [...ledger.kinds].toSorted()) {
    t.diagnostic(`${kind}: ${answered} answered, ${cut} cut, ${left} left`);
  }
  for (const { heapBytes, residentBytes, stallMs } of halves) {
    const [heap, resident] = [heapBytes, residentBytes].map((bytes) => Math.round(bytes / 2 ** 20));
    t.diagnostic(
      `heap ${heap} MiB, resident ${resident} MiB, longest stall ${stallMs.toFixed(0)} ms`,
    );
  }
  assertNothingFound(report);
  const [first, second] = halves;
  assert.ok(first && second);
  assert.ok(second.heapBytes - first.heapBytes < GROWTH_BYTES_MAX, 'the heap grows');
});
