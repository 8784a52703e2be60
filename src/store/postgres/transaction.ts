/**
 * One batch of writes in one transaction. One lock stands for all: a batch of sessions alone shares
 * it, any other has it alone. So no revocation comes between a session and its key, what must hold of
 * several rows holds, and what is announced is numbered in the order of the commits.
 */
import type { KeyObject } from 'node:crypto';
import type pg from 'pg';
import { AuditLog } from '../sql/audit.ts';
import { doWrite, doWrites } from '../sql/batch.ts';
import { changed, first, rows, type Sql } from '../sql/query.ts';
import { WRITES } from '../sql/writes.ts';
import type { Change } from '../store.ts';
import type { Outcome, Write } from '../writes.ts';
import { DatabaseFailure, drive } from './connection.ts';
import { changeRow } from './feed-rows.ts';

/** Of all advisory locks of ours: `Prpk` in ASCII. The second number is 0 here, a chain's elsewhere. */
export const LOCKS = 0x5072706b;

const SQL = {
  begin: 'BEGIN',
  commit: 'COMMIT',
  rollback: 'ROLLBACK',
  lock: `SELECT pg_advisory_xact_lock(${LOCKS}, 0)`,
  lockShared: `SELECT pg_advisory_xact_lock_shared(${LOCKS}, 0)`,
  transactionId: 'SELECT CAST(pg_current_xact_id() AS text) AS id',
  status: 'SELECT pg_xact_status(CAST(? AS xid8)) AS status',
  noteBatch: `
    INSERT INTO newest_batch (node, batch) VALUES (?, ?)
    ON CONFLICT (node) DO UPDATE SET batch = excluded.batch, at_ms = excluded.at_ms`,
  newestBatch: 'SELECT batch FROM newest_batch WHERE node = ?',
  auditNumbers: `SELECT nextval('audit_sequence') AS number FROM generate_series(1, ?)`,
  announce: `
    INSERT INTO change_feed (node, kind, id, expires_at_ms)
    SELECT CAST(?1 AS text), kind, id, expires_at_ms
    FROM unnest(CAST(?2 AS text[]), CAST(?3 AS text[]), CAST(?4 AS bigint[]))
      AS changes (kind, id, expires_at_ms)`,
  notify: `SELECT pg_notify('propusk_change', '')`,
} as const;

/** A connection that writes, and the chain of the audit log that is its own. */
export interface Writer {
  readonly client: pg.Client;
  /** undefined where nothing that has an audit entry can be written. */
  readonly auditKey: KeyObject | undefined;
  readonly chain: number;
  /** What the feed, and what is asked about a batch, know this process by. */
  readonly node: string;
}

/** A transaction, by which its server knows what became of it. */
export interface Transaction {
  /** The server's own; after it was killed it may be another's. */
  readonly id: string;
  readonly node: string;
  /** The node's own number of the batch. */
  readonly batch: number;
}

/** The connection was lost at COMMIT: only the server knows what became of it. */
export class CommitInDoubt extends Error {
  readonly transaction: Transaction;
  readonly outcomes: readonly Outcome[];

  constructor(transaction: Transaction, outcomes: readonly Outcome[], cause: unknown) {
    super('the connection was lost at COMMIT', { cause });
    this.transaction = transaction;
    this.outcomes = outcomes;
  }
}

/**
 * @param number of the batch, that of no other of this node
 * @param onCommit hears, before COMMIT is sent, what may be changed from then on
 * @throws DatabaseFailure when nothing is kept; CommitInDoubt when it is not known
 */
export async function runTransaction(
  writer: Writer,
  batch: readonly Write[],
  number: number,
  onCommit: (changes: readonly Change[]) => void,
): Promise<readonly Outcome[]> {
  const { client, auditKey, chain, node } = writer;
  try {
    const noted = { node, batch: number };
    const id = await begin(client, batch.every(isSession) ? SQL.lockShared : SQL.lock, noted);
    const log = new AuditLog(auditKey, { chain, nextNumbers });
    if (auditKey !== undefined) await drive(client, prepared(log, batch.length));
    const outcomes: Outcome[] = [];
    const releases: Promise<unknown>[] = [];
    for (const part of partsOf(batch)) {
      outcomes.push(...(await doPart(client, part, log, releases)));
    }
    await Promise.all([drive(client, log.finish()), ...releases]);
    const changes = outcomes.flatMap((outcome) => (outcome.ok ? outcome.changes : []));
    onCommit(changes);
    await commit(client, changes, node).catch((error) => {
      if (!(error instanceof DatabaseFailure) || !error.isOfConnection) throw error;
      throw new CommitInDoubt({ id, ...noted }, outcomes, error);
    });
    return outcomes;
  } catch (error) {
    // Where the connection is lost, so is the transaction.
    await drive(client, changed(SQL.rollback)).catch(() => {});
    throw error;
  }
}

