/** What is done to a SQL database: each kind of write one function, its SQL in one table. */
import type { Change } from '../store.ts';
import type { WriteArgs, WriteName, WriteResult, Written } from '../writes.ts';
import { AUDIT_WRITE_SQL, type AuditLog } from './audit.ts';
import { AUDIT_PRUNE_SQL, pruneAudit } from './audit-prune.ts';
import { sessionState } from './audit-states.ts';
import { ORDER_WRITE_SQL, recordOrders } from './orders.ts';
import { changed, first, type Sql } from './query.ts';
import { RESOURCE_WRITE_SQL } from './resource-writes.ts';
import { CHANGE_SQL, changeResources, revokeKey } from './resources.ts';
import {
  addSession,
  endSession,
  endSessionsOf,
  noteRevoked,
  revocationsOf,
  SESSION_WRITE_SQL,
} from './sessions.ts';

/** Every statement of a write; a test asks SQLite how it would do each of them. */
export const WRITE_SQL = {
  noteMeta: 'INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING',
  meta: 'SELECT value FROM meta WHERE name = ?',
  addSigningKey: 'INSERT INTO signing_key (id, sealed, created_at_ms) VALUES (?, ?, ?)',
  ...AUDIT_WRITE_SQL,
  ...AUDIT_PRUNE_SQL,
  ...RESOURCE_WRITE_SQL,
  ...CHANGE_SQL,
  ...SESSION_WRITE_SQL,
  ...ORDER_WRITE_SQL,
} as const;

/** How each kind of write is done; to be called inside a transaction, whose audit log is `log`. */
export type WriteTable = {
  readonly [N in WriteName]: (args: WriteArgs<N>, log: AuditLog) => Sql<Written<WriteResult<N>>>;
};

/** The kinds of writes, by the name of the Store's method. */
export const WRITES: WriteTable = {
  *noteMeta([name, value]) {
    yield* changed(WRITE_SQL.noteMeta, name, value);
    const noted = yield* first<{ value: string }>(WRITE_SQL.meta, name);
    return written(noted?.value ?? value);
  },

  *addSigningKey([key, audit], log) {
    yield* changed(WRITE_SQL.addSigningKey, key.id, key.sealed, key.createdAtMs);
    yield* log.append(audit);
    return written(undefined);
  },

  *change([changes, by, request], log) {
    return yield* changeResources(log, changes, by, request);
  },

  *revokeKey([keyId, atMs, audit], log) {
    return yield* revokeKey(log, keyId, atMs, audit);
  },

  *createSession([session, audit, secretMac], log) {
    if (!(yield* addSession(session, audit.atMs, secretMac))) return written(false);
    yield* log.append({ ...audit, detail: { ...audit.detail, session: sessionState(session) } });
    return written(true);
  },

  *revokeSession([sessionId, atMs, audit], log) {
    const change = yield* endSession(sessionId, atMs);
    if (change === undefined) return written(false);
    yield* log.append(audit);
    return written(true, [change]);
  },

  *revokeSessions([of, atMs, audit], log) {
    const ended = yield* endSessionsOf(of, atMs);
    yield* noteRevoked(log, audit, ended);
    return written(ended.length, revocationsOf(ended));
  },

  *recordOrders(args) {
    return yield* recordOrders(...args);
  },

  *pruneAudit([untilMs, entriesMax, atMs, audit], log) {
    const pruned = yield* pruneAudit(log, { untilMs, entriesMax, atMs });
    if (pruned > 0 && audit !== undefined) yield* log.append(audit);
    return written(pruned);
  },
};

function written<R>(result: R, changes: readonly Change[] = []): Written<R> {
  return { result, changes };
}
