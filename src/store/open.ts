/** Opening a store: which engine it is on, its address says. */
import type { PostgresOptions } from './postgres/postgres.ts';
import { isPostgres } from './postgres/url.ts';
import { openSqlite, type SqliteOptions } from './sqlite/sqlite.ts';
import type { Store } from './store.ts';

export type StoreOptions = SqliteOptions & PostgresOptions;

/**
 * Opens the database, and makes or migrates it first where that is needed.
 * @param url `sqlite:PATH`, `sqlite::memory:` or `postgres://…`
 * @throws StoreError in one line without a password, when it cannot be used
 */
export async function openStore(url: string, options: StoreOptions = {}): Promise<Store> {
  if (!isPostgres(url)) return openSqlite(url, options);
  // Its driver is loaded where it is used.
  const { openPostgres } = await import('./postgres/postgres.ts');
  return openPostgres(url, options);
}
