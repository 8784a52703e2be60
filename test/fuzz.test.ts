/** A short run of the fuzzer: always the same inputs. `npm run test:foreign -- fuzz` runs a million. */
import { test } from 'node:test';
import { assertNothingFound, fuzz } from './fuzz/run.ts';

const SEED = 20_260_724;
const COUNT = 3000;

test(`${COUNT} inputs of seed ${SEED} break nothing`, async (t) => {
  const report = await fuzz({ seed: SEED, indexes: Array(COUNT).keys(), count: COUNT });
  t.diagnostic(`${report.count} inputs in ${report.seconds.toFixed(1)} s`);
  assertNothingFound(report);
});
