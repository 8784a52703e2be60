/** Backups of the database, and what a restoration of one loses. */
import type { Clock } from '../domain/clock.ts';
import type { MasterKey } from '../domain/master-key.ts';
import type { AuditEntry } from '../domain/model.ts';
import { happenedAfter } from '../store/sql/audit-reads.ts';
import { verifyAudit } from '../store/sqlite/audit-verify.ts';
import type { Connection } from '../store/sqlite/connection.ts';
import { backUpFile, look, reportOf } from '../store/sqlite/maintenance.ts';
import { restoreFile } from '../store/sqlite/restore.ts';
import { fileOf } from '../store/sqlite/sqlite.ts';
import { StoreError } from '../store/store.ts';
import { messageOf } from './files.ts';
import { databaseOf, masterKeyOf, otherMasterKey, type Place } from './place.ts';

/** Copies the database, in use or not, into a new file; answers what to tell. */
export async function backUp(place: Place, copy: string): Promise<string[]> {
  const { head } = await backUpFile(fileOf(databaseOf(place)), copy);
  return [
    `${copy} is a copy up to audit entry ${head?.sequence ?? 0}`,
    'keep it apart from the master key: who has both has everything',
  ];
}

/**
 * Puts a copy in the place of a database that no server has open; answers what to tell.
 * @param isUnverified take it though its audit log does not verify
 */
export async function restore(
  place: Place,
  copy: string,
  isUnverified: boolean,
  clock: Clock,
): Promise<string[]> {
  const database = databaseOf(place);
  const masterKey = masterKeyOf(place);
  let gap: string[] = [];
  let faults: readonly string[] = [];
  const done = await restoreFile(copy, database, masterKey.auditKey, (db, current) => {
    const end = judgeCopy(db, copy, masterKey, isUnverified);
    faults = end.faults;
    gap = gapSince(end, current);
    return restored(end, clock.now());
  });
  const { aside, begunAfter } = done;
  return [
    `${fileOf(database)} is now what ${copy} holds`,
    ...(aside === undefined ? [] : [`what was there before is ${aside}`]),
    ...gap,
    ...unverified(faults, begunAfter),
    'all sessions are revoked, also those that the copy does not know: everybody signs in again',
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
    '  clients, keys, operators and all else count as what the copy holds: look through them',
    '  to audit verify --since, heads from before are those of another log',
  ];
}

/** Where a copy's log ends. */
interface End {
  /** Of the log; none unless the copy is to be taken all the same. */
  readonly faults: readonly string[];
  readonly writer: string;
  readonly sequence: number;
  readonly atMs: number | undefined;
}

function judgeCopy(db: Connection, copy: string, masterKey: MasterKey, isUnverified: boolean): End {
  const { damages, masterKeyCheck, head, newestAtMs, newestSequence } = reportOf(db);
  const [damage] = damages;
  if (damage !== undefined) throw new StoreError(`${copy} is damaged: ${damage}`);
  if (masterKeyCheck === undefined || !masterKey.matches(masterKeyCheck)) {
    throw otherMasterKey(copy);
  }
  const { faults } = verifyAudit(db, masterKey.auditKey);
  const [fault] = faults;
  if (fault !== undefined && !isUnverified) {
    const advice = 'another copy may be better; --unverified takes it all the same';
    throw new StoreError(`the audit log of ${copy} does not verify: ${fault}; ${advice}`);
  }
  // A head that was changed says nothing about where the log ends.
  const sequence = fault === undefined ? (head?.sequence ?? 0) : newestSequence;
  return { faults, writer: head?.writer ?? '', sequence, atMs: newestAtMs };
}

function restored({ sequence, atMs: copyEndsAtMs }: End, atMs: number): AuditEntry {
  const what = { actor: 'propusk', action: 'database.restore', target: 'database' };
  return { ...what, atMs, remoteAddress: '', detail: { sequence, copyEndsAtMs } };
}

/** What is lost: everything that happened after the copy was made. */
function gapSince({ writer, sequence, atMs }: End, current: string | undefined): string[] {
  const instant = atMs === undefined ? 'its making' : new Date(atMs).toISOString();
  const everything = `the copy ends with audit entry ${sequence}, at ${instant}`;
  if (current === undefined) return [`${everything}: what happened after it is lost`];
  try {
    return look(current, (db) => {
      const { head } = reportOf(db);
      if (head?.writer !== writer) {
        return [`${everything}; what was there before is another database's log`];
      }
      const { actions, revoked } = db.snapshot(() => db.drive(happenedAfter(sequence)));
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
