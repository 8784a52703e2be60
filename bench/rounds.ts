/**
 * Windows taken in turn: in each round every contestant has one, forwards and then backwards, so that
 * two that are compared were measured within the same seconds.
 */
import { GENTLE } from './calls.ts';
import type { ClosedOrder, LoadProcess } from './load/client.ts';
import type { Outcome, Shape, Target } from './load/protocol.ts';
import type { Usage } from './machine.ts';

/** What is measured: a server, and what it is asked. */
export interface Contestant {
  readonly name: string;
  readonly serverPid: number;
  readonly target: Target;
  readonly shape: Shape;
  /** Of its windows, where they are longer than the others'. */
  readonly windowMs?: number;
}

/** One contestant's part of a round. */
export interface Window {
  /** Answers a second. */
  readonly rate: number;
  readonly answers: number;
  readonly usage: Usage | undefined;
  /** Why it does not count; undefined when it does. */
  readonly disturbance: string | undefined;
}

export type Round = ReadonlyMap<string, Window>;

export interface RoundsOptions {
  readonly load: LoadProcess;
  readonly rounds: number;
  readonly windowMs: number;
  /** Rounds are repeated for so long at most; three are taken in any case. */
  readonly budgetMs: number;
  /** Windows that were disturbed count as well. */
  readonly isNoisy: boolean;
}

/** Of one core's time, by programs that are not ours, on the two cores together. */
export const OTHERS_MAX = 0.05;
/** Of one core's time, by the hypervisor, on the two cores together. */
export const STOLEN_MAX = 0.02;
/** Of its core's time: a load that is busier than this may be what is measured. */
export const LOAD_MAX = 0.97;
/** Fewer pairs than this make no ratio. */
const PAIRS_MIN = 3;
/** Windows in which a server refused a call for having too much to do; one more voids the run. */
const SHED_MAX = 3;
/** From the start of a window until its calls are counted. */
const RAMP_MS = 120;

/** Why a window does not count. */
export function disturbanceOf(usage: Usage | undefined): string | undefined {
  if (usage === undefined) return undefined;
  const percent = (share: number) => `${(share * 100).toFixed(0)} %`;
  if (usage.stolen > STOLEN_MAX) return `${percent(usage.stolen)} of a core was taken away`;
  if (usage.others > OTHERS_MAX) return `others used ${percent(usage.others)} of a core`;
  if (usage.load > LOAD_MAX) return `the load used ${percent(usage.load)} of its core`;
  return undefined;
}

/**
 * Runs a server warm, at first with few calls at a time, until each of the keys was asked about once: cold code
 * that looks up a key with every call is slow enough to be taken for overload.
 */
export async function warmUp(load: LoadProcess, one: Contestant, ms: number): Promise<Outcome> {
  const { source } = one.target;
  const answersMin = source.of === 'tokens' ? source.keys : 0;
  const gentle = { windowMs: ms / 3, answersMin, windowMsMax: ms * 4 };
  await unlessShed(load.closed({ ...one, shape: GENTLE, rampMs: 0, ...gentle }));
  return untilNotShed(load, { ...one, rampMs: 0, windowMs: ms });
}

/** Tries again, a few times, where the server refused a call for having too much to do. */
export async function untilNotShed(load: LoadProcess, order: ClosedOrder): Promise<Outcome> {
  for (let i = 0; i < SHED_MAX; i++) {
    const outcome = await unlessShed(load.closed(order));
    if (outcome !== undefined) return outcome;
  }
  return load.closed(order);
}

/** undefined where the server refused a call for having too much to do. */
export async function unlessShed<T>(outcome: Promise<T>): Promise<T | undefined> {
  try {
    return await outcome;
  } catch (error) {
    if (!/answered HTTP\/1\.1 503|grpc-status 14$/m.test(String(error))) throw error;
    return undefined;
  }
}

async function takeWindow(load: LoadProcess, order: ClosedOrder): Promise<Window> {
  const outcome = await unlessShed(load.closed(order));
  if (outcome === undefined) {
    return { rate: 0, answers: 0, usage: undefined, disturbance: 'a call was shed' };
  }
  const { rate, answers, usage } = outcome;
  return { rate, answers, usage, disturbance: disturbanceOf(usage) };
}

/** So many rounds in which all windows count, or as many as the time allows. */
export async function takeRounds(
  contestants: readonly Contestant[],
  { load, rounds, windowMs, budgetMs, isNoisy }: RoundsOptions,
): Promise<Round[]> {
  const taken: Round[] = [];
  const endMs = performance.now() + budgetMs;
  let undisturbed = 0;
  let shed = 0;
  while (taken.length < Math.min(rounds, PAIRS_MIN) || performance.now() < endMs) {
    if (undisturbed === rounds) break;
    const round = new Map<string, Window>();
    for (const one of taken.length % 2 === 0 ? contestants : contestants.toReversed()) {
      const window = await takeWindow(load, { windowMs, ...one, rampMs: RAMP_MS });
      if (window.rate === 0 && ++shed > SHED_MAX) throw new Error(`${one.name} shed calls`);
      round.set(one.name, window);
    }
    taken.push(round);
    if (isNoisy || isUndisturbed(round)) undisturbed++;
  }
  return taken;
}

function isUndisturbed(round: Round): boolean {
  return [...round.values()].every(({ disturbance }) => disturbance === undefined);
}

/** One contestant's rate over another's. */
export interface Ratio {
  readonly median: number;
  /** Of the median, by the order of the pairs; 95 %. NaN where there are fewer than 6 pairs. */
  readonly low: number;
  readonly high: number;
  readonly pairs: number;
  /** Rounds that do not count. */
  readonly disturbed: number;
}

/** Answers in a second of the server's own processor time, whatever others took of its core. */
function rateOfCore({ rate, usage }: Window): number {
  return usage === undefined ? rate : rate / usage.server;
}

/**
 * Of all rounds in which both windows count; undefined when there are too few of them.
 * @param isAnyCounted take all rounds, and ratios of answers by the servers' processor time
 */
export function ratioOf(
  rounds: readonly Round[],
  [name, base]: readonly [string, string],
  isAnyCounted = false,
): Ratio | undefined {
  const ratios: number[] = [];
  for (const round of rounds) {
    const [own, other] = [round.get(name), round.get(base)];
    // A window in which calls were shed has no rate, however much noise is borne.
    if (!own?.rate || !other?.rate) continue;
    const counts = own.disturbance === undefined && other.disturbance === undefined;
    if (isAnyCounted) ratios.push(rateOfCore(own) / rateOfCore(other));
    else if (counts) ratios.push(own.rate / other.rate);
  }
  if (ratios.length < PAIRS_MIN) return undefined;
  const [low, high] = interval(ratios);
  const disturbed = rounds.length - ratios.length;
  return { median: median(ratios), low, high, pairs: ratios.length, disturbed };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/**
 * Where the median is with a probability of 95 %: the values between which it lies unless a fair coin
 * falls nearly always on one side (sign test).
 */
function interval(values: readonly number[]): readonly [number, number] {
  const sorted = values.toSorted((a, b) => a - b);
  const count = sorted.length;
  let chance = 0.5 ** count;
  let tail = chance;
  let outside = 0;
  while (tail <= 0.025) {
    outside++;
    chance = (chance * (count - outside + 1)) / outside;
    tail += chance;
  }
  if (outside === 0) return [Number.NaN, Number.NaN];
  return [sorted[outside - 1] ?? Number.NaN, sorted[count - outside] ?? Number.NaN];
}
