/** The audit log in an SQLite database: its entries chained as they are written, and its head. */
import { type KeyObject, randomBytes } from 'node:crypto';
import {
  type ChainPoint,
  chainStart,
  entryMac,
  isSealed,
  type PointName,
  type SealedPoint,
  type SealName,
  sealPoint,
} from '../../domain/audit-chain.ts';
import { AppError } from '../../domain/errors.ts';
import type { AuditEntry } from '../../domain/model.ts';
import { carryOf, everyResource, KINDS } from './audit-states.ts';
import type { Connection } from './connection.ts';

/** Every statement that writes to the log. */
export const AUDIT_WRITE_SQL = {
  addAudit: `
    INSERT INTO audit (sequence, at_ms, actor, action, target, remote_address, detail, mac)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  point: 'SELECT writer, sequence, hash, mac FROM audit_point WHERE name = ?',
  putPoint: `
    INSERT INTO audit_point (name, writer, sequence, hash, mac) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET writer = excluded.writer, sequence = excluded.sequence,
      hash = excluded.hash, mac = excluded.mac`,
} as const;

/** Asked once: what begins a log does not say when it does. */
const NOW_SQL = `SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS atMs`;

/** Bytes of a writer's name. */
const WRITER_BYTES = 12;

/** A point of the log as it is kept; undefined where there is none. */
export function readPoint(db: Connection, name: PointName): SealedPoint | undefined {
  const row = db.get<SealedPoint>(AUDIT_WRITE_SQL.point, name);
  return row && { ...row };
}

/** The end of the log, as the writes of one transaction move it on. */
export class AuditLog {
  readonly #db: Connection;
  readonly #key: KeyObject | undefined;
  /** undefined until the first entry asks for it. */
  #head: ChainPoint | undefined;
  #isMoved = false;

  /** @param key without it nothing that has an audit entry can be written */
  constructor(db: Connection, key: KeyObject | undefined) {
    this.#db = db;
    this.#key = key;
  }

  /** The key; throws where the database was opened without one. */
  get key(): KeyObject {
    if (this.#key === undefined) throw new Error('the database was opened without its audit key');
    return this.#key;
  }

  /** The newest entry's place; the next one's sequence is one more. */
  get head(): ChainPoint {
    this.#head ??= this.#readHead();
    return this.#head;
  }

  /** The sequence that the next entry gets. */
  get nextSequence(): number {
    return this.head.sequence + 1;
  }

  append(entry: AuditEntry): void {
    const detail = JSON.stringify(entry.detail);
    const { writer, hash: previous } = this.head;
    const sequence = this.nextSequence;
    const { atMs, actor, action, target, remoteAddress } = entry;
    const hash = entryMac(this.key, previous, { ...entry, detail, sequence });
    const sql = AUDIT_WRITE_SQL.addAudit;
    this.#db.run(sql, sequence, atMs, actor, action, target, remoteAddress, detail, hash);
    this.#head = { writer, sequence, hash };
    this.#isMoved = true;
  }

  /** Does one write; when it throws, what it appended is forgotten. The rows are for the caller. */
  attempt<R>(write: () => R): R {
    const [head, isMoved] = [this.#head, this.#isMoved];
    try {
      return write();
    } catch (error) {
      // A head that was just begun may have gone with the write's savepoint.
      this.#head = isMoved ? head : undefined;
      this.#isMoved = isMoved;
      throw error;
    }
  }

  /** Writes the head, if it has moved; to be called once, before COMMIT. */
  finish(): void {
    if (this.#isMoved) this.putPoint('head', this.head);
  }

  /** @param seal what the point is sealed as, where that is not its name */
  putPoint(name: PointName, point: ChainPoint, seal: SealName = name): void {
    const { writer, sequence, hash, mac } = sealPoint(this.key, seal, point);
    this.#db.run(AUDIT_WRITE_SQL.putPoint, name, writer, sequence, hash, mac);
  }

  #readHead(): ChainPoint {
    const head = readPoint(this.#db, 'head');
    if (head?.writer === '') return this.#begin(head.sequence);
    if (head === undefined || !isSealed(this.key, 'head', head)) {
      const message = 'the head of the audit log was changed; see propusk audit verify';
      throw new AppError('UNAVAILABLE', message);
    }
    return head;
  }

  /**
   * The log of a new database begins, or of one that was made before logs were chained: what is there
   * then is taken as it is, and told by an entry each, so that every later change of it shows.
   */
  #begin(sequence: number): ChainPoint {
    const writer = randomBytes(WRITER_BYTES).toString('base64url');
    const start = chainStart(this.key, writer, sequence);
    this.putPoint('checkpoint', start, 'whole');
    this.#head = start;
    const nowMs = this.#db.get<{ atMs: number }>(NOW_SQL)?.atMs ?? 0;
    for (const kind of KINDS) {
      for (const stored of everyResource(this.#db, kind)) {
        this.append(carryOf(this.key, kind, stored, nowMs));
      }
    }
    return this.#head;
  }
}
