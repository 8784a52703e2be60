/** How long calls take: at half load, and while sessions are recorded. */
import type { OpenOrder } from '../load/client.ts';
import type { Outcome, Shape } from '../load/protocol.ts';
import {
  type Contestant,
  disturbanceOf,
  median,
  unlessShed,
  untilNotShed,
  warmUp,
} from '../rounds.ts';
import type { Section } from '../section.ts';
import type { Stage } from '../stage.ts';
import { AUTH, BARE_HTTP, GRPC_SHAPES, grpcBasics, restBasics, SEEN } from './contestants.ts';

const ROUNDS = 9;
/** So many times as many pairs are taken at most, when some were disturbed. */
const PATIENCE = 3;
const WINDOW_MS = 3000;
const RAMP_MS = 300;
const WARM_MS = 2000;
/** Tells what a server carries. */
const BEST = { rampMs: 200, windowMs: 800 };
/** Of connections that wait for nothing. */
const REST_SHAPE: Shape = { connections: 256, streams: 1 };
const GRPC_SHAPE: Shape = { connections: 4, streams: 200 };
/** Of a server's best, while Auth has half of its own: together they must not be more than there is. */
const BESIDE_AUTH = 0.1;

/** Of a load: 99 of 100 calls may go out so much later than they were due, or this share of the p99. */
const LATE_MS_MAX = 1;
const LATE_SHARE_MAX = 0.25;

/** Milliseconds, of what is asked first. */
interface Measured {
  readonly p99: number;
  readonly p50: number;
  readonly isDisturbed: boolean;
}

class Latencies {
  readonly #stage: Stage;
  readonly #shape: Shape;

  constructor(stage: Stage, shape: Shape) {
    this.#stage = stage;
    this.#shape = shape;
  }

  /** The calls of the first, all loads together. */
  async measure(...loads: readonly (readonly [Contestant, number])[]): Promise<Measured> {
    const orders = loads.map(
      ([{ serverPid, target }, rate]): OpenOrder => ({
        ...{ serverPid, target, rate, shape: this.#shape },
        ...{ rampMs: RAMP_MS, windowMs: WINDOW_MS },
      }),
    );
    const outcomes = await unlessShed(this.#stage.load.open(orders));
    if (outcomes === undefined) return { p50: Number.NaN, p99: Number.NaN, isDisturbed: true };
    const [first] = outcomes;
    if (first === undefined) throw new Error('the load told nothing');
    return {
      p99: first.p99 ?? Number.NaN,
      p50: first.p50 ?? Number.NaN,
      isDisturbed: isBad(first),
    };
  }

  /** Rounds of both, forwards and backwards; the median of the ratios of the second to the first. */
  async compare(
    names: readonly [string, string],
    first: () => Promise<Measured>,
    second: () => Promise<Measured>,
  ): Promise<Section['figures']> {
    const { isNoisy } = this.#stage;
    const rounds = this.#stage.rounds(ROUNDS);
    const isShed = ({ p99 }: Measured) => Number.isNaN(p99);
    const counted: (readonly [Measured, Measured])[] = [];
    let taken = 0;
    for (; counted.length < rounds && taken < rounds * PATIENCE; taken++) {
      const early = taken % 2 === 0 ? await first() : undefined;
      const other = await second();
      const pair = [early ?? (await first()), other] as const;
      if (pair.some(isShed)) continue;
      if (isNoisy || !pair.some(({ isDisturbed }) => isDisturbed)) counted.push(pair);
    }
    const of = (pick: (pair: readonly [Measured, Measured]) => number) =>
      counted.length < 3 ? undefined : median(counted.map(pick));
    return {
      [`${names[0]}: p50, ms`]: of(([a]) => a.p50),
      [`${names[0]}: p99, ms`]: of(([a]) => a.p99),
      [`${names[1]}: p50, ms`]: of(([, b]) => b.p50),
      [`${names[1]}: p99, ms`]: of(([, b]) => b.p99),
      [`${names[1]}: p99 over that of ${names[0]}`]: of(([a, b]) => b.p99 / a.p99),
      [`${names[1]}: pairs that count`]: `${counted.length} of ${taken}`,
    };
  }
}

/**
 * An open loop's load spins, so that its core tells nothing about its limits; being late does. That is counted
 * in all latencies, and where they are much longer it changes nothing.
 */
function isBad({ usage, lateMs = 0, p99 = 0 }: Outcome): boolean {
  const rest = usage && { ...usage, load: 0 };
  return disturbanceOf(rest) !== undefined || lateMs > Math.max(LATE_MS_MAX, p99 * LATE_SHARE_MAX);
}

function named(contestants: readonly Contestant[], wanted: string): Contestant {
  const found = contestants.find(({ name }) => name === wanted);
  if (found === undefined) throw new Error(`there is no ${wanted}`);
  return found;
}

/** TokenDetails at half of what each server carries, and beside Auth. */
export async function latency(stage: Stage): Promise<Section[]> {
  const rest = await restBasics(stage);
  const grpc = await grpcBasics(stage, GRPC_SHAPES[0]?.[1] ?? GRPC_SHAPE);
  const [bare, details, auth] = [BARE_HTTP, SEEN, AUTH].map((name) => named(rest, name));
  if (bare === undefined || details === undefined || auth === undefined) return [];
  for (const one of [bare, details, auth, ...grpc]) await warmUp(stage.load, one, WARM_MS);
  // What a core carries changes with the minutes on a machine that others use: it is asked right before.
  const share = async (one: Contestant, part: number) => {
    const { rate } = await untilNotShed(stage.load, { ...one, ...BEST });
    return [one, rate * part] as const;
  };
  const half = (one: Contestant) => share(one, 0.5);
  const overRest = new Latencies(stage, REST_SHAPE);
  const overGrpc = new Latencies(stage, GRPC_SHAPE);
  const figures: Record<string, Section['figures'][string]> = {};
  Object.assign(
    figures,
    await overRest.compare(
      [BARE_HTTP, 'Propusk over REST'],
      async () => overRest.measure(await half(bare)),
      async () => overRest.measure(await half(details)),
    ),
  );
  const [bareGrpc, detailsGrpc] = grpc;
  if (bareGrpc !== undefined && detailsGrpc !== undefined) {
    Object.assign(
      figures,
      await overGrpc.compare(
        [bareGrpc.name, 'Propusk over gRPC'],
        async () => overGrpc.measure(await half(bareGrpc)),
        async () => overGrpc.measure(await half(detailsGrpc)),
      ),
    );
  }
  const few = () => share(details, BESIDE_AUTH);
  Object.assign(
    figures,
    await overRest.compare(
      ['TokenDetails alone', 'TokenDetails beside Auth'],
      async () => overRest.measure(await few()),
      async () => overRest.measure(await few(), await half(auth)),
    ),
  );
  const title = 'Latency at half load (open loop); TokenDetails at a tenth beside Auth at half';
  return [{ part: 'latency', title, rows: [], figures }];
}
