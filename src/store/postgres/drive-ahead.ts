/**
 * Drives a verification of the audit log with few questions: it asks for one row after the other, and over
 * a network each is a journey. What a page of it will be asked about is fetched with the page.
 */
import type pg from 'pg';
import type { AuditEntry } from '../../domain/model.ts';
import { revokedIdsOf, sessionIdOf } from '../sql/audit-states.ts';
import { VERIFY_SQL } from '../sql/audit-verify.ts';
import { VOUCHED_SQL } from '../sql/audit-vouched.ts';
import type { Query, Sql } from '../sql/query.ts';
import { RESOURCE_READ_SQL } from '../sql/resource-reads.ts';
import { SESSION_READ_SQL } from '../sql/sessions.ts';
import { ask } from './connection.ts';

/** A query with one parameter that will follow, for each of these values of it. */
interface Expected {
  readonly sql: string;
  readonly type: 'text' | 'bigint';
  readonly valuesOf: (row: Row) => readonly (string | number)[];
}

type Row = Readonly<Record<string, unknown>>;

const VOUCHING: Expected = {
  sql: VOUCHED_SQL.entry,
  type: 'bigint',
  valuesOf: ({ version }) => [version as number],
};

function ofEach(sql: string): Expected {
  return { sql, type: 'text', valuesOf: ({ id }) => [id as string] };
}

/** What follows each page. */
const EXPECTED: ReadonlyMap<string, readonly Expected[]> = new Map<string, readonly Expected[]>([
  [VERIFY_SQL.keptAudits, [{ sql: SESSION_READ_SQL.session, type: 'text', valuesOf: sessionsOf }]],
  [RESOURCE_READ_SQL.clients, [VOUCHING]],
  [RESOURCE_READ_SQL.allAccounts, [VOUCHING]],
  [RESOURCE_READ_SQL.plans, [VOUCHING, ofEach(RESOURCE_READ_SQL.permissions)]],
  [RESOURCE_READ_SQL.allSubscriptions, [VOUCHING]],
  [
    RESOURCE_READ_SQL.keys,
    [VOUCHING, ofEach(RESOURCE_READ_SQL.keyAccounts), ofEach(RESOURCE_READ_SQL.keyLimits)],
  ],
  [RESOURCE_READ_SQL.operators, [VOUCHING]],
]);

function sessionsOf(row: Row): string[] {
  const entry = row as unknown as Omit<AuditEntry, 'detail'> & { sequence: number; detail: string };
  const made = sessionIdOf(entry);
  return [...(made === undefined ? [] : [made]), ...revokedIdsOf(entry)];
}

/** The answers to one of those queries, by its value: those of the last page. */
type Answers = ReadonlyMap<unknown, readonly Row[]>;

/** See drive; the answers are the same as long as nobody else writes. */
export async function driveAhead<R>(client: pg.Client, sql: Sql<R>): Promise<R> {
  const ahead = new Map<string, Answers>();
  let step = sql.next();
  while (step.done !== true) {
    const query = step.value;
    let found = known(ahead, query);
    if (found === undefined) {
      found = { is: await ask(client, query) };
      for (const expected of EXPECTED.get(query.sql) ?? []) {
        ahead.set(expected.sql, await fetchAll(client, expected, found.is as Row[]));
      }
    }
    step = sql.next(found.is);
  }
  return step.value;
}

/** What a query finds, where that was fetched before. */
function known(
  ahead: ReadonlyMap<string, Answers>,
  { of, sql, values }: Query,
): { readonly is: unknown } | undefined {
  const rows = values.length === 1 ? ahead.get(sql)?.get(values[0]) : undefined;
  return rows && { is: of === 'first' ? rows[0] : rows };
}

async function fetchAll(
  client: pg.Client,
  { sql, type, valuesOf }: Expected,
  page: readonly Row[],
): Promise<Answers> {
  const values = [...new Set(page.flatMap(valuesOf))];
  const answers = new Map<unknown, Row[]>(values.map((value) => [value, []]));
  if (values.length === 0) return answers;
  const text = `
    SELECT ahead.value AS "ahead", found.* FROM unnest($1::${type}[]) AS ahead (value)
    CROSS JOIN LATERAL (${sql.replace('?', 'ahead.value')}) AS found`;
  const { rows } = await client.query<Record<string, unknown>>(text, [values]);
  for (const { ahead, ...row } of rows) answers.get(ahead)?.push(row);
  return answers;
}
