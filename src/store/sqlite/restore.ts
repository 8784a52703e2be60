/** A copy put in the place of the database, so that at every instant one of both is there. */
import type { KeyObject } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  linkSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { checkpointSeal, FIRST_CHAIN, isSealed } from '../../domain/audit-chain.ts';
import type { AuditEntry } from '../../domain/model.ts';
import { AuditLog } from '../sql/audit.ts';
import { readPoint, readPoints } from '../sql/audit-points.ts';
import { noteRevoked } from '../sql/sessions.ts';
import type { RevokedSession } from '../store.ts';
import { type Connection, openWriter, sqliteCode } from './connection.ts';
import { asStoreError, lockFile, prepareFile } from './file.ts';
import { copyFile, drop, flush, flushFolder, publish } from './maintenance.ts';
import { fileOf, setUp } from './sqlite.ts';

/** Statements of a restoration; it may look at every session. */
const RESTORE_SQL = {
  activeSessions: `
    SELECT id AS sessionId, expires_at_ms AS expiresAtMs FROM session
    WHERE id > ? AND expires_at_ms > ? AND revoked_at_ms IS NULL ORDER BY id LIMIT ?`,
  endSession: 'UPDATE session SET revoked_at_ms = ? WHERE id = ?',
  dropSigningKeys: 'DELETE FROM signing_key',
  // What an entry has made keeps its version, and no version comes twice.
  newest: `
    SELECT coalesce(max(sequence), 0) AS sequence FROM (
      SELECT max(sequence) AS sequence FROM audit
      UNION ALL SELECT max(version) FROM client UNION ALL SELECT max(version) FROM account
      UNION ALL SELECT max(version) FROM plan UNION ALL SELECT max(version) FROM subscription
      UNION ALL SELECT max(version) FROM api_key UNION ALL SELECT max(version) FROM operator)`,
  unchain: `
    UPDATE audit SET mac = NULL, chain = ${FIRST_CHAIN} WHERE mac IS NOT NULL OR chain <> ${FIRST_CHAIN}`,
  dropUntoldSessions: `
    DELETE FROM session WHERE id NOT IN
      (SELECT substr(target, 9) FROM audit
       WHERE action = 'session.create' AND target GLOB 'session:*')`,
  dropPoints: 'DELETE FROM audit_point',
  unbegun: `
    INSERT INTO audit_point (name, writer, sequence, hash, mac) VALUES ('head', '', ?, '', '')`,
} as const;

/** Sessions that are revoked at a time. */
const PAGE = 500;

/** SQLite's codes of a database that is beyond use: CORRUPT and NOTADB. */
const DAMAGES = new Set([11, 26]);

/** What SQLite keeps beside a database that says what is in it. */
const LOGS = ['-wal', '-journal'];

export interface Restored {
  /** Where the database that was there is now; undefined when there was none. */
  readonly aside: string | undefined;
  /** After which entry the log begins anew; undefined where it goes on. */
  readonly begunAfter: number | undefined;
}

/**
 * Puts a copy in the database's place, with all of its sessions revoked and its signing keys gone, so
 * that no token issued before is good. What was there stays beside it. Where the copy's log has no head
 * or checkpoint that it could go on from, it begins anew.
 *
 * @param judge looks at the copy first, brought to this version, and at what is there; what it throws
 * refuses, and nothing has changed; what it answers is noted in the restored log
 */
export async function restoreFile(
  copy: string,
  url: string,
  key: KeyObject,
  judge: (copy: Connection, file: string | undefined) => AuditEntry,
): Promise<Restored> {
  const wanted = fileOf(url);
  const wasThere = existsSync(wanted);
  const file = prepareFile(wanted);
  const lock = lockFile(file);
  const draft = `${file}.${process.pid}.tmp`;
  try {
    tidy(file, copy);
    await copyFile(copy, draft);
    setUp(draft);
    const db = openWriter(draft);
    const audit = judge(db, wasThere ? file : undefined);
    const begunAfter = endAll(db, key, audit);
    db.exec('PRAGMA journal_mode = DELETE');
    db.close();
    const aside = wasThere ? keepAside(file, draft, audit.atMs) : undefined;
    publish(draft, file);
    return { aside, begunAfter };
  } catch (error) {
    if (!wasThere) rmSync(file, { force: true });
    throw asStoreError(file, error);
  } finally {
    drop(draft);
    lock.close();
  }
}

