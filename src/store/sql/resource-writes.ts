/** One resource put in place or taken away in a SQL database; see resources.ts for what follows. */
import { AppError } from '../../domain/errors.ts';
import type { ApiKey, Plan } from '../../domain/model.ts';
import type { ResourceKind, Resources } from '../store.ts';
import { type ConstraintKind, isConstraint } from './constraint.ts';
import { changed, first, type Sql } from './query.ts';

/** Puts a row, or other values under the same id; the last three are its version and times. */
function upsert(table: string, columns: readonly string[]): string {
  const all = [...columns, 'version', 'updated_at_ms', 'created_at_ms'];
  // Not when it was made, which is the last.
  const others = all.slice(1, -1).map((column) => `${column} = excluded.${column}`);
  return `
    INSERT INTO ${table} (${all.join(', ')}) VALUES (${all.map(() => '?').join(', ')})
    ON CONFLICT (id) DO UPDATE SET ${others.join(', ')}`;
}

/** Every statement that puts or deletes a resource. */
export const RESOURCE_WRITE_SQL = {
  putClient: upsert('client', ['id', 'name']),
  putAccount: upsert('account', ['id', 'client_id', 'readonly']),
  putPlan: upsert('plan', ['id', 'name']),
  putSubscription: upsert('subscription', [
    ...['id', 'client_id', 'plan_id', 'starts_at_ms', 'ends_at_ms'],
  ]),
  putKey: upsert('api_key', [
    ...['id', 'client_id', 'label', 'secret_mac', 'all_accounts', 'readonly', 'source_networks'],
    ...['expires_at_ms', 'revoked_at_ms', 'previous_secret_mac', 'previous_secret_ends_at_ms'],
  ]),
  putOperator: upsert('operator', [
    ...['id', 'name', 'role', 'token_mac', 'expires_at_ms', 'revoked_at_ms'],
  ]),
  clientExists: 'SELECT id FROM client WHERE id = ?',
  dropPermissions: 'DELETE FROM plan_permission WHERE plan_id = ?',
  addPermission: `
    INSERT INTO plan_permission (plan_id, position, quote_level, delay_minutes, condition_kind,
      condition_value)
    VALUES (?, ?, ?, ?, ?, ?)`,
  secretHolder: `
    SELECT id FROM api_key WHERE (secret_mac = ?1 OR previous_secret_mac = ?1) AND id <> ?2`,
  dropKeyLimits: 'DELETE FROM api_key_limit WHERE key_id = ?',
  addKeyLimit: 'INSERT INTO api_key_limit (key_id, method, calls_max) VALUES (?, ?, ?)',
  dropKeyAccounts: 'DELETE FROM api_key_account WHERE key_id = ?',
  // Only an account of the key's own client: a key never reaches further than its client.
  addKeyAccount: `
    INSERT INTO api_key_account (key_id, account_id)
    SELECT CAST(?1 AS TEXT), id FROM account WHERE id = ?2 AND client_id = ?3`,
  dropClient: 'DELETE FROM client WHERE id = ?',
  dropAccount: 'DELETE FROM account WHERE id = ?',
  dropPlan: 'DELETE FROM plan WHERE id = ?',
  dropSubscription: 'DELETE FROM subscription WHERE id = ?',
  dropKey: 'DELETE FROM api_key WHERE id = ?',
  dropOperator: 'DELETE FROM operator WHERE id = ?',
} as const;

const SQL = RESOURCE_WRITE_SQL;

/** A resource's version, and when it was changed and made; in the order of the columns. */
export type Stamps = readonly [version: number, updatedAtMs: number, createdAtMs: number];

