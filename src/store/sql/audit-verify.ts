/** Finds where an audit log, or what it tells of, was changed by other hands than Propusk's. */
import type { KeyObject } from 'node:crypto';
import { checkpointSeal, FIRST_CHAIN, isSealed } from '../../domain/audit-chain.ts';
import { registerFault } from './audit-chains.ts';
import { Faults, type Told } from './audit-faults.ts';
import {
  type ChainHead,
  headsOf,
  isRegister,
  type NamedPoint,
  readPoints,
} from './audit-points.ts';
import { checkSince } from './audit-since.ts';
import { KINDS } from './audit-states.ts';
import { Vouched } from './audit-vouched.ts';
import { type ChainEnds, ChainWalk, type KeptEntry } from './audit-walk.ts';
import { first, rows, type Sql } from './query.ts';
import { listResources } from './resource-reads.ts';

/** Every query of a verification. */
export const VERIFY_SQL = {
  keptAudits: `
    SELECT sequence, at_ms AS "atMs", actor, action, target, remote_address AS "remoteAddress", detail,
      mac, chain
    FROM audit WHERE sequence > ? ORDER BY sequence LIMIT ?`,
  countAudits: 'SELECT count(*) AS entries, count(mac) AS chained FROM audit',
} as const;

/** Entries that are in memory at a time. */
const PAGE = 1_000;

/** What a verification found. */
export interface AuditReport {
  /** A sentence each; none when everything is as it was written. */
  readonly faults: readonly string[];
  /** Entries that are as they were written. */
  readonly entries: number;
  /** Entries from before the log was chained; nobody knows about them. */
  readonly unchained: number;
  /** Resources that no entry tells of, in a log from before all were told of; nobody knows. */
  readonly untold: number;
  /** Of the last entry that was pruned, or from before the log was chained; 0: there is none. */
  readonly checkpoint: number;
  /** Of each chain, in their order; none when no entry was chained yet. */
  readonly heads: readonly ChainHead[];
}

export interface VerifyOptions {
  /** Heads that were exported before: whether the database has been rolled back since. */
  readonly since?: readonly ChainHead[];
  /** Sentences about what runs in the database and is not ours; each is a fault. */
  readonly programs?: readonly string[];
  /** The engine's logs have a register of their chains from their beginning on. */
  readonly hasRegister?: boolean;
}

/** Verifies the whole log on one snapshot, and what is administered against it. */
export function* verifyAudit(
  key: KeyObject,
  { since = [], programs = [], hasRegister = false }: VerifyOptions = {},
): Sql<AuditReport> {
  const faults = new Faults();
  const points = yield* readPoints();
  const register = points.find(isRegister);
  const chains = chainsOf(points, register === undefined && !hasRegister);
  const [only] = chains;
  if (register === undefined && chains.length === 1 && only?.head?.writer === '') {
    return yield* notBegun(faults, since.length > 0);
  }
  const isRegistered = register !== undefined || hasRegister;
  if (isRegistered || chains.length > 1 || only?.chain !== FIRST_CHAIN) {
    const found = registerFault(key, register, chains.map(namesOf));
    if (found !== undefined) faults.add(found);
  }
  const of = (chain: number) => (chains.length > 1 ? faults.of(`chain ${chain}`) : faults);
  for (const ends of chains) judgeEnds(key, of(ends.chain), ends);
  for (const program of programs) faults.add(program);
  const walks = new Map(
    chains.map((ends) => [ends.chain, new ChainWalk(key, of(ends.chain), ends)]),
  );
  const vouched = new Vouched(key, faults);
  yield* everyEntry(function* (entry) {
    const walk = walks.get(entry.chain);
    if (walk === undefined) {
      const { sequence, chain } = entry;
      faults.add(`entry ${sequence} is of chain ${chain}, which the log does not have`);
    } else if (walk.follow(entry)) yield* vouched.follow(entry);
    else yield* vouched.pass(entry);
  });
  for (const walk of walks.values()) walk.end();
  const untold = yield* vouched.end(untoldUntil(key, chains));
  for (const head of since) {
    const ends = chains.find(({ chain }) => chain === head.chain);
    yield* checkSince(key, ends ? of(head.chain) : faults, head, ends);
  }
  const counts = countsOf(chains, [...walks.values()]);
  return { faults: faults.all(), untold, ...counts, heads: headsOf(points) };
}

