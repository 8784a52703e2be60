/** The process that makes load: takes orders over IPC, one at a time. */
import { closedLoop } from './closed-loop.ts';
import { openLoop } from './open-loop.ts';
import type { ClosedLoop, OpenLoop, Order, Outcome, Report } from './protocol.ts';
import { Requests } from './requests.ts';

/** What any server here can answer in a second, when nothing is known of it yet. */
const RATE_MAX = 60_000;
/** How much faster than the fastest so far a server may be in the next window. */
const MARGIN = 1.5;

interface Known {
  readonly requests: Requests;
  /** The most that it has answered so far. */
  rate: number;
}

const known = new Map<string, Known>();

/** Has enough requests ready for the load. */
function prepare(load: ClosedLoop | OpenLoop): Known {
  const name = JSON.stringify(load.target);
  const found = known.get(name) ?? { requests: new Requests(load.target), rate: 0 };
  known.set(name, found);
  const rate = load.load === 'open' ? load.rate : found.rate || RATE_MAX;
  found.requests.prepare(Math.ceil(((load.windowMs + load.rampMs) / 1000) * rate * MARGIN));
  return found;
}

async function run(load: ClosedLoop | OpenLoop, found: Known): Promise<Outcome> {
  const outcome = await (load.load === 'open'
    ? openLoop(load, found.requests)
    : closedLoop(load, found.requests));
  found.rate = Math.max(found.rate, outcome.rate);
  return outcome;
}

/** All at the same time; what they need is made, and what that left behind is gone, before the first begins. */
async function runAll(loads: Order['loads']): Promise<readonly Outcome[]> {
  const prepared = loads.map((load) => [load, prepare(load)] as const);
  gc?.();
  return Promise.all(prepared.map(([load, found]) => run(load, found)));
}

process.on('message', async ({ id, loads }: Order) => {
  let report: Report;
  try {
    report = { id, outcomes: await runAll(loads) };
  } catch (error) {
    report = { id, failure: error instanceof Error ? error.message : String(error) };
  }
  process.send?.(report);
});
process.on('disconnect', () => process.exit());
