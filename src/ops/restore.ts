/** The database put back to what it was, and what that loses. */
import type { Clock } from '../domain/clock.ts';
import type { MasterKey } from '../domain/master-key.ts';
import type { AuditEntry } from '../domain/model.ts';
import { endRestored } from '../store/postgres/restore.ts';
import { isPostgres } from '../store/postgres/url.ts';
import type { ChainHead } from '../store/sql/audit-points.ts';
import { happenedAfter } from '../store/sql/audit-reads.ts';
import type { AuditReport } from '../store/sql/audit-verify.ts';
import type { Sql } from '../store/sql/query.ts';
import type { DatabaseReport } from '../store/sql/report.ts';
import { verifyAll } from '../store/sqlite/audit-verify.ts';
import { look, reportOf } from '../store/sqlite/maintenance.ts';
import { restoreFile } from '../store/sqlite/restore.ts';
import { StoreError } from '../store/store.ts';
import { whereIs } from '../store/upkeep.ts';
import { readHeadFile } from './audit-report.ts';
import { messageOf } from './files.ts';
import { databaseOf, masterKeyOf, otherMasterKey, type Place } from './place.ts';

export interface RestoreOptions {
  /** A file that propusk backup made; PostgreSQL's own tools put a database back, without one. */
  readonly copy: string | undefined;
  /** Take it though its audit log does not verify. */
  readonly isUnverified: boolean;
  /** A file of heads of the audit log that were kept elsewhere: what they know of is lost. */
  readonly since: string | undefined;
  readonly clock: Clock;
}

/** Ends a restoration of a database that no server has open; answers what to tell. */
export function restore(place: Place, options: RestoreOptions): Promise<string[]> {
  const { copy } = options;
  if (isPostgres(databaseOf(place))) {
    if (copy === undefined) return restoredBefore(place, options);
    const advice = "put it back by PostgreSQL's own tools, then run propusk restore without a file";
    throw new StoreError(`${copy} is not for PostgreSQL: ${advice}`);
  }
  if (copy === undefined)
    throw new StoreError('the file to restore is missing: propusk restore FILE');
  return restoreCopy(place, copy, options);
}

/** Puts a copy in the place of the database. */
async function restoreCopy(
  place: Place,
  copy: string,
  { isUnverified, since, clock }: RestoreOptions,
): Promise<string[]> {
  const database = databaseOf(place);
  const masterKey = masterKeyOf(place);
  const known = since === undefined ? [] : readHeadFile(since);
  let gap: string[] = [];
  let faults: readonly string[] = [];
  const done = await restoreFile(copy, database, masterKey.auditKey, (db, current) => {
    const report = reportOf(db);
    const [damage] = report.damages;
    if (damage !== undefined) throw new StoreError(`${copy} is damaged: ${damage}`);
    const verify = () => verifyAll(masterKey.auditKey);
    const end = db.snapshot(() =>
      db.drive(judge(copy, report, { masterKey, isUnverified, verify })),
    );
    faults = end.faults;
    gap = [...gapSince(end, current), ...gapOfHeads(end, known)];
    return restored(end, clock.now());
  });
  const { aside, begunAfter } = done;
  return [
    `${whereIs(database)} is now what ${copy} holds`,
    ...(aside === undefined ? [] : [`what was there before is ${aside}`]),
    ...gap,
    ...unverified(faults, begunAfter),
    'all sessions are revoked, also those that the copy does not know: everybody signs in again',
    'take a new head: propusk audit head',
  ];
}

/** Ends what PostgreSQL's own tools have done. */
async function restoredBefore(
  place: Place,
  { isUnverified, since, clock }: RestoreOptions,
): Promise<string[]> {
  const database = databaseOf(place);
  const masterKey = masterKeyOf(place);
  const where = whereIs(database);
  const known = since === undefined ? [] : readHeadFile(since);
  let gap: string[] = [];
  let faults: readonly string[] = [];
  const begunAfter = await endRestored(database, masterKey.auditKey, function* (report, verify) {
    const end = yield* judge(where, report, { masterKey, isUnverified, verify });
    faults = end.faults;
    gap = [`${endOf(end, where)}: what happened after it is lost`, ...gapOfHeads(end, known)];
    return restored(end, clock.now());
  });
  return [
    ...gap,
    ...unverified(faults, begunAfter),
    'all sessions are revoked, also those that it does not know: everybody signs in again',
    'take a new head: propusk audit head',
  ];
}

