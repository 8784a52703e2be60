/** What is asked of an SQLite database: each question one function, its SQL in one table. */
import type { Account, Holdings, SealedSigningKey, Subscription } from '../../domain/model.ts';
import { AUDIT_READ_SQL } from './audit-reads.ts';
import type { Connection } from './connection.ts';
import { ORDER_READ_SQL } from './orders.ts';
import {
  contentOf,
  RESOURCE_READ_SQL,
  type Row,
  readPermissions,
  readResource,
} from './resource-reads.ts';
import { SESSION_READ_SQL } from './sessions.ts';

/** Every query; a test asks SQLite how it would do each of them. */
export const READ_SQL = {
  meta: 'SELECT value FROM meta WHERE name = ?',
  signingKeys: `
    SELECT id, sealed, created_at_ms AS createdAtMs FROM signing_key
    ORDER BY created_at_ms DESC, id DESC`,
  keyIdOfSecret: `
    SELECT id FROM api_key WHERE secret_mac = ?1
    UNION ALL
    SELECT id FROM api_key WHERE previous_secret_mac = ?1 AND previous_secret_ends_at_ms > ?2`,
  operatorIdOfToken: 'SELECT id FROM operator WHERE token_mac = ?',
  accounts: `
    SELECT id, client_id AS clientId, readonly FROM account WHERE client_id = ? ORDER BY id`,
  subscriptions: `
    SELECT id, client_id AS clientId, plan_id AS planId, starts_at_ms AS startsAtMs,
      ends_at_ms AS endsAtMs
    FROM subscription WHERE client_id = ? ORDER BY id`,
  ...RESOURCE_READ_SQL,
  ...SESSION_READ_SQL,
  ...AUDIT_READ_SQL,
  ...ORDER_READ_SQL,
} as const;

/** See Store.meta. */
export function readMeta(db: Connection, name: string): string | undefined {
  return db.get<{ value: string }>(READ_SQL.meta, name)?.value;
}

/** See Store.signingKeys. */
export function readSigningKeys(db: Connection): SealedSigningKey[] {
  return db.all<SealedSigningKey>(READ_SQL.signingKeys).map((row) => ({ ...row }));
}

/** See Store.keyIdOfSecret. */
export function readKeyIdOfSecret(
  db: Connection,
  secretMac: string,
  nowMs: number,
): string | undefined {
  return db.get<{ id: string }>(READ_SQL.keyIdOfSecret, secretMac, nowMs)?.id;
}

/** See Store.operatorIdOfToken. */
export function readOperatorIdOfToken(db: Connection, tokenMac: string): string | undefined {
  return db.get<{ id: string }>(READ_SQL.operatorIdOfToken, tokenMac)?.id;
}

/** See Store.holdings. */
export function readHoldings(db: Connection, keyId: string): Holdings | undefined {
  return db.snapshot(() => {
    const stored = readResource(db, 'key', keyId);
    if (stored === undefined) return undefined;
    const key = contentOf(stored);
    const accounts = db
      .all<Row<Account>>(READ_SQL.accounts, key.clientId)
      .map((account) => ({ ...account, readonly: account.readonly === 1 }));
    const subscriptions = db
      .all<Subscription>(READ_SQL.subscriptions, key.clientId)
      .map((row) => ({ ...row, permissions: readPermissions(db, row.planId) }));
    return { key, accounts, subscriptions };
  });
}
