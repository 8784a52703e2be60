/**
 * What overload does to the calls that are let in, with shedding and without: a method that takes 5 ms
 * of CPU at four times what one core carries, and TokenDetails about where a core ends.
 * Usage: node bench/overload.ts [rounds] [seconds]
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { type Load, measure, type Outcome, type Request } from './open-loop.ts';

const ROUNDS = Number(process.argv[2] ?? 5);
const SECONDS = Number(process.argv[3] ?? 4);
const OUT_OF_REACH = ['lag-ms', 'calls', 'arriving-calls', 'arriving-calls-per-address'].flatMap(
  (name) => [`--${name}-max`, '1000000'],
);
const SERVER = new URL('overload-server.ts', import.meta.url);

/** What each measurement asks of a server of its own. */
interface Part {
  readonly name: string;
  readonly method: 'slow' | 'details';
  /** In terms of what one core carries. */
  readonly times: number;
  readonly isShedding: boolean;
}

const PARTS: readonly Part[] = [
  { name: '5 ms of CPU, half', method: 'slow', times: 0.5, isShedding: true },
  { name: '5 ms of CPU, 4 times', method: 'slow', times: 4, isShedding: true },
  { name: '5 ms of CPU, 4 times, no shedding', method: 'slow', times: 4, isShedding: false },
  { name: 'TokenDetails, half', method: 'details', times: 0.5, isShedding: true },
  { name: 'TokenDetails, once', method: 'details', times: 1, isShedding: true },
  { name: 'TokenDetails, 1.2 times', method: 'details', times: 1.2, isShedding: true },
  { name: 'TokenDetails, 1.2, no shedding', method: 'details', times: 1.2, isShedding: false },
];

interface Ready {
  readonly port: number;
  readonly secret: string;
}

async function startServer(args: readonly string[]): Promise<[ChildProcess, Ready]> {
  const child = fork(SERVER, [...args], { stdio: 'inherit' });
  process.once('exit', () => child.kill('SIGKILL'));
  const [ready] = (await once(child, 'message')) as [Ready];
  return [child, ready];
}

async function requestOf(method: Part['method'], { port, secret }: Ready): Promise<Request> {
  if (method === 'slow') return { port, path: '/v1/echo', body: '{"text":"a"}' };
  const body = JSON.stringify({ secret });
  const answer = await fetch(`http://127.0.0.1:${port}/v1/sessions`, { method: 'POST', body });
  const { token } = (await answer.json()) as { token: string };
  return { port, path: '/v1/sessions/details', body: JSON.stringify({ token }) };
}

/** One load on a fresh server that has run warm. */
async function run(part: Pick<Part, 'method' | 'isShedding'>, load: Load): Promise<Outcome> {
  const [child, ready] = await startServer(part.isShedding ? [] : OUT_OF_REACH);
  try {
    const request = await requestOf(part.method, ready);
    await measure(request, { atATime: part.method === 'slow' ? 2 : 16, seconds: 1.5 });
    return await measure(request, load);
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

/** Calls a second of a core that always has one to do. */
async function capacityOf(method: Part['method']): Promise<number> {
  const atATime = method === 'slow' ? 2 : 256;
  const { goodput } = await run({ method, isShedding: false }, { atATime, seconds: SECONDS });
  return goodput;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function show(name: string, outcomes: readonly Outcome[]): void {
  const of = (pick: (outcome: Outcome) => number, digits = 1) =>
    median(outcomes.map(pick)).toFixed(digits);
  const share = (pick: (outcome: Outcome) => number) => of((o) => pick(o) * 100, 0);
  console.log(
    `${name.padEnd(34)} goodput ${of((o) => o.goodput, 0).padStart(6)}/s, ` +
      `p50 ${of((o) => o.p50)} ms, p99 ${of((o) => o.p99)} ms, ` +
      `refused ${share((o) => o.refused)} %, no answer ${share((o) => o.unanswered)} %, ` +
      `sender late by ${of((o) => o.senderLag)} ms`,
  );
}

const capacities = { slow: [] as number[], details: [] as number[] };
const outcomes = new Map<Part, Outcome[]>(PARTS.map((part) => [part, []]));
/** Of each round, in terms of the same round's half load: machines change their pace. */
const ratios = new Map<Part, number[]>(PARTS.map((part) => [part, []]));
for (let round = 0; round < ROUNDS; round++) {
  const capacity = { slow: await capacityOf('slow'), details: await capacityOf('details') };
  for (const method of ['slow', 'details'] as const) capacities[method].push(capacity[method]);
  const p99 = new Map<Part, number>();
  for (const part of round % 2 === 0 ? PARTS : PARTS.toReversed()) {
    const rate = capacity[part.method] * part.times;
    const outcome = await run(part, { rate, seconds: SECONDS });
    outcomes.get(part)?.push(outcome);
    p99.set(part, outcome.p99);
  }
  for (const part of PARTS) {
    const half = PARTS.find((each) => each.method === part.method) as Part;
    ratios.get(part)?.push((p99.get(part) ?? 0) / (p99.get(half) ?? 0));
  }
}
console.log(`a core carries ${median(capacities.slow).toFixed(0)} calls of 5 ms a second`);
console.log(`a core carries ${median(capacities.details).toFixed(0)} TokenDetails a second`);
for (const [part, all] of outcomes) {
  show(part.name, all);
  console.log(`  p99 in terms of that at half load: ${median(ratios.get(part) ?? []).toFixed(1)}`);
}
