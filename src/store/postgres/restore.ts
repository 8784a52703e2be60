/** A PostgreSQL database after its operators have put it back: what was issued before is ended. */
import type { KeyObject } from 'node:crypto';
import type pg from 'pg';
import type { AuditEntry } from '../../domain/model.ts';
import { AuditLog } from '../sql/audit.ts';
import { beginChain, readChains } from '../sql/audit-chains.ts';
import { readPoints } from '../sql/audit-points.ts';
import type { AuditReport } from '../sql/audit-verify.ts';
import { changed, first, type Sql } from '../sql/query.ts';
import { type DatabaseReport, readReport } from '../sql/report.ts';
import { endAll, newestNumber } from '../sql/restoration.ts';
import { StoreError } from '../store.ts';
import { drive } from './connection.ts';
import { checkVersion, connected, verifyAll } from './maintenance.ts';
import { MIGRATION_LOCK, migrate } from './migrate.ts';
import { LOCKS, nextNumbers } from './transaction.ts';
import { placeOf } from './url.ts';

/** How long it waits for others to be done, in milliseconds. */
const LOCK_MS_MAX = 10_000;

const SQL = {
  patience: `SET lock_timeout = ${LOCK_MS_MAX}`,
  // Servers that start wait until this is over, and what may be left of others writes no more.
  keepOut: `SELECT pg_advisory_lock(${MIGRATION_LOCK}), pg_advisory_lock(${LOCKS}, 0)`,
  others: `
    SELECT count(*) AS connections FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
      AND application_name LIKE 'propusk %' AND application_name <> 'propusk migrate'`,
  numberAfter: `
    SELECT setval('audit_sequence',
      greatest((SELECT last_value FROM audit_sequence), CAST(? AS bigint)))`,
} as const;

/**
 * Revokes all sessions and drops the signing keys, brought to this version first. Refuses while
 * servers are connected. Answers after which entry the log begins anew; undefined where it goes on.
 *
 * @param judge is told what the database says of itself, and how to verify it; what it throws refuses,
 * and nothing has changed; what it answers is noted in the log
 */
export async function endRestored(
  url: string,
  key: KeyObject,
  judge: (found: DatabaseReport, verify: () => Sql<AuditReport>) => Sql<AuditEntry>,
): Promise<number | undefined> {
  await migrate(url);
  return connected(url, 'restore', async (client) => {
    await drive(client, changed(SQL.patience));
    await drive(client, first(SQL.keepOut));
    await refuseOthers(client, url);
    await checkVersion(client, url);
    await drive(client, changed('BEGIN ISOLATION LEVEL REPEATABLE READ'));
    const audit = await drive(client, judged(judge, key));
    const openLog = () => openedLog(key, audit.atMs);
    const begunAfter = await drive(client, endAll({ key, audit, openLog }));
    await drive(client, changed('COMMIT'));
    return begunAfter;
  });
}

function* judged(judge: Parameters<typeof endRestored>[2], key: KeyObject): Sql<AuditEntry> {
  return yield* judge(yield* readReport(), () => verifyAll(key));
}

/** A server knows sessions and keys by heart, and would not hear of what is changed here. */
async function refuseOthers(client: pg.Client, url: string): Promise<void> {
  const found = await drive(client, first<{ connections: number }>(SQL.others));
  const connections = found?.connections ?? 0;
  if (connections === 0) return;
  const what = connections === 1 ? '1 connection' : `${connections} connections`;
  throw new StoreError(`${what} of propusk to ${placeOf(url)} are open; stop its servers first`);
}

/** The first chain, which no server writes now; begun where there is none. */
function* openedLog(key: KeyObject, nowMs: number): Sql<AuditLog> {
  const ends = (yield* readPoints()).map(({ sequence }) => sequence);
  // Numbers that the database was put back behind, or set back to, are not given again.
  yield* first(SQL.numberAfter, Math.max(1, yield* newestNumber(), ...ends));
  let [chain] = yield* readChains();
  if (chain === undefined) {
    const [sequence = 0] = yield* nextNumbers(1);
    chain = yield* beginChain(key, nowMs, sequence, nextNumbers);
  }
  return new AuditLog(key, { chain, nextNumbers });
}
