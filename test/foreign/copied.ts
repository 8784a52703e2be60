/** What is compared after a copy: every row of an SQLite and of a PostgreSQL database, as text. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import type { PostgresServer } from './postgres-server.ts';

type Rows = Readonly<Record<string, readonly string[]>>;

/** Every table's rows, each one text, in the order of the texts. */
function asTexts(tables: Readonly<Record<string, readonly Record<string, unknown>[]>>): Rows {
  const textOf = (row: Record<string, unknown>) =>
    JSON.stringify(
      Object.entries(row)
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, value]) => [name, value === null ? null : String(value)]),
    );
  return Object.fromEntries(
    Object.entries(tables).map(([name, rows]) => [name, rows.map(textOf).toSorted()]),
  );
}

export function rowsOfSqlite(file: string): Rows {
  const db = new DatabaseSync(file, { readOnly: true });
  const names = db
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'sqlite_sequence'")
    .all()
    .map(({ name }) => String(name));
  const tables = names.map((name) => [name, db.prepare(`SELECT * FROM "${name}"`).all()] as const);
  db.close();
  return asTexts(Object.fromEntries(tables));
}

export async function rowsOfPostgres(server: PostgresServer, url: string): Promise<Rows> {
  const tables: Record<string, Record<string, unknown>[]> = {};
  for (const { name } of await server.query(
    url,
    `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'
       AND tablename NOT IN ('propusk_schema', 'change_feed', 'newest_batch')`,
  )) {
    // The register is PostgreSQL's own, and no other engine keeps one.
    const own = name === 'audit_point' ? " WHERE name <> 'register'" : '';
    tables[String(name)] = await server.query(url, `SELECT * FROM "${name}"${own}`);
  }
  return asTexts(tables);
}

/** No table holds a record. */
export async function assertEmpty(server: PostgresServer, url: string): Promise<void> {
  const { audit_point: points = [], ...others } = await rowsOfPostgres(server, url);
  for (const [name, rows] of Object.entries(others)) assert.deepEqual(rows, [], name);
  assert.ok(points.every((point) => point.includes('["writer",""]')));
}

/** What an application sees of the schema: its indexes, constraints and columns. */
export function schemaOf(server: PostgresServer, url: string): Promise<Record<string, unknown>[]> {
  return server.query(
    url,
    `SELECT indexdef AS part FROM pg_indexes WHERE schemaname = 'public'
     UNION ALL
     SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
     FROM pg_constraint WHERE connamespace = 'public'::regnamespace
     UNION ALL
     SELECT table_name || ' ' || column_name || ' ' || data_type || coalesce(column_default, '')
     FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1`,
  );
}
