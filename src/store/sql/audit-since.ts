/** Whether a database was rolled back, by heads of its log that were kept elsewhere. */
import type { KeyObject } from 'node:crypto';
import { isSealed } from '../../domain/audit-chain.ts';
import type { Told } from './audit-faults.ts';
import type { ChainHead } from './audit-points.ts';
import type { ChainEnds } from './audit-walk.ts';
import { first, type Sql } from './query.ts';

/** Every query of it. */
export const SINCE_SQL = {
  macOf: 'SELECT mac FROM audit WHERE sequence = ?',
} as const;

/** @param ends of the chain that the head given is of; undefined when the log has none such */
export function* checkSince(
  key: KeyObject,
  faults: Told,
  since: ChainHead,
  ends: ChainEnds | undefined,
): Sql<void> {
  if (!isSealed(key, 'head', since)) {
    faults.add('the head given was changed, or belongs to another master key');
  } else if (ends === undefined) {
    faults.add(`chain ${since.chain}, whose head was given, is missing`);
  } else if (ends.head?.writer !== since.writer) {
    faults.add('the log is another than the one whose head was given');
  } else {
    yield* checkEnds(faults, since, ends);
  }
}

function* checkEnds(faults: Told, since: ChainHead, { head, checkpoint }: ChainEnds): Sql<void> {
  const { sequence } = since;
  if (head !== undefined && head.sequence < sequence) {
    const ends = `the log ends at entry ${head.sequence}`;
    faults.add(`${ends}, and had come to entry ${sequence}: the database was rolled back`);
  } else if (checkpoint !== undefined && sequence >= checkpoint.sequence) {
    const entry = yield* first<{ mac: string | null }>(SINCE_SQL.macOf, sequence);
    const hash = sequence === checkpoint.sequence ? checkpoint.hash : entry?.mac;
    if (hash === since.hash) return;
    const what = `entry ${sequence} is another than the one that the head given names`;
    faults.add(`${what}: the database was rolled back`);
  }
}