/** How each kind is put in place, whole. Throws AppError INVALID_REQUEST for what it names in vain. */
export const PUT: {
  readonly [K in ResourceKind]: (value: Resources[K], stamps: Stamps) => Sql<void>;
} = {
  *client({ id, name }, stamps) {
    yield* changed(SQL.putClient, id, name, ...stamps);
  },
  *account({ id, clientId, readonly }, stamps) {
    yield* refusing(
      'foreign-key',
      () => changed(SQL.putAccount, id, clientId, Number(readonly), ...stamps),
      () => `account ${id} names client ${clientId}, which does not exist`,
    );
  },
  plan: putPlan,
  *subscription({ id, clientId, planId, startsAtMs, endsAtMs }, stamps) {
    // Asked before: after a refusal, not every engine answers in the same transaction.
    if ((yield* first(SQL.clientExists, clientId)) === undefined) {
      const message = `subscription ${id} names client ${clientId}, which does not exist`;
      throw new AppError('INVALID_REQUEST', message);
    }
    yield* refusing(
      'foreign-key',
      () => changed(SQL.putSubscription, id, clientId, planId, startsAtMs, endsAtMs, ...stamps),
      () => `subscription ${id} names plan ${planId}, which does not exist`,
    );
  },
  key: putKey,
  *operator({ id, name, role, tokenMac, expiresAtMs, revokedAtMs }, stamps) {
    yield* refusing(
      'unique',
      () => changed(SQL.putOperator, id, name, role, tokenMac, expiresAtMs, revokedAtMs, ...stamps),
      () => `operator ${id} has the token of another operator`,
    );
  },
};

function* putPlan(plan: Plan, stamps: Stamps): Sql<void> {
  yield* changed(SQL.putPlan, plan.id, plan.name, ...stamps);
  yield* changed(SQL.dropPermissions, plan.id);
  for (const [position, permission] of plan.permissions.entries()) {
    const { quoteLevel, delayMinutes, conditionKind, conditionValue } = permission;
    const place = [plan.id, position] as const;
    yield* changed(
      SQL.addPermission,
      ...place,
      quoteLevel,
      delayMinutes,
      conditionKind,
      conditionValue,
    );
  }
}

function* putKey(key: ApiKey, stamps: Stamps): Sql<void> {
  for (const mac of [key.secretMac, key.previousSecretMac]) {
    if (mac === null || (yield* first(SQL.secretHolder, mac, key.id)) === undefined) continue;
    throw new AppError('INVALID_REQUEST', `key ${key.id} has the secret of another key`);
  }
  const { id, clientId, label, secretMac, expiresAtMs, revokedAtMs } = key;
  const flags = [Number(key.allAccounts), Number(key.readonly)] as const;
  const networks = JSON.stringify(key.sourceNetworks);
  const ends = [expiresAtMs, revokedAtMs] as const;
  const previous = [key.previousSecretMac, key.previousSecretEndsAtMs] as const;
  const values = [
    id,
    clientId,
    label,
    secretMac,
    ...flags,
    networks,
    ...ends,
    ...previous,
  ] as const;
  yield* refusing(
    'foreign-key',
    () => changed(SQL.putKey, ...values, ...stamps),
    () => `key ${id} names client ${clientId}, which does not exist`,
  );
  yield* changed(SQL.dropKeyLimits, id);
  for (const [method, callsMax] of Object.entries(key.callsMax)) {
    yield* changed(SQL.addKeyLimit, id, method, callsMax);
  }
  yield* changed(SQL.dropKeyAccounts, id);
  for (const accountId of new Set(key.accountIds)) {
    if ((yield* changed(SQL.addKeyAccount, id, accountId, clientId)) === 1) continue;
    const message = `key ${id} lists account ${accountId}, which its client does not have`;
    throw new AppError('INVALID_REQUEST', message);
  }
}

const DROP: Readonly<Record<ResourceKind, readonly string[]>> = {
  client: [SQL.dropClient],
  account: [SQL.dropAccount],
  plan: [SQL.dropPermissions, SQL.dropPlan],
  subscription: [SQL.dropSubscription],
  key: [SQL.dropKeyLimits, SQL.dropKeyAccounts, SQL.dropKey],
  operator: [SQL.dropOperator],
};

/** Takes a resource away, with what is its own. Throws AppError RESOURCE_IN_USE when it is named. */
export function* drop(kind: ResourceKind, id: string): Sql<void> {
  try {
    for (const sql of DROP[kind]) yield* changed(sql, id);
  } catch (error) {
    if (!isConstraint(error, 'foreign-key')) throw error;
    const message = `${kind} ${id} is in use; delete what names it first`;
    throw new AppError('RESOURCE_IN_USE', message, { cause: error });
  }
}

/** Runs `statement`; where a constraint of this kind refuses it, says `message` instead. */
function* refusing(
  kind: ConstraintKind,
  statement: () => Sql<unknown>,
  message: () => string,
): Sql<void> {
  try {
    yield* statement();
  } catch (error) {
    if (!isConstraint(error, kind)) throw error;
    throw new AppError('INVALID_REQUEST', message(), { cause: error });
  }
}
