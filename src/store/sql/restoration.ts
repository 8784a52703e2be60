/** What a restoration does inside of a database, whatever its engine; it may look at every session. */
import type { KeyObject } from 'node:crypto';
import { checkpointSeal, FIRST_CHAIN, isSealed } from '../../domain/audit-chain.ts';
import type { AuditEntry } from '../../domain/model.ts';
import type { RevokedSession } from '../store.ts';
import { AuditLog } from './audit.ts';
import { registerFault } from './audit-chains.ts';
import { isRegister, type NamedPoint, readPoints } from './audit-points.ts';
import { changed, first, rows, type Sql } from './query.ts';
import { noteRevoked } from './sessions.ts';

const RESTORATION_SQL = {
  endSessions: `
    UPDATE session SET revoked_at_ms = ?1 WHERE id IN (
      SELECT id FROM session WHERE id > ?2 AND expires_at_ms > ?1 AND revoked_at_ms IS NULL
      ORDER BY id LIMIT ?3)
    RETURNING id AS "sessionId", expires_at_ms AS "expiresAtMs"`,
  dropSigningKeys: 'DELETE FROM signing_key',
  // What an entry has made keeps its version, and no version comes twice.
  newest: `
    SELECT coalesce(max(sequence), 0) AS sequence FROM (
      SELECT max(sequence) AS sequence FROM audit
      UNION ALL SELECT max(version) FROM client UNION ALL SELECT max(version) FROM account
      UNION ALL SELECT max(version) FROM plan UNION ALL SELECT max(version) FROM subscription
      UNION ALL SELECT max(version) FROM api_key UNION ALL SELECT max(version) FROM operator
    ) AS numbers`,
  unchain: `UPDATE audit SET mac = NULL, chain = ${FIRST_CHAIN} WHERE mac IS NOT NULL`,
  dropUntoldSessions: `
    DELETE FROM session WHERE id NOT IN
      (SELECT substr(target, 9) FROM audit
       WHERE action = 'session.create' AND substr(target, 1, 8) = 'session:')`,
  dropPoints: 'DELETE FROM audit_point',
  unbegun: `
    INSERT INTO audit_point (name, writer, sequence, hash, mac) VALUES ('head', '', ?, '', '')`,
} as const;

/** Sessions that are revoked at a time. */
const PAGE = 500;

export interface Restoration {
  readonly key: KeyObject;
  /** Notes it in the log; its detail gets how many sessions were revoked. */
  readonly audit: AuditEntry;
  /** Opens a log of several chains, which have a register; a log of one is begun by appending to it. */
  readonly openLog?: () => Sql<AuditLog>;
}

/**
 * Ends all sessions and drops the signing keys, so that no token issued before is good, inside of one
 * transaction. Where the log has no head or checkpoint that it could go on from, it begins anew:
 * answers after which entry; undefined when it goes on.
 */
export function* endAll({ key, audit, openLog }: Restoration): Sql<number | undefined> {
  const begunAfter = yield* renewLog(key, openLog !== undefined);
  const log = openLog === undefined ? new AuditLog(key) : yield* openLog();
  const { actor, atMs, remoteAddress, target } = audit;
  const revocation = { actor, atMs, remoteAddress, target, action: 'session.revoke', detail: {} };
  let sessions = 0;
  for (let afterId = ''; ; ) {
    const page = yield* rows<RevokedSession>(RESTORATION_SQL.endSessions, atMs, afterId, PAGE);
    // In whatever order they were changed.
    const ended = page.toSorted((a, b) => (a.sessionId < b.sessionId ? -1 : 1));
    yield* noteRevoked(log, revocation, ended);
    sessions += ended.length;
    if (ended.length < PAGE) break;
    afterId = ended.at(-1)?.sessionId ?? '';
  }
  yield* changed(RESTORATION_SQL.dropSigningKeys);
  const anew = begunAfter === undefined ? {} : { begunAfter };
  yield* log.append({ ...audit, detail: { ...audit.detail, sessions, ...anew } });
  yield* log.finish();
  return begunAfter;
}

/** The greatest number that an entry, or what one has made, has. */
export function* newestNumber(): Sql<number> {
  return (yield* first<{ sequence: number }>(RESTORATION_SQL.newest))?.sequence ?? 0;
}

/**
 * Makes a log that nothing can go on from one that begins anew with the next entry. What was in it stays,
 * without HMACs, as entries from before logs were chained do; a session that none of them tells of goes.
 * Answers after which entry it begins; undefined when it goes on, or never had begun.
 */
function* renewLog(key: KeyObject, hasRegister: boolean): Sql<number | undefined> {
  const points = yield* readPoints();
  if (goesOn(key, points, hasRegister)) return undefined;
  const unchained = yield* changed(RESTORATION_SQL.unchain);
  const [only] = points;
  const isUnbegun = points.length === 1 && only?.name === 'head' && only.writer === '';
  if (isUnbegun && unchained === 0) return undefined;
  const sequence = yield* newestNumber();
  yield* changed(RESTORATION_SQL.dropUntoldSessions);
  yield* changed(RESTORATION_SQL.dropPoints);
  yield* changed(RESTORATION_SQL.unbegun, sequence);
  return sequence;
}

/** True where every chain has both of its ends, and they are all the chains that there are. */
function goesOn(key: KeyObject, points: readonly NamedPoint[], hasRegister: boolean): boolean {
  const heads = points.filter(({ name }) => name === 'head');
  const register = points.find(isRegister);
  // A log without a register has one chain; ends of another were put there.
  if (!hasRegister && points.length !== 2) return false;
  if (hasRegister && registerFault(key, register, heads) !== undefined) return false;
  const isWhole = (head: NamedPoint) => {
    const checkpoint = points.find(
      ({ name, chain }) => name === 'checkpoint' && chain === head.chain,
    );
    return (
      isSealed(key, 'head', head) &&
      checkpoint?.writer === head.writer &&
      checkpointSeal(key, checkpoint) !== undefined
    );
  };
  return heads.length > 0 && heads.every(isWhole);
}
