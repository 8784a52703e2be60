/** Resources as a SQL database keeps them: got by id, listed in pages, with all that is theirs. */
import { AppError } from '../../domain/errors.ts';
import type { Account, ApiKey, Plan } from '../../domain/model.ts';
import type { Permission } from '../../domain/permission.ts';
import type { ListQuery, ResourceKind, Resources, Stored } from '../store.ts';
import { first, rows, type Sql } from './query.ts';

const STAMPS = 'version, created_at_ms AS "createdAtMs", updated_at_ms AS "updatedAtMs"';

/** Where each kind is kept, and its columns as the model names them. */
const TABLES: Readonly<Record<ResourceKind, { readonly name: string; readonly columns: string }>> =
  {
    client: { name: 'client', columns: 'id, name' },
    account: { name: 'account', columns: 'id, client_id AS "clientId", readonly' },
    plan: { name: 'plan', columns: 'id, name' },
    subscription: {
      name: 'subscription',
      columns: `id, client_id AS "clientId", plan_id AS "planId", starts_at_ms AS "startsAtMs",
      ends_at_ms AS "endsAtMs"`,
    },
    key: {
      name: 'api_key',
      columns: `id, client_id AS "clientId", label, secret_mac AS "secretMac",
      all_accounts AS "allAccounts", readonly, source_networks AS "sourceNetworks",
      expires_at_ms AS "expiresAtMs", revoked_at_ms AS "revokedAtMs",
      previous_secret_mac AS "previousSecretMac",
      previous_secret_ends_at_ms AS "previousSecretEndsAtMs"`,
    },
    operator: {
      name: 'operator',
      columns: `id, name, role, token_mac AS "tokenMac", expires_at_ms AS "expiresAtMs",
      revoked_at_ms AS "revokedAtMs"`,
    },
  };

function select(kind: ResourceKind): string {
  const { name, columns } = TABLES[kind];
  return `SELECT ${columns}, ${STAMPS} FROM ${name}`;
}

function page(kind: ResourceKind, ...filters: string[]): string {
  const where = ['id > ?', ...filters.map((column) => `${column} = ?`)].join(' AND ');
  return `${select(kind)} WHERE ${where} ORDER BY id LIMIT ?`;
}

/** Every query about resources. */
export const RESOURCE_READ_SQL = {
  client: `${select('client')} WHERE id = ?`,
  account: `${select('account')} WHERE id = ?`,
  plan: `${select('plan')} WHERE id = ?`,
  subscription: `${select('subscription')} WHERE id = ?`,
  key: `${select('key')} WHERE id = ?`,
  operator: `${select('operator')} WHERE id = ?`,
  clients: page('client'),
  allAccounts: page('account'),
  accountsOfClient: page('account', 'client_id'),
  plans: page('plan'),
  allSubscriptions: page('subscription'),
  subscriptionsOfClient: page('subscription', 'client_id'),
  subscriptionsOfPlan: page('subscription', 'plan_id'),
  // Of one client's few subscriptions, those to the plan: the plan may have very many.
  subscriptionsOfBoth: `${select('subscription')}
    WHERE id > ? AND client_id = ? AND plan_id || '' = ? ORDER BY id LIMIT ?`,
  keys: page('key'),
  keysOfClient: page('key', 'client_id'),
  operators: page('operator'),
  keyAccounts: 'SELECT account_id AS id FROM api_key_account WHERE key_id = ? ORDER BY account_id',
  keyLimits: `
    SELECT method, calls_max AS "callsMax" FROM api_key_limit WHERE key_id = ? ORDER BY method`,
  permissions: `
    SELECT quote_level AS "quoteLevel", delay_minutes AS "delayMinutes",
      condition_kind AS "conditionKind", condition_value AS "conditionValue"
    FROM plan_permission WHERE plan_id = ? ORDER BY position`,
} as const;

type SqlName = keyof typeof RESOURCE_READ_SQL;

