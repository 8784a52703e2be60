/** An empty PostgreSQL database that takes over another's records: all of them, or none. */
import type { KeyObject } from 'node:crypto';
import pg from 'pg';
import { AppError } from '../../domain/errors.ts';
import { type CopiedTable, RowRefused } from '../copied.ts';
import { beginRegister } from '../sql/audit-chains.ts';
import { watched } from '../sql/audit-progress.ts';
import { type AuditReport, verifyAudit } from '../sql/audit-verify.ts';
import { StoreError } from '../store.ts';
import { readPrograms } from './audit-programs.ts';
import { clientConfig, connect, drive, leave, lineOf } from './connection.ts';
import { copyIn } from './copy-in.ts';
import { driveAhead } from './drive-ahead.ts';
import { migrate } from './migrate.ts';
import { refusalOf } from './refusals.ts';
import { placeOf } from './url.ts';

/** Tables that are about PostgreSQL itself or its nodes, and that no other engine has. */
const OWN_TABLES: readonly string[] = ['propusk_schema', 'change_feed', 'newest_batch'];

/** How long to wait for those who write to the database, in milliseconds. */
const LOCK_MS_MAX = 10_000;

const TARGET_SQL = {
  // Whatever the server's settings: a copy takes its time. Not every version knows each of them.
  patience: `
    SELECT set_config(name, '0', true) FROM pg_settings WHERE name IN ('statement_timeout',
      'idle_in_transaction_session_timeout', 'transaction_timeout')`,
  columns: `
    SELECT table_name AS name, array_agg(column_name::text) AS columns
    FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
    WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' GROUP BY table_name`,
  sequences: `
    SELECT seq.relname AS sequence, owner.relname AS "table"
    FROM pg_class AS seq
    LEFT JOIN pg_depend ON objid = seq.oid AND classid = 'pg_class'::regclass
      AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i')
    LEFT JOIN pg_class AS owner ON owner.oid = refobjid
    WHERE seq.relkind = 'S' AND seq.relnamespace = current_schema()::regnamespace`,
  // Made anew from all rows in a fraction of the time that it takes with every row. Those of constraints
  // stay, and refuse what they must.
  indexes: `
    SELECT format('DROP INDEX %s', indexrelid::regclass) AS drop, pg_get_indexdef(indexrelid) AS make
    FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
    WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
      AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)`,
  references: `
    SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS drop,
      format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname,
        pg_get_constraintdef(oid)) AS make
    FROM pg_constraint
    WHERE contype = 'f' AND connamespace = current_schema()::regnamespace`,
  // Of a log that has not begun, which every new database has.
  unbegun: "DELETE FROM audit_point WHERE writer = ''",
} as const;

export class CopyTarget {
  /** As people may see it. */
  readonly place: string;
  readonly #client: pg.Client;
  /** What makes what was taken away for the time of the copy. */
  #later: readonly string[] = [];

  private constructor(place: string, client: pg.Client) {
    this.place = place;
    this.#client = client;
  }

  /** Brings the database to this version, and begins. @throws StoreError when it cannot be used */
  static async open(url: string): Promise<CopyTarget> {
    await migrate(url);
    try {
      const client = await connect(clientConfig({ url, statementMsMax: 0 }, 'copy'));
      return new CopyTarget(placeOf(url), client);
    } catch (error) {
      throw refusalOf(url, error);
    }
  }

