/** What is asked of the audit log. */
import type { AuditEntry, Numbered } from '../../domain/model.ts';
import type { AuditPage, AuditQuery } from '../store.ts';
import { first, rows, type Sql } from './query.ts';

const COLUMNS =
  'sequence, at_ms AS "atMs", actor, action, target, remote_address AS "remoteAddress", detail';

/** Within a window of sequences; what is NULL does not matter. */
const FOUND = `
  sequence > ?1 AND sequence < ?2 AND (CAST(?3 AS TEXT) IS NULL OR actor = ?3) AND (CAST(?4 AS TEXT) IS NULL OR action = ?4)
  AND (CAST(?5 AS TEXT) IS NULL OR target = ?5) AND (CAST(?6 AS BIGINT) IS NULL OR at_ms >= ?6) AND (CAST(?7 AS BIGINT) IS NULL OR at_ms < ?7)`;

/** Every query about the log. */
export const AUDIT_READ_SQL = {
  audit: `SELECT ${COLUMNS} FROM audit WHERE sequence > ? ORDER BY sequence LIMIT ?`,
  oldestAudit: 'SELECT min(sequence) AS sequence FROM audit',
  newestAudit: 'SELECT max(sequence) AS sequence FROM audit',
  findAudit: `SELECT ${COLUMNS} FROM audit WHERE ${FOUND} ORDER BY sequence LIMIT ?8`,
  findNewestAudit: `SELECT ${COLUMNS} FROM audit WHERE ${FOUND} ORDER BY sequence DESC LIMIT ?8`,
} as const;

/** Entries that one page looks at: some milliseconds, on the thread that answers calls. */
const LOOKED_AT_MAX = 5_000;

type Row = Omit<AuditEntry, 'detail'> & { readonly sequence: number; readonly detail: string };

function parse(row: Row): Numbered<AuditEntry> {
  return { ...row, detail: JSON.parse(row.detail) as Record<string, unknown> };
}

/** See Store.audit. */
export function* readAudit(afterSequence: number, limit: number): Sql<Numbered<AuditEntry>[]> {
  // To SQLite a negative limit is none at all.
  return (yield* rows<Row>(AUDIT_READ_SQL.audit, afterSequence, Math.max(0, limit))).map(parse);
}

/** See Store.findAudit. */
export function* findAudit(query: AuditQuery): Sql<AuditPage> {
  const { newestFirst = false, cursor } = query;
  const limit = Math.max(1, query.limit);
  const oldest = yield* sequenceOf(AUDIT_READ_SQL.oldestAudit);
  const newest = yield* sequenceOf(AUDIT_READ_SQL.newestAudit);
  if (oldest === null || newest === null) return { entries: [], cursor: undefined };
  // The window's two ends are not part of it.
  const after = newestFirst
    ? Math.min(cursor ?? newest + 1, newest + 1) - LOOKED_AT_MAX - 1
    : Math.max(cursor ?? 0, oldest - 1);
  const before = after + LOOKED_AT_MAX + 1;
  const page = yield* rows<Row>(
    newestFirst ? AUDIT_READ_SQL.findNewestAudit : AUDIT_READ_SQL.findAudit,
    after,
    before,
    query.actor ?? null,
    query.action ?? null,
    query.target ?? null,
    query.sinceMs ?? null,
    query.untilMs ?? null,
    limit,
  );
  const last = page.length === limit ? page.at(-1)?.sequence : undefined;
  const seen = last ?? (newestFirst ? after + 1 : before - 1);
  const isDone = newestFirst ? seen <= oldest : seen >= newest;
  return { entries: page.map(parse), cursor: isDone ? undefined : seen };
}

/** What happened after an entry: how often, and the newest targets of what took something away. */
export function* happenedAfter(sequence: number): Sql<Happened> {
  return {
    actions: yield* rows<{ action: string; entries: number }>(HAPPENED_SQL.actions, sequence),
    revoked: (yield* rows<{ target: string }>(HAPPENED_SQL.revoked, sequence)).map(
      ({ target }) => target,
    ),
  };
}

export interface Happened {
  readonly actions: readonly { readonly action: string; readonly entries: number }[];
  /** At most 20, the newest first. */
  readonly revoked: readonly string[];
}

/** Asked once, of a database that is not in use. */
const HAPPENED_SQL = {
  actions: `
    SELECT action, count(*) AS entries FROM audit WHERE sequence > ? GROUP BY action ORDER BY action`,
  revoked: `
    SELECT target FROM audit WHERE sequence > ?
      AND (action LIKE '%.revoke' OR action LIKE '%.delete') AND action <> 'session.revoke'
    ORDER BY sequence DESC LIMIT 20`,
} as const;

function* sequenceOf(sql: string): Sql<number | null> {
  return (yield* first<{ sequence: number | null }>(sql))?.sequence ?? null;
}
