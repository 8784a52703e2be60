/** Whether it matters how many keys and past sessions there are. */
import { REST, restAuth, restDetails, tokensOf } from '../calls.ts';
import type { Fixture } from '../fixture.ts';
import { takeRounds, warmUp } from '../rounds.ts';
import { rowsOf, type Section } from '../section.ts';
import type { Running } from '../servers.ts';
import type { Stage } from '../stage.ts';
import { contestant } from './contestants.ts';

/** Many short ones: the nearer two windows are, the less the machine has changed between them. */
const ROUNDS = 151;
const WINDOW_MS = 250;
const BUDGET_MS = 240_000;
const WARM_MS = 2000;
const FEW_KEYS = 1000;
/** The server that has no others. */
const FEW = `${FEW_KEYS} keys`;
/** So few keys would meet the limit that there is by default. */
const HIGH_LIMIT = '--limit=1000000';

/**
 * TokenDetails and Auth with a thousand keys, and with all that the run's database has. The same keys are
 * asked about on both: only what lies beside them differs.
 */
export async function flat(stage: Stage): Promise<Section[]> {
  const { keys, pastSessions } = stage.options;
  const few = { name: FEW, fixture: await stage.fixture(FEW_KEYS, 0) };
  const many = {
    name: `${keys} keys, ${pastSessions} past sessions`,
    fixture: await stage.fixture(),
  };
  const servers: Server[] = [];
  try {
    for (const one of [few, many]) {
      servers.push({ ...one, running: await stage.freshPropusk(one.fixture, [HIGH_LIMIT]) });
    }
    const sections: Section[] = [];
    for (const method of ['TokenDetails', 'Auth'] as const) {
      sections.push(await compare(stage, method, servers));
    }
    return sections;
  } finally {
    for (const { running } of servers) await running.stop();
  }
}

interface Server {
  readonly name: string;
  readonly fixture: Fixture;
  readonly running: Running;
}

async function compare(
  stage: Stage,
  method: 'TokenDetails' | 'Auth',
  servers: readonly Server[],
): Promise<Section> {
  const contestants = servers.map(({ name, fixture, running }) => {
    const { port } = running;
    const target =
      method === 'Auth' ? restAuth(port, FEW_KEYS) : restDetails(port, tokensOf(fixture, FEW_KEYS));
    return contestant(name, running, target, REST);
  });
  const { load, isNoisy, options } = stage;
  for (const one of contestants) await warmUp(load, one, WARM_MS);
  const rounds = await takeRounds(contestants, {
    ...{ load, isNoisy, windowMs: WINDOW_MS },
    ...{ rounds: stage.rounds(ROUNDS), budgetMs: BUDGET_MS * options.share },
  });
  const rows = rowsOf(contestants, rounds, FEW, isNoisy);
  const title = `Flat: ${method} over REST, by what the database holds`;
  return { part: `flat-${method.toLowerCase()}`, title, base: FEW, rows, figures: {} };
}