function endAll(db: Connection, key: KeyObject, audit: AuditEntry): number | undefined {
  db.run('BEGIN IMMEDIATE');
  const begunAfter = renewLog(db, key);
  const log = new AuditLog(key);
  const { actor, atMs, remoteAddress, target } = audit;
  const revocation = { actor, atMs, remoteAddress, target, action: 'session.revoke', detail: {} };
  let sessions = 0;
  for (let afterId = ''; ; ) {
    const page = db.all<RevokedSession>(RESTORE_SQL.activeSessions, afterId, atMs, PAGE);
    for (const { sessionId } of page) db.run(RESTORE_SQL.endSession, atMs, sessionId);
    db.drive(noteRevoked(log, revocation, page));
    sessions += page.length;
    if (page.length < PAGE) break;
    afterId = page.at(-1)?.sessionId ?? '';
  }
  db.run(RESTORE_SQL.dropSigningKeys);
  const anew = begunAfter === undefined ? {} : { begunAfter };
  db.drive(log.append({ ...audit, detail: { ...audit.detail, sessions, ...anew } }));
  db.drive(log.finish());
  db.run('COMMIT');
  return begunAfter;
}

/**
 * Makes a log that nothing can go on from one that begins anew with the next entry. What was in it stays,
 * without HMACs, as entries from before logs were chained do; a session that none of them tells of goes.
 * Answers after which entry it begins; undefined when it goes on, or never had begun.
 */
function renewLog(db: Connection, key: KeyObject): number | undefined {
  const head = db.drive(readPoint('head'));
  const checkpoint = db.drive(readPoint('checkpoint'));
  // This engine's logs have one chain; ends of another were put there.
  const goesOn =
    db.drive(readPoints()).length === 2 &&
    head !== undefined &&
    isSealed(key, 'head', head) &&
    checkpoint?.writer === head.writer &&
    checkpointSeal(key, checkpoint) !== undefined;
  if (goesOn) return undefined;
  const unchained = db.run(RESTORE_SQL.unchain);
  if (head?.writer === '' && unchained === 0) return undefined;
  const { sequence = 0 } = db.get<{ sequence: number }>(RESTORE_SQL.newest) ?? {};
  db.run(RESTORE_SQL.dropUntoldSessions);
  db.run(RESTORE_SQL.dropPoints);
  db.run(RESTORE_SQL.unbegun, sequence);
  return sequence;
}

/** Removes what a restoration that was cut short has left; what is there is the database itself. */
function tidy(file: string, copy: string): void {
  const folder = dirname(file);
  const name = basename(file);
  const { ino, dev } = statSync(file, { bigint: true });
  const source = statSync(copy, { bigint: true, throwIfNoEntry: false });
  for (const each of readdirSync(folder)) {
    if (!each.startsWith(`${name}.`)) continue;
    const other = join(folder, each);
    const isDraft = /^\.\d+\.tmp(-wal|-shm|-journal|-aside)?$/.test(each.slice(name.length));
    const found = statSync(other, { bigint: true, throwIfNoEntry: false });
    // It was to be put aside, and has kept its place: two names of one database are a danger to it.
    const isAside = each.startsWith(`${name}.before-`) && source?.ino !== ino;
    const isItself = isAside && found?.ino === ino && found.dev === dev;
    if (isDraft || isItself) rmSync(other, { force: true });
  }
}

/**
 * Gives the database, which keeps its place until another takes it, a second name. Logs of SQLite beside
 * it, which one that is damaged may have, would be taken for those of the next.
 */
function keepAside(file: string, draft: string, atMs: number): string {
  settle(file);
  const aside = `${file}.before-${new Date(atMs).toISOString().replaceAll(':', '')}`;
  const logs = LOGS.filter((end) => existsSync(file + end));
  for (const end of [...logs, '']) secondName(file + end, aside + end, `${draft}-aside`);
  flushFolder(file);
  for (const end of [...LOGS, '-shm']) rmSync(file + end, { force: true });
  return aside;
}

/** Has SQLite move into the database what is in its log. One that it cannot read is kept as it is. */
function settle(file: string): void {
  let db: Connection | undefined;
  try {
    db = openWriter(file);
    db.exec('PRAGMA journal_mode = DELETE');
  } catch (error) {
    const code = sqliteCode(error);
    if (code === undefined || !DAMAGES.has(code & 0xff)) throw error;
  } finally {
    db?.close();
  }
}

/** A link, or where the file system has none, a copy that is there whole or not at all. */
function secondName(file: string, name: string, draft: string): void {
  try {
    linkSync(file, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw error;
    copyFileSync(file, draft);
    flush(draft);
    renameSync(draft, name);
  }
}