function countsOf(chains: readonly ChainEnds[], walks: readonly ChainWalk[]) {
  return {
    entries: walks.reduce((sum, { good }) => sum + good, 0),
    unchained: walks.reduce((sum, { unchained }) => sum + unchained, 0),
    // Every chain begins after it.
    checkpoint: Math.min(...chains.map(({ checkpoint }) => checkpoint?.sequence ?? 0)),
  };
}

/** The chains that any point is of, in their order; where there is none, the first, without its ends. */
function chainsOf(points: readonly NamedPoint[], isGapless: boolean): ChainEnds[] {
  const numbers = new Set(points.filter((point) => !isRegister(point)).map(({ chain }) => chain));
  if (numbers.size === 0) numbers.add(FIRST_CHAIN);
  return [...numbers].map((chain) => {
    const ofIt = points.filter((point) => point.chain === chain);
    const head = ofIt.find(({ name }) => name === 'head');
    const checkpoint = ofIt.find(({ name }) => name === 'checkpoint');
    return { chain, head, checkpoint, isGapless };
  });
}

/** Whose chain it is, by what is left of its ends. */
function namesOf({ chain, head, checkpoint }: ChainEnds) {
  return { chain, writer: (head ?? checkpoint)?.writer ?? '' };
}

function judgeEnds(key: KeyObject, faults: Told, { head, checkpoint }: ChainEnds): void {
  if (head === undefined) faults.add('the head of the log is missing');
  else if (!isSealed(key, 'head', head)) {
    faults.add('the head of the log was changed, or belongs to another master key');
  }
  if (checkpoint === undefined) faults.add('the checkpoint of the log is missing');
  else if (checkpointSeal(key, checkpoint) === undefined) {
    faults.add('the checkpoint of the log was changed, or belongs to another master key');
  } else if (head !== undefined && head.writer !== checkpoint.writer) {
    faults.add('the checkpoint is that of another log');
  }
}

/** The sequence up to which a resource need not be told of any more; 0 where all are told of. */
function untoldUntil(key: KeyObject, chains: readonly ChainEnds[]): number {
  const old = chains.flatMap(({ checkpoint }) =>
    checkpoint && checkpointSeal(key, checkpoint) === 'checkpoint' ? [checkpoint.sequence] : [],
  );
  return Math.max(0, ...old);
}

/** The log of a database to which nothing was written since logs are chained. */
function* notBegun(faults: Faults, isSince: boolean): Sql<AuditReport> {
  const { entries = 0, chained = 0 } =
    (yield* first<{ entries: number; chained: number }>(VERIFY_SQL.countAudits)) ?? {};
  if (chained > 0) faults.add('the log had begun, and is made to look as if it had not');
  // Nothing in the file tells a database from before there were chains from one made to look so.
  let holdsAny = false;
  for (const kind of KINDS) holdsAny ||= (yield* listResources(kind, { limit: 1 })).length > 0;
  if (holdsAny || entries > 0) {
    faults.add('the log has not begun, and nothing is known of what there is; a server begins it');
  }
  if (isSince) faults.add('the log has not begun, and the head given is that of one');
  const counts = { entries: 0, unchained: entries - chained, untold: 0, checkpoint: 0 };
  return { faults: faults.all(), ...counts, heads: [] };
}

function* everyEntry(visit: (entry: KeptEntry) => Sql<void>): Sql<void> {
  let last = Number.MIN_SAFE_INTEGER;
  for (;;) {
    const page = yield* rows<KeptEntry>(VERIFY_SQL.keptAudits, last, PAGE);
    for (const entry of page) yield* visit(entry);
    if (page.length < PAGE) return;
    last = page.at(-1)?.sequence ?? last;
  }
}
