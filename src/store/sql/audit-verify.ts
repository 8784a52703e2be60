/** Finds where an audit log, or what it tells of, was changed by other hands than Propusk's. */
import type { KeyObject } from 'node:crypto';
import {
  type ChainedEntry,
  checkpointSeal,
  entryMac,
  isChainStart,
  isSame,
  isSealed,
  type SealedPoint,
} from '../../domain/audit-chain.ts';
import { Faults } from './audit-faults.ts';
import { readPoint } from './audit-points.ts';
import { KINDS } from './audit-states.ts';
import { Vouched } from './audit-vouched.ts';
import { first, rows, type Sql } from './query.ts';
import { listResources } from './resource-reads.ts';

/** Every query of a verification. */
export const VERIFY_SQL = {
  chainedAudits: `
    SELECT sequence, at_ms AS "atMs", actor, action, target, remote_address AS "remoteAddress", detail,
      mac
    FROM audit WHERE sequence > ? ORDER BY sequence LIMIT ?`,
  oldAudits: `
    SELECT count(*) AS entries, count(mac) AS chained, min(sequence) AS first
    FROM audit WHERE sequence <= ?`,
  macOf: 'SELECT mac FROM audit WHERE sequence = ?',
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
  /** undefined when no entry was chained yet. */
  readonly head: SealedPoint | undefined;
}

/**
 * Verifies the whole log on one snapshot, and what is administered against it.
 *
 * @param programs sentences about what runs in the database and is not ours; each is a fault
 * @param since a head that was exported before: whether the database has been rolled back since
 */
export function* verifyAudit(
  key: KeyObject,
  since: SealedPoint | undefined,
  programs: readonly string[],
): Sql<AuditReport> {
  const faults = new Faults();
  const head = yield* readPoint('head');
  const checkpoint = yield* readPoint('checkpoint');
  if (head === undefined) faults.add('the head of the log is missing');
  if (head?.writer === '') return yield* notBegun(faults, since);
  if (head !== undefined && !isSealed(key, 'head', head)) {
    faults.add('the head of the log was changed, or belongs to another master key');
  }
  const seal = checkpoint && checkpointSeal(key, checkpoint);
  if (checkpoint === undefined) faults.add('the checkpoint of the log is missing');
  else if (seal === undefined) {
    faults.add('the checkpoint of the log was changed, or belongs to another master key');
  } else if (head !== undefined && head.writer !== checkpoint.writer) {
    faults.add('the checkpoint is that of another log');
  }
  for (const program of programs) faults.add(program);
  const from = checkpoint?.sequence ?? 0;
  const unchained = yield* unchainedBefore(key, faults, checkpoint);
  const chain = new Chain(key, faults, checkpoint);
  const vouched = new Vouched(key, faults, from);
  yield* entriesAfter(from, function* (entry) {
    chain.follow(entry);
    yield* vouched.follow(entry);
  });
  if (head !== undefined) chain.end(head);
  const untold = yield* vouched.end(seal !== 'checkpoint');
  if (since !== undefined) yield* checkSince(key, faults, { since, head, checkpoint });
  const entries = chain.good;
  return { faults: faults.all(), entries, unchained, untold, checkpoint: from, head };
}

interface OldEntries {
  readonly entries: number;
  readonly chained: number;
  /** The lowest sequence; null where there is none. */
  readonly first: number | null;
}

/**
 * How many entries are from before the log was chained. Those are the first that are pruned, so there
 * are none any more once the checkpoint has left the beginning of the chain.
 */
function* unchainedBefore(
  key: KeyObject,
  faults: Faults,
  checkpoint: SealedPoint | undefined,
): Sql<number> {
  const sequence = checkpoint?.sequence ?? 0;
  const old = yield* first<OldEntries>(VERIFY_SQL.oldAudits, sequence);
  const { entries = 0, chained = 0 } = old ?? {};
  const unchained = entries - chained;
  if (chained > 0) {
    faults.add(`entries up to ${sequence} were pruned, and ${chained} of them are there again`);
  }
  const isMoved = checkpoint !== undefined && !isChainStart(key, checkpoint);
  if (unchained > 0 && isMoved) {
    faults.add(`entries up to ${sequence} were pruned, and ${unchained} others were put there`);
  } else if ((old?.first ?? 1) < 1) {
    faults.add('entries before 1, where every log begins, were added');
  }
  return unchained;
}

