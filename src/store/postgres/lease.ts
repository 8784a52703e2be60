/**
 * Which chain of the audit log a connection writes: the lowest that no other connection holds, or a
 * new one. It is held by a lock that goes with the connection, and after its last transaction.
 */
import type { KeyObject } from 'node:crypto';
import type pg from 'pg';
import { beginChain, readChains } from '../sql/audit-chains.ts';
import { first, type Sql } from '../sql/query.ts';
import { drive } from './connection.ts';
import { begin, commit, LOCKS, nextNumbers } from './transaction.ts';

const TRY_LOCK = `SELECT CAST(pg_try_advisory_lock(${LOCKS}, CAST(? AS integer)) AS integer) AS "isHeld"`;

/** Answers the chain's number. */
export async function leaseChain(client: pg.Client, auditKey: KeyObject): Promise<number> {
  for (;;) {
    const chain = await drive(client, freeChain());
    if (chain !== undefined) return chain;
    await begin(client);
    try {
      await drive(client, anotherChain(auditKey));
      await commit(client, []);
    } catch (error) {
      await client.query('ROLLBACK').catch(() => {});
      throw error;
    }
    // Another node may have taken it by now.
  }
}

function* freeChain(): Sql<number | undefined> {
  for (const chain of yield* readChains()) {
    if ((yield* first<{ isHeld: number }>(TRY_LOCK, chain))?.isHeld === 1) return chain;
  }
  return undefined;
}

function* anotherChain(auditKey: KeyObject): Sql<void> {
  const [sequence = 0] = yield* nextNumbers(1);
  yield* beginChain(auditKey, Date.now(), sequence, nextNumbers);
}
