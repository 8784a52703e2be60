/** One chain of the audit log in a SQL database: its entries chained as they are written, its head. */
import { type KeyObject, randomBytes } from 'node:crypto';
import {
  type ChainPoint,
  chainStart,
  entryMac,
  FIRST_CHAIN,
  isSealed,
} from '../../domain/audit-chain.ts';
import { AppError } from '../../domain/errors.ts';
import type { AuditEntry } from '../../domain/model.ts';
import { POINT_SQL, putPoint, readPoint } from './audit-points.ts';
import { carryOf, everyResource, KINDS } from './audit-states.ts';
import { changed, type Sql } from './query.ts';

/** Every statement that writes to the log. */
export const AUDIT_WRITE_SQL = {
  addAudit: `
    INSERT INTO audit (sequence, at_ms, actor, action, target, remote_address, detail, mac, chain)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ...POINT_SQL,
} as const;

/** Bytes of a writer's name. */
const WRITER_BYTES = 12;
/** How often numbers are asked for that others have overtaken. */
const DRAWS_MAX = 100;

/** Draws so many sequences, which grow, and of which none is drawn twice. */
export type NextNumbers = (count: number) => Sql<readonly number[]>;

export interface AuditLogOptions {
  /** The number of the chain; the first when left out. */
  readonly chain?: number;
  /** Left out in a log of one chain, whose entries are numbered without gaps. */
  readonly nextNumbers?: NextNumbers;
  /** Asked once: what begins a log does not say when it does. */
  readonly nowMs?: () => number;
}

/** How far a log had come; see AuditLog.mark. */
export interface AuditMark {
  readonly head: ChainPoint | undefined;
  readonly isMoved: boolean;
}

/** The name of a chain that begins. */
export function drawWriter(): string {
  return randomBytes(WRITER_BYTES).toString('base64url');
}

/**
 * The end of one chain, as the writes of one transaction move it on. Appends may be under way at the
 * same time: each takes its number and its place in the chain in one go, after all that it waits for
 * but its own statement.
 */
export class AuditLog {
  readonly chain: number;
  readonly #key: KeyObject | undefined;
  readonly #nextNumbers: NextNumbers | undefined;
  readonly #nowMs: () => number;
  /** undefined until the first entry asks for it. */
  #head: ChainPoint | undefined;
  #isMoved = false;
  /** Drawn and not yet taken, the lowest first. */
  #numbers: number[] = [];

  /** @param key without it nothing that has an audit entry can be written */
  constructor(key: KeyObject | undefined, options: AuditLogOptions = {}) {
    this.#key = key;
    this.chain = options.chain ?? FIRST_CHAIN;
    this.#nextNumbers = options.nextNumbers;
    this.#nowMs = options.nowMs ?? Date.now;
  }

  /** The key; throws where the database was opened without one. */
  get key(): KeyObject {
    if (this.#key === undefined) throw new Error('the database was opened without its audit key');
    return this.#key;
  }

  /** The newest entry's place. */
  *head(): Sql<ChainPoint> {
    if (this.#head !== undefined) return this.#head;
    const head = yield* this.#readHead();
    // Another entry may have been appended in the meantime.
    this.#head ??= head;
    return this.#head;
  }

  /** Reads the head and draws numbers, so that so many appends have nothing to wait for. */
  *reserve(count: number): Sql<void> {
    yield* this.head();
    const missing = count - this.#numbers.length;
    if (this.#nextNumbers === undefined || missing <= 0) return;
    const drawn = yield* this.#nextNumbers(missing);
    this.#numbers = [...this.#numbers, ...drawn].toSorted((a, b) => a - b);
  }

  /** The sequence that the next entry gets, as long as no other append is under way. */
  *nextSequence(): Sql<number> {
    for (let draws = 0; draws < DRAWS_MAX; draws++) {
      const sequence = this.#next();
      if (sequence !== undefined) return sequence;
      yield* this.reserve(1);
    }
    const message = 'the numbers of audit entries were set back behind the head of the audit log';
    throw new AppError('UNAVAILABLE', message);
  }

  *append(entry: AuditEntry): Sql<void> {
    const detail = JSON.stringify(entry.detail);
    // Nothing waits from here on until the statement is made.
    const sequence = this.#next() ?? (yield* this.nextSequence());
    const { writer, hash: previous } = this.#head as ChainPoint;
    const { atMs, actor, action, target, remoteAddress } = entry;
    const hash = entryMac(this.key, previous, { ...entry, detail, sequence });
    this.#head = { writer, sequence, hash };
    this.#isMoved = true;
    if (this.#numbers[0] === sequence) this.#numbers.shift();
    const values = [sequence, atMs, actor, action, target, remoteAddress, detail, hash] as const;
    yield* changed(AUDIT_WRITE_SQL.addAudit, ...values, this.chain);
  }

  /** How far it has come, for when what follows is undone. */
  mark(): AuditMark {
    return { head: this.#head, isMoved: this.#isMoved };
  }

  /** Forgets what was appended since; the rows are for the caller to undo. */
  resetTo({ head, isMoved }: AuditMark): void {
    // One that was read or begun since is read anew: its rows may be undone as well.
    this.#head = head;
    this.#isMoved = isMoved;
  }

  /** Does one write; when it throws, what it appended is forgotten. The rows are for the caller. */
  *attempt<R>(write: () => Sql<R>): Sql<R> {
    const mark = this.mark();
    try {
      return yield* write();
    } catch (error) {
      this.resetTo(mark);
      throw error;
    }
  }

  /** Writes the head, if it has moved; to be called once, before COMMIT. */
  *finish(): Sql<void> {
    if (!this.#isMoved) return;
    yield* putPoint(this.key, { name: 'head', chain: this.chain, point: yield* this.head() });
  }

  /**
   * The log of a new database begins, or of one that was made before logs were chained: what is there
   * then is taken as it is, and told by an entry each, so that every later change of it shows.
   */
  *begin(sequence: number): Sql<ChainPoint> {
    const start = chainStart(this.key, drawWriter(), sequence);
    const checkpoint = { name: 'checkpoint', chain: this.chain, point: start } as const;
    yield* putPoint(this.key, { ...checkpoint, seal: 'whole' });
    this.#head = start;
    const nowMs = this.#nowMs();
    for (const kind of KINDS) {
      yield* everyResource(kind, (stored) => this.append(carryOf(this.key, kind, stored, nowMs)));
    }
    return this.#head;
  }

  /** The lowest number that no entry has; undefined where the head or a number is to be asked for. */
  #next(): number | undefined {
    if (this.#head === undefined) return undefined;
    const { sequence } = this.#head;
    if (this.#nextNumbers === undefined) return sequence + 1;
    // Numbers in a chain grow: what others have overtaken is a gap.
    while (this.#numbers[0] !== undefined && this.#numbers[0] <= sequence) this.#numbers.shift();
    return this.#numbers[0];
  }

  *#readHead(): Sql<ChainPoint> {
    const head = yield* readPoint('head', this.chain);
    if (head?.writer === '' && this.#nextNumbers === undefined) {
      return yield* this.begin(head.sequence);
    }
    if (head === undefined || !isSealed(this.key, 'head', head)) {
      const message = 'the head of the audit log was changed; see propusk audit verify';
      throw new AppError('UNAVAILABLE', message);
    }
    return head;
  }
}
