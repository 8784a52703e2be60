/** Whether it matters how many keys and past sessions there are. */
import { setTimeout as sleep } from 'node:timers/promises';
import { REST, restAuth, restDetails, tokensOf } from '../calls.ts';
import { type Contestant, isUndisturbed, type Round, takeRounds, warmUp } from '../rounds.ts';
import { rowsOf, type Section } from '../section.ts';
import type { Stage } from '../stage.ts';
import { contestant } from './contestants.ts';

const ROUNDS = 17;
const WINDOW_MS = 400;
const WARM_MS = 700;
const FEW_KEYS = 1000;
const MINUTE_MS = 60_000;
/** Calls of all the keys in turn in a minute, with some room to their limit. */
const CALLS_A_MINUTE = FEW_KEYS * 200 * 0.9;
const PATIENCE = 4;

/** Waits between windows, so that a thousand keys do not meet their limits. */
class Pace {
  readonly #calls: { readonly atMs: number; readonly count: number }[] = [];

  note(count: number): void {
    this.#calls.push({ atMs: performance.now(), count });
  }

  /** Until so many more calls are allowed. */
  async wait(count: number): Promise<void> {
    for (;;) {
      const fromMs = performance.now() - MINUTE_MS;
      const recent = this.#calls.filter(({ atMs }) => atMs > fromMs);
      if (recent.reduce((sum, calls) => sum + calls.count, count) <= CALLS_A_MINUTE) return;
      await sleep(500);
    }
  }
}

/** The same keys are asked about on both databases: only what lies beside them differs. */
async function compare(
  stage: Stage,
  [few, many]: readonly [Contestant, Contestant],
): Promise<Round[]> {
  const pace = new Pace();
  let most = 0;
  for (const one of [few, many]) {
    const { rate, answers } = await warmUp(stage.load, one, WARM_MS);
    pace.note(answers * 1.5);
    most = Math.max(most, rate);
  }
  const rounds = stage.rounds(ROUNDS);
  const taken: Round[] = [];
  const { load, isNoisy } = stage;
  const options = { load, rounds: 1, windowMs: WINDOW_MS, budgetMs: 0, isNoisy };
  for (let i = 0; i < rounds * PATIENCE; i++) {
    const calls = most * 1.5 * (WINDOW_MS / 1000 + 0.2);
    await pace.wait(calls);
    pace.note(calls);
    const pair = taken.length % 2 === 0 ? [few, many] : [many, few];
    const [round] = await takeRounds(pair, options);
    if (round !== undefined) taken.push(round);
    if (taken.filter((one) => isNoisy || isUndisturbed(one)).length >= rounds) break;
  }
  return taken;
}

/** TokenDetails and Auth with a thousand keys, and with all that the run's database has. */
export async function flat(stage: Stage): Promise<Section[]> {
  const [small, large] = [await stage.fixture(FEW_KEYS, 0), await stage.fixture()];
  const servers = [await stage.propusk(small), await stage.propusk(large)] as const;
  const { keys, pastSessions } = stage.options;
  const names = [`${FEW_KEYS} keys`, `${keys} keys, ${pastSessions} past sessions`] as const;
  const sections: Section[] = [];
  for (const method of ['TokenDetails', 'Auth'] as const) {
    const [few, many] = ([small, large] as const).map((fixture, i) => {
      const { port } = servers[i] ?? servers[0];
      const target =
        method === 'Auth'
          ? restAuth(port, FEW_KEYS)
          : restDetails(port, tokensOf(fixture, FEW_KEYS));
      return contestant(names[i] ?? '', servers[i] ?? servers[0], target, REST);
    });
    if (few === undefined || many === undefined) continue;
    const rounds = await compare(stage, [few, many]);
    const rows = rowsOf([few, many], rounds, few.name, stage.isNoisy);
    const title = `Flat: ${method} over REST, by what the database holds`;
    const part = `flat-${method.toLowerCase()}`;
    sections.push({ part, title, base: few.name, rows, figures: {} });
  }
  return sections;
}