/**
 * Begins, and has the lock before it looks at anything; answers the transaction's id.
 * @param noted under which `fateOf` finds it afterwards
 */
export async function begin(
  client: pg.Client,
  lock: string = SQL.lock,
  noted?: Omit<Transaction, 'id'>,
): Promise<string> {
  const [, , found] = await Promise.all([
    drive(client, changed(SQL.begin)),
    drive(client, first(lock)),
    drive(client, first<{ id: string }>(SQL.transactionId)),
    noted && drive(client, changed(SQL.noteBatch, noted.node, noted.batch)),
  ]);
  return found?.id ?? '';
}

/** What is announced goes along. */
export async function commit(
  client: pg.Client,
  changes: readonly Change[] = [],
  node = '',
): Promise<void> {
  const asked: Promise<unknown>[] = [];
  if (changes.length > 0) {
    const announced = changes.map(changeRow);
    const lists = [
      announced.map(({ kind }) => kind),
      announced.map(({ id }) => id),
      announced.map(({ expiresAtMs }) => expiresAtMs),
    ];
    // Arrays are for PostgreSQL alone, and values of the logic that both engines share are not.
    const values = [node, ...(lists as unknown as string[])];
    asked.push(drive(client, changed(SQL.announce, ...values)));
    asked.push(drive(client, first(SQL.notify)));
  }
  asked.push(drive(client, changed(SQL.commit)));
  // All of them are waited for: of a transaction that failed before, COMMIT says that all is well.
  await Promise.all(asked);
}

/** Numbers of entries to come: asked for under the lock, so that those of changes grow. */
export function* nextNumbers(count: number): Sql<readonly number[]> {
  return (yield* rows<{ number: number }>(SQL.auditNumbers, count)).map(({ number }) => number);
}

function* prepared(log: AuditLog, entries: number): Sql<void> {
  yield* log.head();
  yield* log.reserve(entries);
}

function isSession({ name }: Write): boolean {
  return name === 'createSession';
}

/** The batch in its order: sessions that follow each other are one part, any other write is its own. */
function partsOf(batch: readonly Write[]): Write[][] {
  const parts: Write[][] = [];
  for (const write of batch) {
    const last = parts.at(-1);
    if (last !== undefined && isSession(write) && last.every(isSession)) last.push(write);
    else parts.push([write]);
  }
  return parts;
}

/**
 * Writes of one part do not rest on each other, so they go out together; where one is refused, they
 * are done again one by one.
 * @param releases gets what is to be waited for before COMMIT
 */
async function doPart(
  client: pg.Client,
  part: readonly Write[],
  log: AuditLog,
  releases: Promise<unknown>[],
): Promise<Outcome[]> {
  if (part.length === 1) return drive(client, doWrites(WRITES, part, log));
  const mark = log.mark();
  const [, ...ends] = await Promise.allSettled([
    drive(client, changed('SAVEPOINT one_part')),
    ...part.map((write) => drive(client, doWrite(WRITES, write, log))),
  ]);
  const outcomes: Outcome[] = [];
  for (const end of ends) {
    if (end.status === 'fulfilled')
      outcomes.push({ ok: true, ...(end.value as object) } as Outcome);
  }
  if (outcomes.length === part.length) {
    // Only now: what refuses a write may be its own logic, and the server know nothing of it.
    const release = drive(client, changed('RELEASE SAVEPOINT one_part'));
    release.catch(() => {});
    releases.push(release);
    return outcomes;
  }
  await drive(client, changed('ROLLBACK TO SAVEPOINT one_part'));
  log.resetTo(mark);
  return drive(client, doWrites(WRITES, part, log));
}

/** What became of a transaction; undefined while it is under way. */
export function* fateOf({
  id,
  node,
  batch,
}: Transaction): Sql<'committed' | 'aborted' | undefined> {
  if ((yield* statusOf(id)) === 'in progress') return undefined;
  // Asked after that, so that what was committed is seen.
  const newest = yield* first<{ batch: number }>(SQL.newestBatch, node);
  return newest?.batch === batch ? 'committed' : 'aborted';
}

/** Of the transaction that has this id now; null where nobody knows. */
function* statusOf(id: string): Sql<string | null> {
  try {
    return (yield* first<{ status: string | null }>(SQL.status, id))?.status ?? null;
  } catch {
    // One that is still to be given: the server was killed and has forgotten it.
    return null;
  }
}