/** The queries of each kind's pages: of all, of a client's, of a plan's, of both. */
const PAGES: Readonly<Record<ResourceKind, readonly (SqlName | undefined)[]>> = {
  client: ['clients'],
  account: ['allAccounts', 'accountsOfClient'],
  plan: ['plans'],
  subscription: [
    'allSubscriptions',
    'subscriptionsOfClient',
    'subscriptionsOfPlan',
    'subscriptionsOfBoth',
  ],
  key: ['keys', 'keysOfClient'],
  operator: ['operators'],
};

/** A record as SQLite gives it: booleans are 0 and 1. */
export type Row<R> = { readonly [K in keyof R]: R[K] extends boolean ? number : R[K] };

type KeyRow = Row<Stored<Omit<ApiKey, 'accountIds' | 'callsMax' | 'sourceNetworks'>>> & {
  readonly sourceNetworks: string;
};

/** See Store.get. */
export function* readResource<K extends ResourceKind>(
  kind: K,
  id: string,
): Sql<Stored<Resources[K]> | undefined> {
  const row = yield* first<Row<Stored<Resources[K]>>>(RESOURCE_READ_SQL[kind], id);
  return row && (yield* whole(kind, row));
}

/** See Store.list. */
export function* listResources<K extends ResourceKind>(
  kind: K,
  { clientId, planId, afterId = '', limit }: ListQuery,
): Sql<Stored<Resources[K]>[]> {
  const name = PAGES[kind][(clientId === undefined ? 0 : 1) + (planId === undefined ? 0 : 2)];
  if (name === undefined) {
    throw new AppError('INVALID_REQUEST', `a ${kind} cannot be listed by what was given`);
  }
  const filters = [clientId, planId].filter((each) => each !== undefined);
  const values = [afterId, ...filters, Math.max(0, limit)];
  const listed: Stored<Resources[K]>[] = [];
  for (const row of yield* rows<Row<Stored<Resources[K]>>>(RESOURCE_READ_SQL[name], ...values)) {
    listed.push(yield* whole(kind, row));
  }
  return listed;
}

/** A row of a kind's table, with what other tables hold of it. */
function* whole<K extends ResourceKind>(
  kind: K,
  row: Row<Stored<Resources[K]>>,
): Sql<Stored<Resources[K]>> {
  const read = WHOLE[kind] as ((row: object) => Sql<object>) | undefined;
  // The kind says which it is.
  return (read === undefined ? { ...row } : yield* read(row)) as Stored<Resources[K]>;
}

const WHOLE = {
  // biome-ignore lint/correctness/useYield: an account is whole, and other kinds are not.
  *account(row: Row<Stored<Account>>): Sql<Stored<Account>> {
    return { ...row, readonly: row.readonly === 1 };
  },
  *plan(row: Stored<Omit<Plan, 'permissions'>>): Sql<Stored<Plan>> {
    return { ...row, permissions: yield* readPermissions(row.id) };
  },
  *key(row: KeyRow): Sql<Stored<ApiKey>> {
    const accountIds = yield* rows<{ id: string }>(RESOURCE_READ_SQL.keyAccounts, row.id);
    const limits = yield* rows<{ method: string; callsMax: number }>(
      RESOURCE_READ_SQL.keyLimits,
      row.id,
    );
    return {
      ...row,
      allAccounts: row.allAccounts === 1,
      readonly: row.readonly === 1,
      accountIds: accountIds.map(({ id }) => id),
      callsMax: Object.fromEntries(limits.map(({ method, callsMax }) => [method, callsMax])),
      sourceNetworks: JSON.parse(row.sourceNetworks) as string[],
    };
  },
} as Readonly<Partial<Record<ResourceKind, unknown>>>;

/** What a plan grants, as it lists it. */
export function* readPermissions(planId: string): Sql<Permission[]> {
  return (yield* rows<Permission>(RESOURCE_READ_SQL.permissions, planId)).map((row) => ({
    ...row,
  }));
}

/** The resource alone, without its version and times. */
export function contentOf<R extends object>(stored: Stored<R>): R {
  const { version: _, createdAtMs: _created, updatedAtMs: _updated, ...content } = stored;
  // What is left is what the stamps were joined to.
  return content as unknown as R;
}
