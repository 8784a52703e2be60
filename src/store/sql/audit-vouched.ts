/** Compares what there is with what the audit log says of it: resources and sessions. */
import type { KeyObject } from 'node:crypto';
import type { ResourceKind, Stored } from '../store.ts';
import type { Faults } from './audit-faults.ts';
import {
  everyResource,
  isAsTold,
  isSessionAsTold,
  KINDS,
  revokedIdsOf,
  type Spoken,
  sessionIdOf,
  toldOf,
} from './audit-states.ts';
import { first, type Sql } from './query.ts';
import { readSession } from './sessions.ts';

/** Every query of it. */
export const VOUCHED_SQL = {
  entry: 'SELECT sequence, action, target, detail FROM audit WHERE sequence = ?',
  sessions: 'SELECT count(*) AS sessions FROM session',
} as const;

/** The newest entry that says what a resource is. */
interface Newest {
  readonly sequence: number;
  /** The resource's, if it is as the entry says. */
  readonly version: number;
}

/** Follows the log; what is in memory is a few numbers for each resource that it speaks of. */
export class Vouched {
  readonly #key: KeyObject;
  readonly #faults: Faults;
  readonly #newest = new Map<string, Newest | 'deleted'>();
  /** Whose entries were followed. */
  #sessions = 0;
  /** Resources that no entry speaks of, and none need. */
  #untold = 0;

  constructor(key: KeyObject, faults: Faults) {
    this.#key = key;
    this.#faults = faults;
  }

  /** Takes an entry from before the log was chained: it vouches for nothing but that it made something. */
  *pass(entry: Spoken): Sql<void> {
    const made = sessionIdOf(entry);
    if (made !== undefined && (yield* readSession(made)) !== undefined) this.#sessions++;
  }

  *follow(entry: Spoken): Sql<void> {
    const { sequence, target } = entry;
    const told = toldOf(entry);
    if (told !== undefined) {
      const { version, after } = told;
      this.#newest.set(target, after === undefined ? 'deleted' : { sequence, version });
    }
    const made = sessionIdOf(entry);
    if (made !== undefined) yield* this.#checkMade(made, entry);
    for (const id of revokedIdsOf(entry)) {
      // One that is not there has gone with the entry of its creation, or that entry misses it.
      if ((yield* readSession(id))?.revokedAtMs !== null) continue;
      this.#faults.add(`session ${id} was revoked by entry ${sequence}, and lives again`);
    }
  }

  /**
   * Whatever is administered must be as the newest entry about it says, and there if that says so.
   *
   * @param untoldUntil up to this version the log need not speak of a resource; 0: it does of each
   * @returns how many it does not speak of, where it need not
   */
  *end(untoldUntil: number): Sql<number> {
    for (const kind of KINDS) {
      yield* everyResource(kind, (stored) => this.#meet(kind, stored, untoldUntil));
    }
    for (const [target, newest] of this.#newest) {
      if (newest === 'deleted') continue;
      this.#faults.add(`${target} is missing, and entry ${newest.sequence} says what it is`);
    }
    yield* this.#countSessions();
    return this.#untold;
  }

  *#meet(
    kind: ResourceKind,
    stored: Stored<{ readonly id: string }>,
    untoldUntil: number,
  ): Sql<void> {
    const target = `${kind}:${stored.id}`;
    const newest = this.#newest.get(target);
    this.#newest.delete(target);
    const isOld = stored.version >= 1 && stored.version <= untoldUntil;
    if (newest === undefined && isOld) this.#untold++;
    else yield* this.#checkResource(kind, stored, newest);
  }

  *#checkResource(
    kind: ResourceKind,
    stored: Stored<{ readonly id: string }>,
    newest: Newest | 'deleted' | undefined,
  ): Sql<void> {
    const { id, version } = stored;
    if (newest === undefined) {
      this.#faults.add(`${kind} ${id} was made by no entry`);
    } else if (newest === 'deleted') {
      this.#faults.add(`${kind} ${id} was deleted, and is there again`);
    } else if (version < newest.version) {
      this.#faults.add(`${kind} ${id} is as it was before entry ${newest.sequence}`);
    } else {
      const sequence = version === newest.version ? newest.sequence : version;
      const entry = yield* first<Spoken>(VOUCHED_SQL.entry, sequence);
      const told = entry && toldOf(entry);
      const isOfIt = told?.kind === kind && told.id === id && told.version === version;
      if (isOfIt && isAsTold(this.#key, kind, stored, told.after)) return;
      this.#faults.add(`${kind} ${id} is not as entry ${sequence} says`);
    }
  }

  *#checkMade(id: string, { sequence, detail }: Spoken): Sql<void> {
    const session = yield* readSession(id);
    if (session === undefined) {
      this.#faults.add(`session ${id} is missing, and entry ${sequence} says that it was made`);
      return;
    }
    this.#sessions++;
    if (isSessionAsTold(session, detail)) return;
    this.#faults.add(`session ${id} is not as entry ${sequence} says`);
  }

  *#countSessions(): Sql<void> {
    const { sessions = 0 } = (yield* first<{ sessions: number }>(VOUCHED_SQL.sessions)) ?? {};
    const added = sessions - this.#sessions;
    if (added > 0) this.#faults.add(`${added} sessions were made by no entry`);
  }
}
