/** The old end of the audit log, cut off so that the rest still verifies. */
import { entryMac, isSame, isSealed } from '../../domain/audit-chain.ts';
import { AppError } from '../../domain/errors.ts';
import { type AuditLog, readPoint } from './audit.ts';
import type { Connection } from './connection.ts';

/** Every statement of pruneAudit. */
export const AUDIT_PRUNE_SQL = {
  oldestAudits: `
    SELECT sequence, at_ms AS atMs, actor, action, target, remote_address AS remoteAddress, detail,
      mac
    FROM audit WHERE sequence > 0 ORDER BY sequence LIMIT ?`,
  dropAudits: 'DELETE FROM audit WHERE sequence <= ?',
  sessionEnd: 'SELECT expires_at_ms AS expiresAtMs FROM session WHERE id = ?',
  dropSession: 'DELETE FROM session WHERE id = ?',
} as const;

interface Row {
  readonly sequence: number;
  readonly atMs: number;
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly remoteAddress: string;
  readonly detail: string;
  /** null: from before the log was chained. */
  readonly mac: string | null;
}

/**
 * See Store.pruneAudit. A session goes with the entry of its creation; that of a session which lives
 * past `untilMs` stays, with all after it. Throws AppError UNAVAILABLE where what would be removed
 * does not verify: what shows tampering is not to be tidied away.
 */
export function pruneAudit(
  db: Connection,
  log: AuditLog,
  untilMs: number,
  entriesMax: number,
): number {
  const rows = db.all<Row>(AUDIT_PRUNE_SQL.oldestAudits, Math.max(0, entriesMax));
  const kept = rows.findIndex((row) => row.atMs >= untilMs || isOfLivingSession(db, row, untilMs));
  const pruned = kept === -1 ? rows : rows.slice(0, kept);
  const last = pruned.at(-1);
  if (last === undefined) return 0;
  moveCheckpoint(db, log, pruned);
  for (const row of pruned) {
    const sessionId = sessionIdOf(row);
    if (sessionId !== undefined) db.run(AUDIT_PRUNE_SQL.dropSession, sessionId);
  }
  db.run(AUDIT_PRUNE_SQL.dropAudits, last.sequence);
  return pruned.length;
}

function sessionIdOf({ action, target }: Row): string | undefined {
  if (action !== 'session.create') return undefined;
  return target.startsWith('session:') ? target.slice('session:'.length) : undefined;
}

function isOfLivingSession(db: Connection, row: Row, untilMs: number): boolean {
  const id = sessionIdOf(row);
  if (id === undefined) return false;
  const session = db.get<{ expiresAtMs: number }>(AUDIT_PRUNE_SQL.sessionEnd, id);
  return session !== undefined && session.expiresAtMs >= untilMs;
}

/** Walks over the entries and puts the checkpoint behind the last of them. */
function moveCheckpoint(db: Connection, log: AuditLog, rows: readonly Row[]): void {
  // Asked first: it begins a chain that has not begun, and makes its checkpoint.
  const { writer } = log.head;
  const checkpoint = readPoint(db, 'checkpoint');
  if (checkpoint === undefined || !isSealed(log.key, 'checkpoint', checkpoint)) throw refusal();
  let { sequence, hash } = checkpoint;
  for (const row of rows) {
    if (row.sequence <= checkpoint.sequence && row.mac === null) continue;
    const isNext = row.mac !== null && row.sequence === sequence + 1;
    if (!isNext || !isSame(row.mac, entryMac(log.key, hash, row))) throw refusal();
    sequence = row.sequence;
    hash = row.mac;
  }
  if (sequence > checkpoint.sequence) log.putPoint('checkpoint', { writer, sequence, hash });
}

function refusal(): AppError {
  const message =
    'the audit log does not verify, so none of it is pruned; see propusk audit verify';
  return new AppError('UNAVAILABLE', message);
}
