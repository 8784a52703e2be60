/** The old end of a long log is removed while calls go on, and what is left verifies. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { AUDIT_KEY, audit, HOUSEHOLD, put, session } from '../contract-samples.ts';
import { AuditLog } from '../sql/audit.ts';
import { pruneAudit } from '../sql/audit-prune.ts';
import type { Sql } from '../sql/query.ts';
import { openWriter } from './connection.ts';
import { verifyFile } from './maintenance.ts';
import { openSqlite } from './sqlite.ts';

const folder = mkdtempSync(join(tmpdir(), 'propusk-audit-'));
after(() => rmSync(folder, { recursive: true }));

const ENTRIES = 1_000_000;
const AT_ONCE = 500;
/** Entries are a millisecond apart. */
const BEGAN_MS = 1_600_000_000_000;

/** Writes a log as the store would have, entry by entry, in one transaction. */
function fill(file: string): void {
  const db = openWriter(file);
  db.exec('PRAGMA synchronous = OFF; BEGIN IMMEDIATE');
  const log = new AuditLog(AUDIT_KEY);
  for (let i = 0; i < ENTRIES; i++) {
    db.drive(log.append(audit('note.add', 'note', { atMs: BEGAN_MS + i })));
  }
  db.drive(log.finish());
  db.exec('COMMIT');
  db.close();
}

test('a million entries are pruned in steps, between which all others come to their turn', async () => {
  const file = join(folder, 'million.db');
  await (await openSqlite(`sqlite:${file}`)).close();
  fill(file);
  const store = await openSqlite(`sqlite:${file}`, { auditKey: AUDIT_KEY });
  await put(store, HOUSEHOLD);
  const kept = 1_000;
  const untilMs = BEGAN_MS + ENTRIES - kept;

  let steps = 0;
  let isDone = false;
  let mostStepsWaited = 0;
  let sessions = 0;
  const signIns = Array.from({ length: 4 }, async (_, name) => {
    while (!isDone) {
      const before = steps;
      const id = `${name}-${sessions++}`;
      const entry = audit('session.create', `session:${id}`);
      assert.equal(await store.createSession(session(id, 'k1'), entry), true);
      mostStepsWaited = Math.max(mostStepsWaited, steps - before);
      assert.ok(await store.holdings('k1'), 'reads go on');
    }
  });
  let removed = 0;
  for (;;) {
    const entries = await store.pruneAudit(untilMs, AT_ONCE, untilMs);
    assert.ok(entries <= AT_ONCE);
    removed += entries;
    steps += 1;
    if (entries < AT_ONCE) break;
  }
  isDone = true;
  await Promise.all(signIns);
  assert.equal(removed, ENTRIES - kept);
  // A write waits for the step under way, and may share its batch with the next.
  assert.ok(mostStepsWaited <= 2, `one waited for ${mostStepsWaited} steps`);
  assert.ok(sessions > steps / 4, `${sessions} sessions in ${steps} steps`);
  await store.close();

  const report = verifyFile(file, AUDIT_KEY);
  assert.deepEqual(report.faults, []);
  assert.equal(report.checkpoint, ENTRIES - kept);
  assert.equal(report.heads[0]?.sequence, report.checkpoint + report.entries);
});

test('entries of sessions go by few questions, whatever their number: an engine may be far', async () => {
  const file = join(folder, 'sessions.db');
  const store = await openSqlite(`sqlite:${file}`, { auditKey: AUDIT_KEY });
  await put(store, HOUSEHOLD);
  const made = Array.from({ length: AT_ONCE }, (_, i) =>
    store.createSession(session(`s${i}`, 'k1'), audit('session.create', `session:s${i}`)),
  );
  await Promise.all(made);
  await store.close();
  const db = openWriter(file);
  let questions = 0;
  const asked = function* (): Sql<number> {
    const late = Number.MAX_SAFE_INTEGER;
    const sql = pruneAudit(new AuditLog(AUDIT_KEY), {
      ...{ untilMs: late, entriesMax: 2 * AT_ONCE, atMs: late },
    });
    let step = sql.next();
    for (; step.done !== true; questions++) step = sql.next(yield step.value);
    return step.value;
  };
  db.exec('BEGIN IMMEDIATE');
  assert.ok(db.drive(asked()) > AT_ONCE);
  assert.deepEqual(db.all('SELECT id FROM session'), []);
  db.close();
  assert.ok(questions < AT_ONCE / 5, `${questions} questions`);
});
