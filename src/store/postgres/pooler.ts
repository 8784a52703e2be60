/**
 * Whether a pool is between that gives a connection to others after each transaction: what belongs to a
 * session, as locks and notifications do, is lost there.
 */
import type pg from 'pg';
import { StoreError } from '../store.ts';
import { connect, leave } from './connection.ts';

/** How often it is tried: others may take turns at such a pool. */
const TRIES = 3;

/** @throws StoreError where two connections are seen to be one. */
export async function refusePooler(
  client: pg.Client,
  config: pg.ClientConfig,
  place: string,
): Promise<void> {
  // The server tells who connects to it directly the same.
  const { processID } = client as pg.Client & { readonly processID: number };
  if ((await processOf(client)) === processID) return;
  const other = await connect(config);
  try {
    for (let tries = 0; tries < TRIES; tries++) {
      if ((await processOf(client)) !== (await processOf(other))) continue;
      const advice = 'connect directly, or by a pool in session mode';
      throw new StoreError(`${place} is behind a pool that shares connections; ${advice}`);
    }
  } finally {
    await leave(other);
  }
}

/** The process of the server that answers. */
async function processOf(client: pg.Client): Promise<number | undefined> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return rows[0]?.pid;
}
