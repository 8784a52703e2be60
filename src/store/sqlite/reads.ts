/** What is asked of an SQLite database: each question one function, its SQL in one table. */
import type {
  Account,
  ApiKey,
  AuditEntry,
  Holdings,
  SealedSigningKey,
  Session,
  Subscription,
} from '../../domain/model.ts';
import type { Permission } from '../../domain/permission.ts';
import type { RevokedSession } from '../store.ts';
import type { Connection } from './connection.ts';
import { ORDER_READ_SQL } from './orders.ts';

/** Every query; a test asks SQLite how it would do each of them. */
export const READ_SQL = {
  meta: 'SELECT value FROM meta WHERE name = ?',
  signingKeys: `
    SELECT id, sealed, created_at_ms AS createdAtMs FROM signing_key
    ORDER BY created_at_ms DESC, id DESC`,
  keyIdOfSecret: 'SELECT id FROM api_key WHERE secret_mac = ?',
  key: `
    SELECT id, client_id AS clientId, label, secret_mac AS secretMac,
      all_accounts AS allAccounts, readonly, expires_at_ms AS expiresAtMs,
      revoked_at_ms AS revokedAtMs
    FROM api_key WHERE id = ?`,
  keyAccounts: 'SELECT account_id AS id FROM api_key_account WHERE key_id = ? ORDER BY account_id',
  keyLimits: `
    SELECT method, calls_max AS callsMax FROM api_key_limit WHERE key_id = ? ORDER BY method`,
  accounts: `
    SELECT id, client_id AS clientId, readonly FROM account WHERE client_id = ? ORDER BY id`,
  subscriptions: `
    SELECT id, client_id AS clientId, plan_id AS planId, starts_at_ms AS startsAtMs,
      ends_at_ms AS endsAtMs
    FROM subscription WHERE client_id = ? ORDER BY id`,
  permissions: `
    SELECT quote_level AS quoteLevel, delay_minutes AS delayMinutes,
      condition_kind AS conditionKind, condition_value AS conditionValue
    FROM plan_permission WHERE plan_id = ? ORDER BY position`,
  session: `
    SELECT id, key_id AS keyId, client_id AS clientId, source_app_id AS sourceAppId,
      remote_address AS remoteAddress, issued_at_ms AS issuedAtMs, expires_at_ms AS expiresAtMs,
      revoked_at_ms AS revokedAtMs
    FROM session WHERE id = ?`,
  revokedSessions: `
    SELECT id AS sessionId, expires_at_ms AS expiresAtMs FROM session
    WHERE revoked_at_ms IS NOT NULL AND expires_at_ms > ? ORDER BY expires_at_ms, id`,
  audit: `
    SELECT sequence, at_ms AS atMs, actor, action, target, remote_address AS remoteAddress, detail
    FROM audit WHERE sequence > ? ORDER BY sequence LIMIT ?`,
  ...ORDER_READ_SQL,
} as const;

/** A record as SQLite gives it: booleans are 0 and 1. */
type Row<R> = { readonly [K in keyof R]: R[K] extends boolean ? number : R[K] };

/** See Store.meta. */
export function readMeta(db: Connection, name: string): string | undefined {
  return db.get<{ value: string }>(READ_SQL.meta, name)?.value;
}

/** See Store.signingKeys. */
export function readSigningKeys(db: Connection): SealedSigningKey[] {
  return db.all<SealedSigningKey>(READ_SQL.signingKeys).map((row) => ({ ...row }));
}

/** See Store.keyIdOfSecret. */
export function readKeyIdOfSecret(db: Connection, secretMac: string): string | undefined {
  return db.get<{ id: string }>(READ_SQL.keyIdOfSecret, secretMac)?.id;
}

/** See Store.holdings. */
export function readHoldings(db: Connection, keyId: string): Holdings | undefined {
  return db.snapshot(() => {
    const row = db.get<Row<Omit<ApiKey, 'accountIds' | 'callsMax'>>>(READ_SQL.key, keyId);
    if (row === undefined) return undefined;
    const accountIds = db.all<{ id: string }>(READ_SQL.keyAccounts, keyId).map(({ id }) => id);
    const limits = db.all<{ method: string; callsMax: number }>(READ_SQL.keyLimits, keyId);
    const key: ApiKey = {
      ...row,
      allAccounts: row.allAccounts === 1,
      readonly: row.readonly === 1,
      accountIds,
      callsMax: Object.fromEntries(limits.map(({ method, callsMax }) => [method, callsMax])),
    };
    const accounts = db
      .all<Row<Account>>(READ_SQL.accounts, key.clientId)
      .map((account) => ({ ...account, readonly: account.readonly === 1 }));
    const subscriptions = db
      .all<Subscription>(READ_SQL.subscriptions, key.clientId)
      .map((row) => ({ ...row, permissions: readPermissions(db, row.planId) }));
    return { key, accounts, subscriptions };
  });
}

function readPermissions(db: Connection, planId: string): Permission[] {
  return db.all<Permission>(READ_SQL.permissions, planId).map((row) => ({ ...row }));
}

/** See Store.session. */
export function readSession(db: Connection, sessionId: string): Session | undefined {
  const row = db.get<Session>(READ_SQL.session, sessionId);
  return row && { ...row };
}

/** See Store.revokedSessions. */
export function readRevokedSessions(db: Connection, nowMs: number): RevokedSession[] {
  return db.all<RevokedSession>(READ_SQL.revokedSessions, nowMs).map((row) => ({ ...row }));
}

/** See Store.audit. */
export function readAudit(
  db: Connection,
  afterSequence: number,
  limit: number,
): (AuditEntry & { sequence: number })[] {
  return db
    .all<Omit<AuditEntry, 'detail'> & { sequence: number; detail: string }>(
      READ_SQL.audit,
      afterSequence,
      // To SQLite a negative limit is none at all.
      Math.max(0, limit),
    )
    .map((row) => ({ ...row, detail: JSON.parse(row.detail) as Record<string, unknown> }));
}
