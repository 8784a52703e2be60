/** The quick run: five ratios in under two minutes. */
import {
  FEW,
  grpcDetails,
  introspection,
  MANY,
  REST,
  restAuth,
  restDetails,
  tokensOf,
} from './calls.ts';
import { type Fixture, openFixture } from './fixture.ts';
import { LoadProcess } from './load/client.ts';
import { type Cores, findCores } from './machine.ts';
import { type Contestant, type Ratio, type Round, ratioOf, takeRounds, warmUp } from './rounds.ts';
import { installPeers, startPeer, startPropusk } from './servers.ts';

const KEYS = 10_000;
const ROUNDS = 7;
const WINDOW_MS = 600;
/** For all rounds of one protocol, when some have to be repeated. */
const BUDGET_MS = 34_000;
const WARM_MS = 1500;
/** Other programs keep the server waiting; that is not to be taken for overload. */
const ANY_LAG = ['--lag-ms-max=1000000'];

export interface QuickOptions {
  /** Shows ratios of windows that were disturbed as well, for development. */
  readonly isNoisy: boolean;
}

/** Prints its figures; the ratios are the last line. */
export async function quick({ isNoisy }: QuickOptions): Promise<void> {
  installPeers();
  const cores = findCores();
  const fixture = await openFixture(KEYS);
  const load = new LoadProcess(cores);
  const servers = await startAll(fixture, cores, isNoisy ? ANY_LAG : []);
  try {
    const { propusk, http, http2, oidc } = servers;
    const seen = tokensOf(fixture, KEYS);
    const fresh = tokensOf(fixture, KEYS, true);
    const of = (name: string, serverPid: number, target: Contestant['target'], shape = REST) => ({
      ...{ name, serverPid, target, shape },
    });
    const rest = [
      of('bare', http.pid, restDetails(http.port, seen)),
      of('rest', propusk.pid, restDetails(propusk.port, seen)),
      of('rest_cold', propusk.pid, restDetails(propusk.port, fresh)),
      of('auth', propusk.pid, restAuth(propusk.port, KEYS)),
      of('oidc', oidc.pid, introspection(oidc.port, oidc.bodies)),
    ];
    const grpc = [
      of('bare 4x16', http2.pid, grpcDetails(http2.port, seen), FEW),
      of('grpc 4x16', propusk.pid, grpcDetails(propusk.port, seen), FEW),
      of('bare 64x1', http2.pid, grpcDetails(http2.port, seen), MANY),
      of('grpc 64x1', propusk.pid, grpcDetails(propusk.port, seen), MANY),
    ];
    const options = { load, rounds: ROUNDS, windowMs: WINDOW_MS, budgetMs: BUDGET_MS };
    for (const one of rest) await warmUp(load, one, WARM_MS);
    const restRounds = await takeRounds(rest, options);
    show(rest, restRounds);
    for (const one of grpc) await warmUp(load, one, WARM_MS / 2);
    const grpcRounds = await takeRounds(grpc, options);
    show(grpc, grpcRounds);
    const ratio = (rounds: Round[], name: string, base: string) =>
      ratioOf(rounds, [name, base], isNoisy);
    const few = ratio(grpcRounds, 'grpc 4x16', 'bare 4x16');
    const many = ratio(grpcRounds, 'grpc 64x1', 'bare 64x1');
    const isBoth = few !== undefined && many !== undefined;
    console.log(`grpc: 4x16 ${text(few)}, 64x1 ${text(many)}; the lower one counts`);
    const lower = isBoth && few.median > many.median ? many : few;
    const figures = {
      rest: ratio(restRounds, 'rest', 'bare'),
      rest_cold: ratio(restRounds, 'rest_cold', 'bare'),
      grpc: isBoth ? lower : undefined,
      auth: ratio(restRounds, 'auth', 'bare'),
      peer: ratio(restRounds, 'rest', 'oidc'),
    };
    const words = Object.entries(figures).map(([name, value]) => `${name}=${text(value)}`);
    console.log(words.join(' '));
  } finally {
    load.stop();
    for (const server of Object.values(servers)) await server.stop();
    fixture.remove();
  }
}

async function startAll(fixture: Fixture, cores: Cores | undefined, args: readonly string[]) {
  const [propusk, http, http2, oidc] = await Promise.all([
    startPropusk(fixture, cores, args),
    startPeer('bare-http', fixture, cores),
    startPeer('bare-http2', fixture, cores),
    startPeer('oidc-provider', fixture, cores),
  ]);
  return { propusk, http, http2, oidc };
}

function text(ratio: Ratio | undefined): string {
  return ratio === undefined ? 'disturbed' : ratio.median.toFixed(2);
}

/** What each contestant did, and how noisy the machine was. */
function show(contestants: readonly Contestant[], rounds: readonly Round[]): void {
  for (const { name } of contestants) {
    const windows = rounds.map((round) => round.get(name)).filter((one) => one !== undefined);
    const rates = windows.map(({ rate }) => rate).toSorted((a, b) => a - b);
    const mean = (pick: (window: (typeof windows)[number]) => number | undefined) =>
      windows.reduce((sum, window) => sum + (pick(window) ?? 0), 0) / windows.length;
    const percent = (share: number) => `${(share * 100).toFixed(0)} %`;
    console.log(
      `${name.padEnd(10)} ${rates[rates.length >> 1]?.toFixed(0).padStart(6)}/s ` +
        `(${rates[0]?.toFixed(0)} to ${rates.at(-1)?.toFixed(0)}), ` +
        `cores: server ${percent(mean(({ usage }) => usage?.server))}, ` +
        `load ${percent(mean(({ usage }) => usage?.load))}, ` +
        `others ${percent(mean(({ usage }) => usage?.others))}, ` +
        `stolen ${percent(mean(({ usage }) => usage?.stolen))}; ` +
        `disturbed ${windows.filter(({ disturbance }) => disturbance !== undefined).length} of ${windows.length}`,
    );
  }
}