/** What it means that a copy was taken whose log does not verify. */
function unverified(faults: readonly string[], begunAfter: number | undefined): string[] {
  if (faults.length === 0) return [];
  const found = [
    'TAKEN THOUGH ITS AUDIT LOG DOES NOT VERIFY:',
    ...faults.map((fault) => `  ${fault}`),
  ];
  if (begunAfter === undefined) return [...found, 'propusk audit verify goes on saying so'];
  return [
    ...found,
    `nothing can go on from such a log, so it begins anew after entry ${begunAfter}:`,
    `  entries up to ${begunAfter} are kept, and whether they were changed nobody can find any more`,
    '  clients, keys, operators and all else count as what is there: look through them',
    '  to audit verify --since, heads from before are those of another log',
  ];
}

/** Where the log of what is restored ends. */
interface End {
  /** Of the log; none unless it is to be taken all the same. */
  readonly faults: readonly string[];
  /** Of each chain. */
  readonly heads: readonly ChainHead[];
  readonly sequence: number;
  readonly atMs: number | undefined;
}

interface Judging {
  readonly masterKey: MasterKey;
  readonly isUnverified: boolean;
  readonly verify: () => Sql<AuditReport>;
}

/** @param what is restored, as people know it */
function* judge(
  what: string,
  report: DatabaseReport,
  { masterKey, isUnverified, verify }: Judging,
): Sql<End> {
  const { masterKeyCheck, heads, newestAtMs, newestSequence } = report;
  if (masterKeyCheck === undefined || !masterKey.matches(masterKeyCheck)) {
    throw otherMasterKey(what);
  }
  const { faults } = yield* verify();
  const [fault] = faults;
  if (fault !== undefined && !isUnverified) {
    const advice = 'another copy may be better; --unverified takes it all the same';
    throw new StoreError(`the audit log of ${what} does not verify: ${fault}; ${advice}`);
  }
  // A head that was changed says nothing about where the log ends.
  const ends = heads.map((head) => head.sequence);
  const sequence = fault === undefined ? Math.max(0, ...ends) : newestSequence;
  return { faults, heads, sequence, atMs: newestAtMs };
}

function restored({ sequence, atMs: copyEndsAtMs }: End, atMs: number): AuditEntry {
  const what = { actor: 'propusk', action: 'database.restore', target: 'database' };
  return { ...what, atMs, remoteAddress: '', detail: { sequence, copyEndsAtMs } };
}

function endOf({ sequence, atMs }: End, what: string): string {
  const instant = atMs === undefined ? 'its making' : new Date(atMs).toISOString();
  return `${what} ends with audit entry ${sequence}, at ${instant}`;
}

/** What heads that were kept elsewhere know of, and the log that is restored does not. */
function gapOfHeads({ heads }: End, known: readonly ChainHead[]): string[] {
  if (known.length === 0) return [];
  const lines = known.flatMap((since) => {
    const head = heads.find(({ writer }) => writer === since.writer);
    const chain = known.length === 1 && heads.length <= 1 ? 'the log' : `chain ${since.chain}`;
    const had = `${chain} had come to entry ${since.sequence}`;
    if (head === undefined) return [`  ${had}, and nothing of it is there: all of it is lost`];
    if (head.sequence >= since.sequence) return [];
    return [`  ${had}, and ends with ${head.sequence}: what it told after that is lost`];
  });
  if (lines.length === 0) return ['nothing that the head given knows of is lost'];
  return ['by the head given:', ...lines];
}

/** What is lost: everything that happened after the copy was made. */
function gapSince(end: End, current: string | undefined): string[] {
  const everything = endOf(end, 'the copy');
  if (current === undefined) return [`${everything}: what happened after it is lost`];
  try {
    return look(current, (db) => {
      const [head] = reportOf(db).heads;
      if (head === undefined || head.writer !== end.heads[0]?.writer) {
        return [`${everything}; what was there before is another database's log`];
      }
      const { actions, revoked } = db.snapshot(() => db.drive(happenedAfter(end.sequence)));
      if (actions.length === 0) return [`${everything}, as what was there before does`];
      const sums = actions.map(({ action, entries }) => `  ${entries} x ${action}`);
      const again = revoked.map((target) => `  ${target}`);
      return [
        ...[`${everything}; lost, up to entry ${head.sequence}:`, ...sums],
        ...(again.length === 0 ? [] : ['REVOKED OR DELETED SINCE, AND THERE AGAIN:', ...again]),
      ];
    });
  } catch (error) {
    return [`${everything}; what was lost cannot be told: ${messageOf(error)}`];
  }
}
