/** How many calls a core answers, of all servers, in shares of the bare one's. */
import { MANY, REST } from '../calls.ts';
import { type Contestant, ratioOf, takeRounds, warmUp } from '../rounds.ts';
import { rowsOf, type Section } from '../section.ts';
import type { Stage } from '../stage.ts';
import {
  AUTH,
  BARE_HTTP,
  BARE_HTTP2,
  BETTER_AUTH_MAP,
  BETTER_AUTH_SQLITE,
  COLD,
  checks,
  GRPC_JS,
  GRPC_SHAPES,
  grpcBasics,
  grpcPeers,
  neverSeen,
  OIDC,
  restBasics,
  restPeers,
  SEEN,
} from './contestants.ts';

const ROUNDS = 25;
const WINDOW_MS = 600;
/** So that a million tokens are seen in all. */
const COLD_WINDOW_MS = 2500;
const WARM_MS = 3000;
/** How much longer than planned a part may take when windows have to be repeated. */
const PATIENCE = 2;
/** More calls under way make more of them share a commit. */
const AUTH_SHAPE = { connections: 256, streams: 1 };

interface Plan {
  readonly part: string;
  readonly title: string;
  readonly base: string;
  readonly contestants: readonly Contestant[];
}

/** @param others pairs of names whose ratio is a figure, by what it is called */
async function compare(
  stage: Stage,
  { part, title, base, contestants }: Plan,
  others: Readonly<Record<string, readonly [string, string]>> = {},
): Promise<Section> {
  const { load, isNoisy } = stage;
  for (const one of contestants) await warmUp(load, one, WARM_MS);
  const rounds = stage.rounds(ROUNDS);
  const roundMs = contestants.reduce((sum, { windowMs = WINDOW_MS }) => sum + windowMs, 0);
  const budgetMs = rounds * roundMs * PATIENCE;
  const options = { load, rounds, windowMs: WINDOW_MS, budgetMs, isNoisy };
  const taken = await takeRounds(contestants, options);
  const figures = Object.fromEntries(
    Object.entries(others).map(([name, pair]) => [name, ratioOf(taken, pair, isNoisy)?.median]),
  );
  return { part, title, base, rows: rowsOf(contestants, taken, base, isNoisy), figures };
}

/** TokenDetails and Check over REST, and what people would pick instead. */
export async function rest(stage: Stage): Promise<Section[]> {
  const basics = await restBasics(stage);
  const contestants = [
    ...basics.filter(({ name }) => name !== AUTH),
    { ...(await neverSeen(stage)), windowMs: COLD_WINDOW_MS },
    ...(await checks(stage, 'rest', REST)),
    ...(await restPeers(stage)),
  ];
  const title = 'REST, 64 connections, a call at a time on each';
  const others = {
    'times oidc-provider': [SEEN, OIDC],
    'times better-auth, Map': [SEEN, BETTER_AUTH_MAP],
    'times better-auth, SQLite': [SEEN, BETTER_AUTH_SQLITE],
  } as const;
  const plan = { part: 'rest', title, base: BARE_HTTP, contestants };
  const section = await compare(stage, plan, others);
  const cold = section.rows.find(({ name }) => name === COLD)?.windows ?? [];
  const distinct = cold.reduce((sum, { answers }) => sum + answers, 0);
  return [{ ...section, figures: { ...section.figures, 'tokens never seen before': distinct } }];
}

/** TokenDetails and Check over gRPC. */
export async function grpc(stage: Stage): Promise<Section[]> {
  const sections: Section[] = [];
  for (const [name, shape] of GRPC_SHAPES) {
    const contestants = [
      ...(await grpcBasics(stage, shape)),
      ...(await checks(stage, 'grpc', shape)),
      ...(await grpcPeers(stage, shape)),
    ];
    const part = shape === MANY ? 'grpc-64x1' : 'grpc-4x16';
    const plan = { part, title: `gRPC, ${name}`, base: BARE_HTTP2, contestants };
    sections.push(await compare(stage, plan, { 'times grpc-js': [SEEN, GRPC_JS] }));
  }
  return sections;
}

/** Auth: a durable session and its audit entry each. */
export async function auth(stage: Stage): Promise<Section[]> {
  const basics = await restBasics(stage);
  const own = basics.filter(({ name }) => name === BARE_HTTP || name === AUTH);
  const wide = own
    .filter(({ name }) => name === AUTH)
    .map((one) => ({ ...one, name: `${AUTH}, 256 connections`, shape: AUTH_SHAPE }));
  const contestants = [...own, ...wide];
  const title = 'Auth over REST, 64 connections unless it says otherwise';
  return [await compare(stage, { part: 'auth', title, base: BARE_HTTP, contestants })];
}
