/** Putting whole records in place in an SQLite database, and who is touched by it. */
import { AppError } from '../../domain/errors.ts';
import type { Account, ApiKey, Plan, Subscription } from '../../domain/model.ts';
import type { Change, Records } from '../store.ts';
import { type Connection, sqliteCode } from './connection.ts';

/** Every statement of putRecords. */
export const RECORD_SQL = {
  putClient: `
    INSERT INTO client (id, name) VALUES (?, ?)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name`,
  clientExists: 'SELECT id FROM client WHERE id = ?',
  accountOwner: 'SELECT client_id AS clientId FROM account WHERE id = ?',
  putAccount: `
    INSERT INTO account (id, client_id, readonly) VALUES (?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET client_id = excluded.client_id, readonly = excluded.readonly`,
  putPlan: `
    INSERT INTO plan (id, name) VALUES (?, ?)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name`,
  dropPermissions: 'DELETE FROM plan_permission WHERE plan_id = ?',
  addPermission: `
    INSERT INTO plan_permission (plan_id, position, quote_level, delay_minutes, condition_kind,
      condition_value)
    VALUES (?, ?, ?, ?, ?, ?)`,
  planHolders: 'SELECT DISTINCT client_id AS clientId FROM subscription WHERE plan_id = ?',
  subscriptionOwner: 'SELECT client_id AS clientId FROM subscription WHERE id = ?',
  putSubscription: `
    INSERT INTO subscription (id, client_id, plan_id, starts_at_ms, ends_at_ms)
    VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET client_id = excluded.client_id, plan_id = excluded.plan_id,
      starts_at_ms = excluded.starts_at_ms, ends_at_ms = excluded.ends_at_ms`,
  putKey: `
    INSERT INTO api_key (id, client_id, label, secret_mac, all_accounts, readonly, expires_at_ms,
      revoked_at_ms)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET client_id = excluded.client_id, label = excluded.label,
      secret_mac = excluded.secret_mac, all_accounts = excluded.all_accounts,
      readonly = excluded.readonly, expires_at_ms = excluded.expires_at_ms,
      revoked_at_ms = excluded.revoked_at_ms`,
  dropKeyLimits: 'DELETE FROM api_key_limit WHERE key_id = ?',
  addKeyLimit: 'INSERT INTO api_key_limit (key_id, method, calls_max) VALUES (?, ?, ?)',
  dropKeyAccounts: 'DELETE FROM api_key_account WHERE key_id = ?',
  // Only an account of the key's own client: a key never reaches further than its client.
  addKeyAccount: `
    INSERT INTO api_key_account (key_id, account_id)
    SELECT ?1, id FROM account WHERE id = ?2 AND client_id = ?3`,
} as const;

/** SQLite's codes of a broken reference and of a value that must be unique and is not. */
const FOREIGN_KEY = 787;
const UNIQUE = 2067;

/**
 * Puts the records in place and answers whom that touches: the clients whose accounts,
 * subscriptions or plans are others now, those who lost something to another client too, and the
 * keys that were written. Throws AppError INVALID_REQUEST where a record names one that is not
 * there, or a secret's HMAC that another key has.
 */
export function putRecords(db: Connection, records: Records): Change[] {
  const clientIds = new Set<string>();
  for (const client of records.clients) {
    db.run(RECORD_SQL.putClient, client.id, client.name);
    clientIds.add(client.id);
  }
  for (const account of records.accounts) {
    for (const id of putAccount(db, account)) clientIds.add(id);
  }
  for (const plan of records.plans) putPlan(db, plan);
  for (const subscription of records.subscriptions) {
    for (const id of putSubscription(db, subscription)) clientIds.add(id);
  }
  for (const plan of records.plans) {
    const holders = db.all<{ clientId: string }>(RECORD_SQL.planHolders, plan.id);
    for (const { clientId } of holders) clientIds.add(clientId);
  }
  for (const key of records.keys) putKey(db, key);
  const keyIds = new Set(records.keys.map((key) => key.id));
  return [
    ...[...clientIds].map((clientId): Change => ({ kind: 'client', clientId })),
    ...[...keyIds].map((keyId): Change => ({ kind: 'key', keyId })),
  ];
}

/** Answers the clients touched: the owner, and the one who owned it before. */
function putAccount(db: Connection, { id, clientId, readonly }: Account): string[] {
  const before = db.get<{ clientId: string }>(RECORD_SQL.accountOwner, id);
  refusing(
    FOREIGN_KEY,
    () => db.run(RECORD_SQL.putAccount, id, clientId, Number(readonly)),
    () => `account ${id} names client ${clientId}, which does not exist`,
  );
  return [clientId, before?.clientId ?? clientId];
}

function putPlan(db: Connection, plan: Plan): void {
  db.run(RECORD_SQL.putPlan, plan.id, plan.name);
  db.run(RECORD_SQL.dropPermissions, plan.id);
  for (const [position, permission] of plan.permissions.entries()) {
    db.run(
      RECORD_SQL.addPermission,
      plan.id,
      position,
      permission.quoteLevel,
      permission.delayMinutes,
      permission.conditionKind,
      permission.conditionValue,
    );
  }
}

/** Answers the clients touched: the holder, and the one who held it before. */
function putSubscription(db: Connection, subscription: Subscription): string[] {
  const { id, clientId, planId, startsAtMs, endsAtMs } = subscription;
  const before = db.get<{ clientId: string }>(RECORD_SQL.subscriptionOwner, id);
  refusing(
    FOREIGN_KEY,
    () => db.run(RECORD_SQL.putSubscription, id, clientId, planId, startsAtMs, endsAtMs),
    () =>
      db.get(RECORD_SQL.clientExists, clientId) === undefined
        ? `subscription ${id} names client ${clientId}, which does not exist`
        : `subscription ${id} names plan ${planId}, which does not exist`,
  );
  return [clientId, before?.clientId ?? clientId];
}

function putKey(db: Connection, key: ApiKey): void {
  const put = () =>
    db.run(
      RECORD_SQL.putKey,
      key.id,
      key.clientId,
      key.label,
      key.secretMac,
      Number(key.allAccounts),
      Number(key.readonly),
      key.expiresAtMs,
      key.revokedAtMs,
    );
  refusing(
    FOREIGN_KEY,
    () => refusing(UNIQUE, put, () => `key ${key.id} has the secret of another key`),
    () => `key ${key.id} names client ${key.clientId}, which does not exist`,
  );
  db.run(RECORD_SQL.dropKeyLimits, key.id);
  for (const [method, callsMax] of Object.entries(key.callsMax)) {
    db.run(RECORD_SQL.addKeyLimit, key.id, method, callsMax);
  }
  db.run(RECORD_SQL.dropKeyAccounts, key.id);
  for (const accountId of new Set(key.accountIds)) {
    if (db.run(RECORD_SQL.addKeyAccount, key.id, accountId, key.clientId) === 0) {
      const message = `key ${key.id} lists account ${accountId}, which its client does not have`;
      throw new AppError('INVALID_REQUEST', message);
    }
  }
}

/** Runs `statement`; where SQLite refuses it with `code`, says `message` instead. */
function refusing(code: number, statement: () => void, message: () => string): void {
  try {
    statement();
  } catch (error) {
    if (sqliteCode(error) !== code) throw error;
    throw new AppError('INVALID_REQUEST', message(), { cause: error });
  }
}
