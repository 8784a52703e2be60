/** The old end of the audit log, cut off so that the rest still verifies. */
import type { KeyObject } from 'node:crypto';
import {
  checkpointSeal,
  entryMac,
  FIRST_CHAIN,
  isChainStart,
  isSame,
} from '../../domain/audit-chain.ts';
import { AppError } from '../../domain/errors.ts';
import type { AuditEntry, Session } from '../../domain/model.ts';
import type { AuditLog } from './audit.ts';
import { putPoint, readPoint } from './audit-points.ts';
import {
  carryOf,
  isAsTold,
  isSessionAsTold,
  type Spoken,
  sessionIdOf,
  type Told,
  toldOf,
} from './audit-states.ts';
import { rows as all, changed, first, type Sql } from './query.ts';
import { readResource } from './resource-reads.ts';
import { dropSessions, readManySessions } from './sessions.ts';

/** Every statement of pruneAudit. */
export const AUDIT_PRUNE_SQL = {
  oldestAudits: `
    SELECT sequence, at_ms AS "atMs", actor, action, target, remote_address AS "remoteAddress", detail,
      mac, chain
    FROM audit WHERE sequence > 0 ORDER BY sequence LIMIT ?`,
  dropAudits: 'DELETE FROM audit WHERE sequence <= ?',
  // Sessions are revoked for what they belong to; all others say what has become of it.
  newestAbout: `
    SELECT sequence, action, target, detail FROM audit
    WHERE target = ? AND sequence > ? AND action <> 'session.create' AND action <> 'session.revoke'
    ORDER BY sequence DESC LIMIT 1`,
} as const;

/** Resources that one call reads and tells of: some milliseconds. */
const CARRIED_MAX = 100;

interface Row extends Spoken {
  readonly atMs: number;
  readonly actor: string;
  readonly remoteAddress: string;
  readonly chain: number;
  /** null: from before the log was chained. */
  readonly mac: string | null;
}

export interface Pruning {
  readonly untilMs: number;
  readonly entriesMax: number;
  /** Now. */
  readonly atMs: number;
}

/**
 * See Store.pruneAudit. A session goes with the entry of its creation; that of a session which lives
 * past `untilMs` stays, with all after it. Throws AppError UNAVAILABLE where what would be removed
 * does not verify, or something is not as it says: what shows tampering is not to be tidied away.
 */
export function* pruneAudit(log: AuditLog, { untilMs, entriesMax, atMs }: Pruning): Sql<number> {
  const oldest = yield* all<Row>(AUDIT_PRUNE_SQL.oldestAudits, Math.max(0, entriesMax));
  const sessions = yield* readManySessions(sessionIdsOf(oldest));
  const isYoung = (row: Row) => {
    const session = sessions.get(sessionIdOf(row) ?? '');
    return row.atMs >= untilMs || (session !== undefined && session.expiresAtMs >= untilMs);
  };
  const young = oldest.findIndex(isYoung);
  const old = young === -1 ? oldest : oldest.slice(0, young);
  const { pruned, carried } = yield* carry(log, old, Math.max(atMs, untilMs));
  const last = pruned.at(-1);
  if (last === undefined) return 0;
  // It begins a chain that has not begun, and makes its checkpoint.
  yield* log.head();
  for (const chain of new Set(pruned.map((row) => row.chain))) {
    const ofIt = pruned.filter((row) => row.chain === chain);
    yield* moveCheckpoint(log.key, chain, ofIt);
  }
  for (const entry of carried) yield* log.append(entry);
  for (const row of pruned) checkSession(row, sessions);
  yield* dropSessions(sessionIdsOf(pruned));
  yield* changed(AUDIT_PRUNE_SQL.dropAudits, last.sequence);
  return pruned.length;
}

function sessionIdsOf(rows: readonly Row[]): string[] {
  return rows.map(sessionIdOf).filter((id) => id !== undefined);
}

/** A session that was shortened to be forgotten with its entry is not forgotten; it goes with one entry. */
function checkSession(row: Row, sessions: Map<string, Session>): void {
  const id = sessionIdOf(row);
  if (id === undefined) return;
  const session = sessions.get(id);
  sessions.delete(id);
  if (row.mac === null) return;
  if (session === undefined || !isSessionAsTold(session, row.detail)) throw refusal();
}

/**
 * What is to be said again of what these entries say, and as many of them as that allows. It is said as
 * from now, which is not before `untilMs`, so that it stays for as long as any entry of now does.
 */
function* carry(
  log: AuditLog,
  rows: readonly Row[],
  atMs: number,
): Sql<{ readonly pruned: readonly Row[]; readonly carried: readonly AuditEntry[] }> {
  const carried: AuditEntry[] = [];
  for (const [i, row] of rows.entries()) {
    if (carried.length === CARRIED_MAX) return { pruned: rows.slice(0, i), carried };
    // What was not chained vouches for nothing.
    const entry = row.mac === null ? undefined : yield* carriedOf(log, row, atMs);
    if (entry !== undefined) carried.push(entry);
  }
  return { pruned: rows, carried };
}

/** Says anew what an entry that goes says of a resource, if no later entry says what that is. */
function* carriedOf(log: AuditLog, row: Row, atMs: number): Sql<AuditEntry | undefined> {
  const told = toldOf(row);
  if (told === undefined) return undefined;
  const { kind, id, version, after } = told;
  const stored = yield* readResource(kind, id);
  // Whatever is there has a version that some entry made; what was deleted, an entry that says so.
  if (stored === undefined || after === undefined || stored.version !== version) {
    const newest = (yield* newestAbout(row)) ?? told;
    const isDeleted = newest.after === undefined;
    if (isDeleted ? stored !== undefined : stored?.version !== newest.version) throw refusal();
    return undefined;
  }
  if (!isAsTold(log.key, kind, stored, after)) throw refusal();
  return carryOf(log.key, kind, stored, atMs);
}

/** What the newest entry after this one says of the resource that this one is about. */
function* newestAbout({ target, sequence }: Row): Sql<Told | undefined> {
  const later = yield* first<Spoken>(AUDIT_PRUNE_SQL.newestAbout, target, sequence);
  return later && toldOf(later);
}

/** Walks over entries of one chain and puts its checkpoint behind the last of them. */
function* moveCheckpoint(key: KeyObject, chain: number, rows: readonly Row[]): Sql<void> {
  const checkpoint = yield* readPoint('checkpoint', chain);
  const seal = checkpoint && checkpointSeal(key, checkpoint);
  if (checkpoint === undefined || seal === undefined) throw refusal();
  const { writer } = checkpoint;
  let { sequence, hash } = checkpoint;
  const isWhole = chain === FIRST_CHAIN && isChainStart(key, checkpoint);
  for (const row of rows) {
    // From before the chain; they are pruned before any of it is.
    if (isWhole && row.sequence <= checkpoint.sequence && row.mac === null) continue;
    if (row.mac === null || !isSame(row.mac, entryMac(key, hash, row))) throw refusal();
    sequence = row.sequence;
    hash = row.mac;
  }
  if (sequence > checkpoint.sequence) {
    const point = { writer, sequence, hash };
    yield* putPoint(key, { name: 'checkpoint', chain, point, seal });
  }
}

function refusal(): AppError {
  const message =
    'the audit log does not verify, so none of it is pruned; see propusk audit verify';
  return new AppError('UNAVAILABLE', message);
}