/** The log of a database to which nothing was written since logs are chained. */
function* notBegun(faults: Faults, since: SealedPoint | undefined): Sql<AuditReport> {
  const old = yield* first<{ entries: number; chained: number }>(
    VERIFY_SQL.oldAudits,
    Number.MAX_SAFE_INTEGER,
  );
  if ((old?.chained ?? 0) > 0)
    faults.add('the log had begun, and is made to look as if it had not');
  // Nothing in the file tells a database from before there were chains from one made to look so.
  let holdsAny = false;
  for (const kind of KINDS) holdsAny ||= (yield* listResources(kind, { limit: 1 })).length > 0;
  if (holdsAny || (old?.entries ?? 0) > 0) {
    faults.add('the log has not begun, and nothing is known of what there is; a server begins it');
  }
  if (since !== undefined) faults.add('the log has not begun, and the head given is that of one');
  const unchained = (old?.entries ?? 0) - (old?.chained ?? 0);
  const counts = { entries: 0, unchained, untold: 0, checkpoint: 0 };
  return { faults: faults.all(), ...counts, head: undefined };
}

function* entriesAfter(
  sequence: number,
  visit: (entry: ChainedEntry & { readonly mac: string | null }) => Sql<void>,
): Sql<void> {
  let last = sequence;
  for (;;) {
    const page = yield* rows<ChainedEntry & { readonly mac: string | null }>(
      ...[VERIFY_SQL.chainedAudits, last, PAGE],
    );
    for (const entry of page) yield* visit(entry);
    if (page.length < PAGE) return;
    last = page.at(-1)?.sequence ?? last;
  }
}

/** The chain as far as it was followed. */
class Chain {
  readonly #key: KeyObject;
  readonly #faults: Faults;
  #sequence: number;
  /** undefined: not known, so that what follows is believed to begin anew. */
  #hash: string | undefined;
  good = 0;

  constructor(key: KeyObject, faults: Faults, checkpoint: SealedPoint | undefined) {
    this.#key = key;
    this.#faults = faults;
    this.#sequence = checkpoint?.sequence ?? 0;
    this.#hash = checkpoint?.hash;
  }

  follow(entry: ChainedEntry & { readonly mac: string | null }): void {
    const { sequence, mac } = entry;
    const expected = this.#sequence + 1;
    if (sequence !== expected) {
      this.#missing(expected, sequence - 1);
      this.#hash = undefined;
    }
    const isGood =
      mac !== null &&
      (this.#hash === undefined || isSame(mac, entryMac(this.#key, this.#hash, entry)));
    if (isGood) this.good++;
    else this.#faults.add(`entry ${sequence} is not as it was written, or not where it was`);
    this.#sequence = sequence;
    this.#hash = mac ?? undefined;
  }

  end(head: SealedPoint): void {
    if (this.#sequence < head.sequence) this.#missing(this.#sequence + 1, head.sequence);
    else if (this.#sequence > head.sequence) {
      this.#faults.add(`entries after ${head.sequence}, where the log ends, were added`);
    } else if (this.#hash !== head.hash) {
      this.#faults.add(`the log's end, entry ${head.sequence}, is not the one that its head names`);
    }
  }

  #missing(first: number, last: number): void {
    const what = first === last ? `entry ${first} is` : `entries ${first} to ${last} are`;
    this.#faults.add(`${what} missing`);
  }
}

interface Points {
  readonly since: SealedPoint;
  readonly head: SealedPoint | undefined;
  readonly checkpoint: SealedPoint | undefined;
}

function* checkSince(key: KeyObject, faults: Faults, points: Points): Sql<void> {
  const { since, head, checkpoint } = points;
  if (!isSealed(key, 'head', since)) {
    faults.add('the head given was changed, or belongs to another master key');
  } else if (head?.writer !== since.writer) {
    faults.add('the log is another than the one whose head was given');
  } else if (head.sequence < since.sequence) {
    const ends = `the log ends at entry ${head.sequence}`;
    faults.add(`${ends}, and had come to entry ${since.sequence}: the database was rolled back`);
  } else if (checkpoint !== undefined && since.sequence >= checkpoint.sequence) {
    const entry = yield* first<{ mac: string | null }>(VERIFY_SQL.macOf, since.sequence);
    const hash = since.sequence === checkpoint.sequence ? checkpoint.hash : entry?.mac;
    if (hash === since.hash) return;
    const what = `entry ${since.sequence} is another than the one that the head given names`;
    faults.add(`${what}: the database was rolled back`);
  }
}
