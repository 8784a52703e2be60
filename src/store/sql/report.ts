/** What a database says of itself, whatever the engine. */
import type { SealedSigningKey } from '../../domain/model.ts';
import { type ChainHead, readPoints } from './audit-points.ts';
import { first, type Sql } from './query.ts';
import { readMeta, readSigningKeys } from './reads.ts';

export interface DatabaseReport {
  /** Of the server that it belongs to; undefined before one has used it. */
  readonly mode: string | undefined;
  readonly masterKeyCheck: string | undefined;
  /** The newest first. */
  readonly signingKeys: readonly SealedSigningKey[];
  /** Of each chain of the audit log, in their order; that of a log which has not begun has no writer. */
  readonly heads: readonly ChainHead[];
  /** Of the newest audit entry. */
  readonly newestAtMs: number | undefined;
  /** The newest audit entry's; 0 when there is none. */
  readonly newestSequence: number;
}

const NEWEST_SQL = 'SELECT at_ms AS "atMs", sequence FROM audit ORDER BY sequence DESC LIMIT 1';

export function* readReport(): Sql<DatabaseReport> {
  const newest = yield* first<{ atMs: number; sequence: number }>(NEWEST_SQL);
  const heads = (yield* readPoints()).filter(({ name }) => name === 'head');
  return {
    mode: yield* readMeta('mode'),
    masterKeyCheck: yield* readMeta('master-key-check'),
    signingKeys: yield* readSigningKeys(),
    heads: heads.map(({ name: _, ...head }) => head),
    newestAtMs: newest?.atMs,
    newestSequence: newest?.sequence ?? 0,
  };
}
