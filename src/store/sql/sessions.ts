/** Sessions in a SQL database: recorded, listed, revoked. */
import { AppError } from '../../domain/errors.ts';
import type { AuditEntry, Session } from '../../domain/model.ts';
import type { Change, RevokedSession, SessionQuery } from '../store.ts';
import type { AuditLog } from './audit.ts';
import { changed, first, rows, type Sql } from './query.ts';

const COLUMNS = `session.id, key_id AS "keyId", session.client_id AS "clientId",
  source_app_id AS "sourceAppId", remote_address AS "remoteAddress", issued_at_ms AS "issuedAtMs",
  session.expires_at_ms AS "expiresAtMs", session.revoked_at_ms AS "revokedAtMs"`;

/** Sessions that one statement is about, where it is about many: another engine may be far. */
const AT_ONCE = 100;
const MANY = `id IN (${Array(AT_ONCE).fill('?').join(', ')})`;

/** Every query about sessions. */
export const SESSION_READ_SQL = {
  session: `SELECT ${COLUMNS} FROM session WHERE id = ?`,
  manySessions: `SELECT ${COLUMNS} FROM session WHERE ${MANY}`,
  keySessions: `
    SELECT ${COLUMNS} FROM session
    WHERE key_id = ?1 AND expires_at_ms > ?2 AND (expires_at_ms, id) > (?3, ?4)
      AND revoked_at_ms IS NULL
    ORDER BY expires_at_ms, id LIMIT ?5`,
  laterKeys: 'SELECT id FROM api_key WHERE client_id = ? AND id >= ? ORDER BY id',
  revokedSessions: `
    SELECT id AS "sessionId", expires_at_ms AS "expiresAtMs" FROM session
    WHERE revoked_at_ms IS NOT NULL AND expires_at_ms > ? ORDER BY expires_at_ms, id`,
} as const;

/** Every statement that changes sessions. */
export const SESSION_WRITE_SQL = {
  dropSessions: `DELETE FROM session WHERE ${MANY}`,
  // The key and the secret are judged by the statement that records the session: neither revocation
  // nor rotation comes between.
  createSession: `
    INSERT INTO session (id, key_id, client_id, source_app_id, remote_address, issued_at_ms,
      expires_at_ms, revoked_at_ms)
    SELECT CAST(?1 AS TEXT), CAST(?2 AS TEXT), CAST(?3 AS TEXT), CAST(?4 AS TEXT),
      CAST(?5 AS TEXT), CAST(?6 AS BIGINT), CAST(?7 AS BIGINT), CAST(?8 AS BIGINT) FROM api_key
    WHERE id = ?2 AND revoked_at_ms IS NULL AND (expires_at_ms IS NULL OR expires_at_ms > ?6)
      AND (CAST(?9 AS TEXT) IS NULL OR secret_mac = ?9
        OR (previous_secret_mac = ?9 AND previous_secret_ends_at_ms > ?10))`,
  revokeSession: `
    UPDATE session SET revoked_at_ms = ? WHERE id = ? AND revoked_at_ms IS NULL
    RETURNING expires_at_ms AS "expiresAtMs"`,
  revokeKeySessions: `
    UPDATE session SET revoked_at_ms = ?2
    WHERE key_id = ?1 AND expires_at_ms > ?2 AND revoked_at_ms IS NULL
    RETURNING id AS "sessionId", expires_at_ms AS "expiresAtMs"`,
} as const;

/** See Store.createSession. */
export function* addSession(
  session: Session,
  atMs: number,
  secretMac: string | undefined,
): Sql<boolean> {
  const { id, keyId, clientId, sourceAppId, remoteAddress } = session;
  const times = [session.issuedAtMs, session.expiresAtMs, session.revokedAtMs] as const;
  const values = [id, keyId, clientId, sourceAppId, remoteAddress, ...times] as const;
  const secret = [secretMac ?? null, atMs] as const;
  return (yield* changed(SESSION_WRITE_SQL.createSession, ...values, ...secret)) === 1;
}

/** Revokes one; undefined when there is no such session, or it was revoked before. */
export function* endSession(sessionId: string, atMs: number): Sql<Change | undefined> {
  const sql = SESSION_WRITE_SQL.revokeSession;
  const row = yield* first<{ expiresAtMs: number }>(sql, atMs, sessionId);
  return row && { kind: 'session-revoked', sessionId, expiresAtMs: row.expiresAtMs };
}

/** Sessions that one entry names: some ten kilobytes. */
const NAMED_MAX = 500;

/** Writes that these sessions were revoked, so that one which lives again shows. */
export function* noteRevoked(
  log: AuditLog,
  audit: AuditEntry,
  ended: readonly RevokedSession[],
): Sql<void> {
  for (let rest = ended; rest.length > 0; rest = rest.slice(NAMED_MAX)) {
    yield* log.append({ ...audit, detail: { ...audit.detail, ...namesOf(rest) } });
  }
}

