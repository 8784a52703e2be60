/** The quick run: five ratios in under two minutes. */

import {
  AUTH,
  BARE_HTTP,
  BARE_HTTP2,
  COLD,
  GRPC_SHAPES,
  grpcBasics,
  neverSeen,
  OIDC,
  restBasics,
  SEEN,
} from './parts/contestants.ts';
import { type Contestant, type Ratio, type Round, ratioOf, takeRounds, warmUp } from './rounds.ts';
import { linesOf, type Row, rowsOf } from './section.ts';
import { Stage } from './stage.ts';

const KEYS = 10_000;
const ROUNDS = 7;
const WINDOW_MS = 600;
/** After the start of the process no round of REST, or of gRPC, begins. */
const REST_UNTIL_MS = 62_000;
const GRPC_UNTIL_MS = 108_000;
const WARM_MS = 1200;

export interface QuickOptions {
  /** Shows ratios of windows that were disturbed as well, for development. */
  readonly isNoisy: boolean;
}

/** Prints its figures; the ratios are the last line. */
export async function quick({ isNoisy }: QuickOptions): Promise<void> {
  await using stage = new Stage({ isNoisy, keys: KEYS, pastSessions: 0, share: 1 });
  const ratio = (rounds: readonly Round[], name: string, base: string) =>
    ratioOf(rounds, [name, base], isNoisy);
  const overRest = [...(await restBasics(stage)), await neverSeen(stage)];
  const rest = await measure(stage, overRest, REST_UNTIL_MS);
  show('REST', BARE_HTTP, rowsOf(overRest, rest, BARE_HTTP, isNoisy));
  const shapes: { readonly title: string; readonly contestants: readonly Contestant[] }[] = [];
  for (const [title, shape] of GRPC_SHAPES) {
    const contestants = await grpcBasics(stage, shape);
    const named = contestants.map((one) => ({ ...one, name: `${one.name}, ${title}` }));
    shapes.push({ title, contestants: named });
  }
  const all = shapes.flatMap(({ contestants }) => contestants);
  const grpc = await measure(stage, all, GRPC_UNTIL_MS);
  for (const { title, contestants } of shapes) {
    const base = `${BARE_HTTP2}, ${title}`;
    show(`gRPC, ${title}`, base, rowsOf(contestants, grpc, base, isNoisy));
  }
  const figures = {
    rest: ratio(rest, SEEN, BARE_HTTP),
    rest_cold: ratio(rest, COLD, BARE_HTTP),
    grpc: lowest(
      shapes.map(({ title }) => ratio(grpc, `${SEEN}, ${title}`, `${BARE_HTTP2}, ${title}`)),
    ),
    auth: ratio(rest, AUTH, BARE_HTTP),
    peer: ratio(rest, SEEN, OIDC),
  };
  const words = Object.entries(figures).map(([name, value]) => `${name}=${shown(value)}`);
  console.log(words.join(' '));
}

async function measure(
  { load, isNoisy }: Stage,
  contestants: readonly Contestant[],
  untilMs: number,
): Promise<Round[]> {
  for (const one of contestants) await warmUp(load, one, WARM_MS);
  const budgetMs = untilMs - performance.now();
  const options = { load, rounds: ROUNDS, windowMs: WINDOW_MS, budgetMs, isNoisy };
  return takeRounds(contestants, options);
}

function show(title: string, base: string, rows: readonly Row[]): void {
  console.log(linesOf({ part: title, title, base, rows, figures: {} }).join('\n'));
}

/** undefined when one of them is. */
function lowest(ratios: readonly (Ratio | undefined)[]): Ratio | undefined {
  return ratios.reduce((a, b) =>
    a === undefined || b === undefined ? undefined : a.median < b.median ? a : b,
  );
}

function shown(ratio: Ratio | undefined): string {
  return ratio === undefined ? 'disturbed' : ratio.median.toFixed(2);
}
