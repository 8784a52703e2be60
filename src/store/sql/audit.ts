/** The audit log in a SQL database: its entries chained as they are written, and its head. */
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
import { changed, first, type Sql } from './query.ts';

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

/** Bytes of a writer's name. */
const WRITER_BYTES = 12;

/** A point of the log as it is kept; undefined where there is none. */
export function* readPoint(name: PointName): Sql<SealedPoint | undefined> {
  const row = yield* first<SealedPoint>(AUDIT_WRITE_SQL.point, name);
  return row && { ...row };
}

/** The end of the log, as the writes of one transaction move it on. */
export class AuditLog {
  readonly #key: KeyObject | undefined;
  readonly #nowMs: () => number;
  /** undefined until the first entry asks for it. */
  #head: ChainPoint | undefined;
  #isMoved = false;

  /**
   * @param key without it nothing that has an audit entry can be written
   * @param nowMs asked once: what begins a log does not say when it does
   */
  constructor(key: KeyObject | undefined, nowMs: () => number = Date.now) {
    this.#nowMs = nowMs;
    this.#key = key;
  }

  /** The key; throws where the database was opened without one. */
  get key(): KeyObject {
    if (this.#key === undefined) throw new Error('the database was opened without its audit key');
    return this.#key;
  }

  /** The newest entry's place; the next one's sequence is one more. */
  *head(): Sql<ChainPoint> {
    this.#head ??= yield* this.#readHead();
    return this.#head;
  }

  /** The sequence that the next entry gets. */
  *nextSequence(): Sql<number> {
    return (yield* this.head()).sequence + 1;
  }

  *append(entry: AuditEntry): Sql<void> {
    const detail = JSON.stringify(entry.detail);
    const { writer, hash: previous, sequence: last } = this.#head ?? (yield* this.head());
    const sequence = last + 1;
    const { atMs, actor, action, target, remoteAddress } = entry;
    const hash = entryMac(this.key, previous, { ...entry, detail, sequence });
    const sql = AUDIT_WRITE_SQL.addAudit;
    yield* changed(sql, sequence, atMs, actor, action, target, remoteAddress, detail, hash);
    this.#head = { writer, sequence, hash };
    this.#isMoved = true;
  }

  /** Does one write; when it throws, what it appended is forgotten. The rows are for the caller. */
  *attempt<R>(write: () => Sql<R>): Sql<R> {
    const [head, isMoved] = [this.#head, this.#isMoved];
    try {
      return yield* write();
    } catch (error) {
      // A head that was just begun may have gone with the write's savepoint.
      this.#head = isMoved ? head : undefined;
      this.#isMoved = isMoved;
      throw error;
    }
  }

  /** Writes the head, if it has moved; to be called once, before COMMIT. */
  *finish(): Sql<void> {
    if (this.#isMoved) yield* this.putPoint('head', yield* this.head());
  }

  /** @param seal what the point is sealed as, where that is not its name */
  *putPoint(name: PointName, point: ChainPoint, seal: SealName = name): Sql<void> {
    const { writer, sequence, hash, mac } = sealPoint(this.key, seal, point);
    yield* changed(AUDIT_WRITE_SQL.putPoint, name, writer, sequence, hash, mac);
  }

  *#readHead(): Sql<ChainPoint> {
    const head = yield* readPoint('head');
    if (head?.writer === '') return yield* this.#begin(head.sequence);
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
  *#begin(sequence: number): Sql<ChainPoint> {
    const writer = randomBytes(WRITER_BYTES).toString('base64url');
    const start = chainStart(this.key, writer, sequence);
    yield* this.putPoint('checkpoint', start, 'whole');
    this.#head = start;
    const nowMs = this.#nowMs();
    for (const kind of KINDS) {
      yield* everyResource(kind, (stored) => this.append(carryOf(this.key, kind, stored, nowMs)));
    }
    return this.#head;
  }
}
