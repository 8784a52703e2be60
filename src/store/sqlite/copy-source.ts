/** A stopped service's database, read whole and in order, for another engine to take over. */
import type { KeyObject } from 'node:crypto';
import { existsSync, realpathSync } from 'node:fs';
import type { CopiedTable } from '../copied.ts';
import type { AuditReport } from '../sql/audit-verify.ts';
import { StoreError } from '../store.ts';
import { verifyAudit } from './audit-verify.ts';
import type { Connection } from './connection.ts';
import { asStoreError, type FileLock, lockFile } from './file.ts';
import { type FileReport, openAtVersion, reportOf } from './maintenance.ts';

/** Bytes that are sent at a time, or a little more. */
const CHUNK_BYTES = 65_536;

const SOURCE_SQL = {
  tables: `
    SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name`,
  columns: 'SELECT name, type, pk FROM pragma_table_info(?) ORDER BY cid',
  references: 'SELECT DISTINCT "table" AS name FROM pragma_foreign_key_list(?)',
  numbers: 'SELECT name, seq FROM sqlite_sequence',
  // A log that a restoration began anew ends where no entry is.
  auditEnd: 'SELECT coalesce(max(sequence), 0) AS seq FROM audit_point',
} as const;

/** A chunk of rows as PostgreSQL's COPY reads them. */
export interface Chunk {
  readonly data: Buffer;
  readonly rows: number;
}

interface Column {
  readonly name: string;
  readonly type: string;
  /** From 1, the place in the primary key; 0 for one that is not in it. */
  readonly pk: number;
}

export class CopySource {
  readonly file: string;
  /** Each after those that it refers to. */
  readonly tables: readonly CopiedTable[];
  readonly #db: Connection;
  readonly #lock: FileLock;

  /**
   * Takes the database for this process alone, and reads it as it is now.
   * @throws StoreError when a server has it open, or it is not there or not at this version
   */
  constructor(path: string) {
    // Not made when it is missing, as the lock beside it would be.
    if (!existsSync(path)) throw new StoreError(`${path} is not there`);
    this.file = realpathSync(path);
    this.#lock = lockFile(this.file, 'stop it first: what it writes meanwhile would be lost');
    let db: Connection | undefined;
    try {
      db = openAtVersion(this.file);
      db.run('BEGIN');
      this.#db = db;
      this.tables = tablesOf(db);
    } catch (error) {
      db?.close();
      this.#lock.close();
      throw asStoreError(this.file, error);
    }
  }

  report(): FileReport {
    return this.#ask(() => reportOf(this.#db));
  }

  /** @param onChecked told of entries and resources as they are verified */
  verify(key: KeyObject, onChecked: (count: number) => void): AuditReport {
    return this.#ask(() => verifyAudit(this.#db, key, {}, onChecked));
  }

  /**
   * The table's rows in the order of their keys, as text that COPY reads; bytes are as they are kept.
   * @throws StoreError, between any two of them
   */
  *chunks(table: CopiedTable): Generator<Chunk> {
    try {
      yield* this.#chunks(table);
    } catch (error) {
      throw asStoreError(this.file, error);
    }
  }

  *#chunks({ name }: CopiedTable): Generator<Chunk> {
    const columns = columnsOf(this.#db, name);
    const line = columns.map(escaped).join(` || char(9) || `);
    const sql = `SELECT CAST(${line} || char(10) AS BLOB) AS line FROM "${name}" ORDER BY ${keyOf(columns)}`;
    let lines: Uint8Array[] = [];
    let bytes = 0;
    for (const row of this.#db.iterate<{ line: Uint8Array }>(sql)) {
      lines.push(row.line);
      bytes += row.line.length;
      if (bytes < CHUNK_BYTES) continue;
      yield { data: Buffer.concat(lines), rows: lines.length };
      lines = [];
      bytes = 0;
    }
    if (lines.length > 0) yield { data: Buffer.concat(lines), rows: lines.length };
  }

  /** The key of the row that was the `line`-th of the table's chunks, for people. */
  keyAt(table: string, line: number): string {
    const key = keyOf(columnsOf(this.#db, table));
    const sql = `SELECT ${key} FROM "${table}" ORDER BY ${key} LIMIT 1 OFFSET ?`;
    const row = this.#db.get<Record<string, unknown>>(sql, line - 1);
    return Object.values(row ?? {})
      .map((part) => JSON.stringify(part))
      .join(' ');
  }

  close(): void {
    this.#db.close();
    this.#lock.close();
  }

  #ask<R>(read: () => R): R {
    try {
      return read();
    } catch (error) {
      throw asStoreError(this.file, error);
    }
  }
}

function columnsOf(db: Connection, table: string): Column[] {
  return db.all<Column>(SOURCE_SQL.columns, table).map((column) => ({ ...column }));
}

/** The primary key's columns, each in quotes. */
function keyOf(columns: readonly Column[]): string {
  const key = columns.filter(({ pk }) => pk > 0).toSorted((a, b) => a.pk - b.pk);
  return key.map(({ name }) => `"${name}"`).join(', ');
}

/**
 * A value as COPY reads it. SQLite does this without looking for characters, so that bytes which are
 * none arrive as they are, and are refused there instead of changed here.
 */
function escaped({ name, type }: Column): string {
  const value = `"${name}"`;
  if (type !== 'TEXT') return `coalesce(${value}, '\\N')`;
  const specials = [`'\\', '\\\\'`, `char(9), '\\t'`, `char(10), '\\n'`, `char(13), '\\r'`];
  const text = specials.reduce((inner, special) => `replace(${inner}, ${special})`, value);
  return `coalesce(${text}, '\\N')`;
}

function tablesOf(db: Connection): CopiedTable[] {
  const names = db.all<{ name: string }>(SOURCE_SQL.tables).map(({ name }) => name);
  const numbers = new Map(
    db.all<{ name: string; seq: number }>(SOURCE_SQL.numbers).map(({ name, seq }) => [name, seq]),
  );
  const auditEnd = db.get<{ seq: number }>(SOURCE_SQL.auditEnd)?.seq ?? 0;
  numbers.set('audit', Math.max(numbers.get('audit') ?? 0, auditEnd));
  return inOrder(db, names).map((name) => ({
    name,
    columns: columnsOf(db, name).map((column) => column.name),
    rows: db.get<{ rows: number }>(`SELECT count(*) AS rows FROM "${name}"`)?.rows ?? 0,
    newestNumber: numbers.get(name),
  }));
}

/** Each table after those that it refers to; the program's own refer in no circle. */
function inOrder(db: Connection, names: readonly string[]): string[] {
  const placed = new Set<string>();
  const place = (name: string): void => {
    if (placed.has(name)) return;
    for (const other of db.all<{ name: string }>(SOURCE_SQL.references, name)) place(other.name);
    placed.add(name);
  };
  for (const name of names) place(name);
  return [...placed];
}
