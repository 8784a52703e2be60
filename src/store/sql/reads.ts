/** What is asked of a SQL database: each question one function, its SQL in one table. */
import type { Account, Holdings, SealedSigningKey, Subscription } from '../../domain/model.ts';
import { AUDIT_READ_SQL } from './audit-reads.ts';
import { ORDER_READ_SQL } from './orders.ts';
import { first, rows, type Sql } from './query.ts';
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
    SELECT id, sealed, created_at_ms AS "createdAtMs" FROM signing_key
    ORDER BY created_at_ms DESC, id DESC`,
  keyIdOfSecret: `
    SELECT id FROM api_key WHERE secret_mac = ?1
    UNION ALL
    SELECT id FROM api_key WHERE previous_secret_mac = ?1 AND previous_secret_ends_at_ms > ?2`,
  operatorIdOfToken: 'SELECT id FROM operator WHERE token_mac = ?',
  accounts: `
    SELECT id, client_id AS "clientId", readonly FROM account WHERE client_id = ? ORDER BY id`,
  subscriptions: `
    SELECT id, client_id AS "clientId", plan_id AS "planId", starts_at_ms AS "startsAtMs",
      ends_at_ms AS "endsAtMs"
    FROM subscription WHERE client_id = ? ORDER BY id`,
  ...RESOURCE_READ_SQL,
  ...SESSION_READ_SQL,
  ...AUDIT_READ_SQL,
  ...ORDER_READ_SQL,
} as const;

/** See Store.meta. */
export function* readMeta(name: string): Sql<string | undefined> {
  return (yield* first<{ value: string }>(READ_SQL.meta, name))?.value;
}

/** See Store.signingKeys. */
export function* readSigningKeys(): Sql<SealedSigningKey[]> {
  return (yield* rows<SealedSigningKey>(READ_SQL.signingKeys)).map((row) => ({ ...row }));
}

/** See Store.keyIdOfSecret. */
export function* readKeyIdOfSecret(secretMac: string, nowMs: number): Sql<string | undefined> {
  return (yield* first<{ id: string }>(READ_SQL.keyIdOfSecret, secretMac, nowMs))?.id;
}

/** See Store.operatorIdOfToken. */
export function* readOperatorIdOfToken(tokenMac: string): Sql<string | undefined> {
  return (yield* first<{ id: string }>(READ_SQL.operatorIdOfToken, tokenMac))?.id;
}

/** See Store.holdings. */
export function* readHoldings(keyId: string): Sql<Holdings | undefined> {
  const stored = yield* readResource('key', keyId);
  if (stored === undefined) return undefined;
  const key = contentOf(stored);
  const accounts = (yield* rows<Row<Account>>(READ_SQL.accounts, key.clientId)).map((account) => ({
    ...account,
    readonly: account.readonly === 1,
  }));
  const subscriptions: Holdings['subscriptions'][number][] = [];
  for (const row of yield* rows<Subscription>(READ_SQL.subscriptions, key.clientId)) {
    subscriptions.push({ ...row, permissions: yield* readPermissions(row.planId) });
  }
  return { key, accounts, subscriptions };
}
