/** What is done to an SQLite database: each kind of write one function, its SQL in one table. */
import type { AuditEntry } from '../../domain/model.ts';
import type { Change } from '../store.ts';
import type { WriteArgs, WriteName, WriteResult, Written } from '../writes.ts';
import type { Connection } from './connection.ts';
import { ORDER_WRITE_SQL, recordOrders } from './orders.ts';
import { putRecords, RECORD_SQL } from './records.ts';

/** Every statement of a write; a test asks SQLite how it would do each of them. */
export const WRITE_SQL = {
  noteMeta: 'INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING',
  meta: 'SELECT value FROM meta WHERE name = ?',
  addSigningKey: 'INSERT INTO signing_key (id, sealed, created_at_ms) VALUES (?, ?, ?)',
  revokeKey: 'UPDATE api_key SET revoked_at_ms = ? WHERE id = ? AND revoked_at_ms IS NULL',
  // The key is judged by the statement that records the session: no revocation comes between.
  createSession: `
    INSERT INTO session (id, key_id, client_id, source_app_id, remote_address, issued_at_ms,
      expires_at_ms, revoked_at_ms)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM api_key
    WHERE id = ?2 AND revoked_at_ms IS NULL AND (expires_at_ms IS NULL OR expires_at_ms > ?6)`,
  revokeSession: `
    UPDATE session SET revoked_at_ms = ? WHERE id = ? AND revoked_at_ms IS NULL
    RETURNING expires_at_ms AS expiresAtMs`,
  audit: `
    INSERT INTO audit (at_ms, actor, action, target, remote_address, detail)
    VALUES (?, ?, ?, ?, ?, ?)`,
  ...RECORD_SQL,
  ...ORDER_WRITE_SQL,
} as const;

/** How each kind of write is done; to be called inside a transaction. */
export type WriteTable = {
  readonly [N in WriteName]: (db: Connection, args: WriteArgs<N>) => Written<WriteResult<N>>;
};

/** The kinds of writes, by the name of the Store's method. */
export const WRITES: WriteTable = {
  noteMeta(db, [name, value]) {
    db.run(WRITE_SQL.noteMeta, name, value);
    const noted = db.get<{ value: string }>(WRITE_SQL.meta, name);
    return written(noted?.value ?? value);
  },

  addSigningKey(db, [key, audit]) {
    db.run(WRITE_SQL.addSigningKey, key.id, key.sealed, key.createdAtMs);
    addAudit(db, audit);
    return written(undefined);
  },

  putRecords(db, [records, audit]) {
    const changes = putRecords(db, records);
    addAudit(db, audit);
    return written(undefined, changes);
  },

  revokeKey(db, [keyId, atMs, audit]) {
    if (db.run(WRITE_SQL.revokeKey, atMs, keyId) === 0) return written(false);
    addAudit(db, audit);
    return written(true, [{ kind: 'key', keyId }]);
  },

  createSession(db, [session, audit]) {
    const added = db.run(
      WRITE_SQL.createSession,
      session.id,
      session.keyId,
      session.clientId,
      session.sourceAppId,
      session.remoteAddress,
      session.issuedAtMs,
      session.expiresAtMs,
      session.revokedAtMs,
    );
    if (added === 0) return written(false);
    addAudit(db, audit);
    return written(true);
  },

  revokeSession(db, [sessionId, atMs, audit]) {
    const row = db.get<{ expiresAtMs: number }>(WRITE_SQL.revokeSession, atMs, sessionId);
    if (row === undefined) return written(false);
    addAudit(db, audit);
    return written(true, [{ kind: 'session-revoked', sessionId, expiresAtMs: row.expiresAtMs }]);
  },

  recordOrders(db, [changes, trades]) {
    return written(undefined, recordOrders(db, changes, trades));
  },
};

function written<R>(result: R, changes: readonly Change[] = []): Written<R> {
  return { result, changes };
}

function addAudit(db: Connection, entry: AuditEntry): void {
  db.run(
    WRITE_SQL.audit,
    entry.atMs,
    entry.actor,
    entry.action,
    entry.target,
    entry.remoteAddress,
    JSON.stringify(entry.detail),
  );
}