  /** Begins the transaction. @throws StoreError when the database is not one that can take them over */
  async begin(tables: readonly CopiedTable[]): Promise<void> {
    await this.#query('BEGIN');
    await this.#query(TARGET_SQL.patience);
    const found = await this.#query<{ name: string; columns: string[] }>(TARGET_SQL.columns);
    const own = found.filter(({ name }) => !OWN_TABLES.includes(name));
    checkSchemas(tables, own);
    const [program] = await this.#programs();
    if (program !== undefined) throw new StoreError(`${this.place}: ${program}`);
    await this.#lock(found.map(({ name }) => name));
    await this.#query(TARGET_SQL.unbegun);
    for (const { name } of own) {
      if ((await this.#query(`SELECT 1 FROM "${name}" LIMIT 1`)).length === 0) continue;
      const advice = 'name a database that is new and empty (createdb makes one)';
      throw this.#refusal(`holds records already, in the table ${name}; ${advice}`);
    }
    for (const sql of [TARGET_SQL.indexes, TARGET_SQL.references]) {
      const parts = await this.#query<{ drop: string; make: string }>(sql);
      for (const { drop } of parts) await this.#query(drop);
      this.#later = [...this.#later, ...parts.map(({ make }) => make)];
    }
  }

  /** @throws RowRefused */
  async load({ name, columns }: CopiedTable, chunks: Iterable<Uint8Array>): Promise<void> {
    const list = columns.map((column) => `"${column}"`).join(', ');
    try {
      await copyIn(this.#client, `COPY "${name}" (${list}) FROM STDIN ENCODING 'UTF8'`, chunks);
    } catch (error) {
      const line = refusedLine(error);
      if (line === undefined) throw this.#failure(error);
      throw new RowRefused(name, line, lineOf(error), error);
    }
  }

  /** To be called when all rows are there: numbers go on after theirs, and queries know of them. */
  async settle(tables: readonly CopiedTable[]): Promise<void> {
    for (const make of this.#later) await this.#query(make);
    const sequences = await this.#query<{ sequence: string; table: string | null }>(
      TARGET_SQL.sequences,
    );
    for (const { sequence, table } of sequences) {
      const name = table ?? sequence.replace(/_sequence$/, '');
      if (OWN_TABLES.includes(name)) continue;
      const copied = tables.find((each) => each.name === name);
      if (copied === undefined) throw new Error(`${sequence} numbers no table that was copied`);
      const newest = copied.newestNumber ?? 0;
      await this.#query(`SELECT setval('"${sequence}"', ${newest + 1}, false)`);
    }
    await this.#query('ANALYZE');
  }

  /** How many rows there are. */
  async count({ name }: CopiedTable): Promise<number> {
    const [row] = await this.#query<{ rows: number }>(`SELECT count(*) AS rows FROM "${name}"`);
    return row?.rows ?? 0;
  }

  /** @param onChecked told of entries and resources as they are verified */
  async verify(key: KeyObject, onChecked: (count: number) => void): Promise<AuditReport> {
    try {
      return await driveAhead(this.#client, watched(verifyAudit(key), onChecked));
    } catch (error) {
      throw this.#failure(error);
    }
  }

  /**
   * The log, which had one chain, gets the register that it has here.
   * @throws StoreError where it has no ends that it could go on from
   */
  async register(key: KeyObject): Promise<void> {
    try {
      await drive(this.#client, beginRegister(key));
    } catch (error) {
      if (!(error instanceof AppError)) throw this.#failure(error);
      const advice = 'propusk restore --unverified makes it begin anew, from a backup of itself';
      throw new StoreError(`the audit log is one that nothing can go on from; ${advice}`, error);
    }
  }

  async commit(): Promise<void> {
    try {
      await this.#client.query('COMMIT');
    } catch (error) {
      const advice = 'copy again: it is refused where the records are all there';
      const what = `whether they were kept is not known (${lineOf(error)}); ${advice}`;
      throw new StoreError(`${this.place} was given all records, but ${what}`, error);
    }
  }

  /** Leaves at once, whatever is under way; what was not committed is gone. */
  abort(): void {
    this.#client.connection.stream.destroy();
  }

  /** The same, as people take their leave. */
  async close(): Promise<void> {
    await leave(this.#client);
  }

  /** What would change rows on their way, or after. */
  async #programs(): Promise<readonly string[]> {
    try {
      return await drive(this.#client, readPrograms());
    } catch (error) {
      throw this.#failure(error);
    }
  }

  async #lock(tables: readonly string[]): Promise<void> {
    const list = tables.map((name) => `"${name}"`).join(', ');
    try {
      await this.#client.query(`SET LOCAL lock_timeout = ${LOCK_MS_MAX}`);
      await this.#client.query(`LOCK TABLE ${list} IN ACCESS EXCLUSIVE MODE`);
      await this.#client.query('SET LOCAL lock_timeout = 0');
    } catch (error) {
      if (error instanceof pg.DatabaseError && error.code === '55P03') {
        throw this.#refusal('is in use by another program; stop that first');
      }
      throw this.#failure(error);
    }
  }

  async #query<R extends object>(sql: string): Promise<R[]> {
    try {
      return (await this.#client.query<R>(sql)).rows;
    } catch (error) {
      throw this.#failure(error);
    }
  }

  #refusal(why: string): StoreError {
    return new StoreError(`${this.place} ${why}`);
  }

  #failure(error: unknown): StoreError {
    if (error instanceof StoreError) return error;
    return new StoreError(`${this.place} failed, and nothing was copied: ${lineOf(error)}`, error);
  }
}

/** The line of a COPY whose values the server does not take; undefined where that is not what failed. */
function refusedLine(error: unknown): number | undefined {
  // Classes of SQLSTATE: what cannot be a value, and what may not be one.
  if (!(error instanceof pg.DatabaseError) || !/^2[23]/.test(error.code ?? '')) return undefined;
  const [, line] = /^COPY \S+, line (\d+)/.exec(error.where ?? '') ?? [];
  return line === undefined ? undefined : Number(line);
}

/** Every table and every column has one on the other side: what has none would be lost unseen. */
function checkSchemas(
  source: readonly CopiedTable[],
  target: readonly { readonly name: string; readonly columns: readonly string[] }[],
): void {
  const namesOf = (tables: readonly { name: string; columns: readonly string[] }[]) =>
    new Set(tables.flatMap(({ name, columns }) => columns.map((column) => `${name}.${column}`)));
  const [from, to] = [namesOf(source), namesOf(target)];
  const odd = [...from.symmetricDifference(to)].sort();
  if (odd.length === 0) return;
  throw new StoreError(`the two databases do not have the same columns: ${odd.join(', ')}`);
}
