/** Whether it matters how many keys and past sessions there are. */
import { REST, restAuth, restDetails, tokensOf } from '../calls.ts';
import { takeRounds, warmUp } from '../rounds.ts';
import { rowsOf, type Section } from '../section.ts';
import type { Stage } from '../stage.ts';
import { contestant } from './contestants.ts';

/** Many short ones: the nearer two windows are, the less the machine has changed between them. */
const ROUNDS = 151;
const WINDOW_MS = 250;
const BUDGET_MS = 240_000;
const WARM_MS = 2000;
const FEW_KEYS = 1000;
/** So few keys would meet the limit that there is by default. */
const HIGH_LIMIT = '--limit=1000000';

/**
 * TokenDetails and Auth with a thousand keys, and with all that the run's database has. The same keys are
 * asked about on both: only what lies beside them differs.
 */
export async function flat(stage: Stage): Promise<Section[]> {
  const [small, large] = [await stage.fixture(FEW_KEYS, 0), await stage.fixture()];
  const { keys, pastSessions } = stage.options;
  const few = { name: `${FEW_KEYS} keys`, fixture: small };
  const many = { name: `${keys} keys, ${pastSessions} past sessions`, fixture: large };
  const servers = [
    { ...few, server: await stage.freshPropusk(small, [HIGH_LIMIT]) },
    { ...many, server: await stage.freshPropusk(large, [HIGH_LIMIT]) },
  ];
  const sections: Section[] = [];
  for (const method of ['TokenDetails', 'Auth'] as const) {
    const contestants = servers.map(({ name, fixture, server }) => {
      const { port } = server;
      const target =
        method === 'Auth'
          ? restAuth(port, FEW_KEYS)
          : restDetails(port, tokensOf(fixture, FEW_KEYS));
      return contestant(name, server, target, REST);
    });
    const { load, isNoisy } = stage;
    for (const one of contestants) await warmUp(load, one, WARM_MS);
    const budgetMs = BUDGET_MS * stage.options.share;
    const options = { load, rounds: stage.rounds(ROUNDS), windowMs: WINDOW_MS, budgetMs, isNoisy };
    const rounds = await takeRounds(contestants, options);
    const rows = rowsOf(contestants, rounds, few.name, isNoisy);
    const title = `Flat: ${method} over REST, by what the database holds`;
    const part = `flat-${method.toLowerCase()}`;
    sections.push({ part, title, base: few.name, rows, figures: {} });
  }
  for (const { server } of servers) await server.stop();
  return sections;
}