/** The same in an entry of what revoked them, which says so of others with further entries. */
export function* noteRevokedWith(
  log: AuditLog,
  audit: AuditEntry,
  ended: readonly RevokedSession[],
): Sql<void> {
  const names = ended.length === 0 ? {} : namesOf(ended);
  yield* log.append({ ...audit, detail: { ...audit.detail, ...names } });
  const { detail: _, ...what } = audit;
  const further = { ...what, action: 'session.revoke', detail: {} };
  yield* noteRevoked(log, further, ended.slice(NAMED_MAX));
}

/** How an entry names sessions, as many as one may. */
function namesOf(ended: readonly RevokedSession[]): Readonly<Record<string, unknown>> {
  const sessionIds = ended.slice(0, NAMED_MAX).map(({ sessionId }) => sessionId);
  return { sessions: sessionIds.length, sessionIds };
}

/** What must be announced of sessions that were revoked. */
export function revocationsOf(ended: readonly RevokedSession[]): Change[] {
  return ended.map((each) => ({ kind: 'session-revoked', ...each }));
}

/** Revokes all of a key that live past `atMs`. */
export function* endSessions(keyId: string, atMs: number): Sql<RevokedSession[]> {
  return (yield* rows<RevokedSession>(SESSION_WRITE_SQL.revokeKeySessions, keyId, atMs)).map(
    (row) => ({ ...row }),
  );
}

/** Revokes all of a key or of a client's keys that live past `atMs`. */
export function* endSessionsOf(
  of: { readonly keyId: string } | { readonly clientId: string },
  atMs: number,
): Sql<RevokedSession[]> {
  const keyIds = 'keyId' in of ? [of.keyId] : yield* keysFrom(of.clientId, '');
  const ended: RevokedSession[] = [];
  for (const keyId of keyIds) ended.push(...(yield* endSessions(keyId, atMs)));
  return ended;
}

function* keysFrom(clientId: string, keyId: string): Sql<string[]> {
  const found = yield* rows<{ id: string }>(SESSION_READ_SQL.laterKeys, clientId, keyId);
  return found.map(({ id }) => id);
}

/** See Store.session. */
export function* readSession(sessionId: string): Sql<Session | undefined> {
  const row = yield* first<Session>(SESSION_READ_SQL.session, sessionId);
  return row && { ...row };
}

/** Those that there are, by their ids. */
export function* readManySessions(ids: readonly string[]): Sql<Map<string, Session>> {
  const found = new Map<string, Session>();
  for (const part of partsOf(ids)) {
    const sql = SESSION_READ_SQL.manySessions;
    for (const row of yield* rows<Session>(sql, ...part)) found.set(row.id, { ...row });
  }
  return found;
}

export function* dropSessions(ids: readonly string[]): Sql<void> {
  for (const part of partsOf(ids)) yield* changed(SESSION_WRITE_SQL.dropSessions, ...part);
}

/** As many as a statement takes; no session has the id that stands for what is missing. */
function partsOf(ids: readonly string[]): string[][] {
  return Array.from({ length: Math.ceil(ids.length / AT_ONCE) }, (_, i) => {
    const part = ids.slice(i * AT_ONCE, (i + 1) * AT_ONCE);
    return [...part, ...Array<string>(AT_ONCE - part.length).fill('')];
  });
}

/** See Store.sessions. */
export function* readSessions(query: SessionQuery): Sql<Session[]> {
  const { keyId, clientId, activeAtMs, afterId } = query;
  const after = afterId === undefined ? undefined : yield* readSession(afterId);
  if (afterId !== undefined && after === undefined) {
    throw new AppError('INVALID_REQUEST', 'the page token is too old; list from the beginning');
  }
  const keyIds =
    keyId === undefined ? yield* keysFrom(clientId ?? '', after?.keyId ?? '') : [keyId];
  const found: Session[] = [];
  for (const each of keyIds) {
    if (found.length >= query.limit) break;
    const from = after?.keyId === each ? after : undefined;
    const page = yield* rows<Session>(
      SESSION_READ_SQL.keySessions,
      each,
      activeAtMs,
      from?.expiresAtMs ?? 0,
      from?.id ?? '',
      query.limit - found.length,
    );
    for (const row of page) found.push({ ...row });
  }
  return found;
}

/** See Store.revokedSessions. */
export function* readRevokedSessions(nowMs: number): Sql<RevokedSession[]> {
  const sql = SESSION_READ_SQL.revokedSessions;
  return (yield* rows<RevokedSession>(sql, nowMs)).map((row) => ({ ...row }));
}
