/** A restoration that is cut short at any step leaves the old database or the new one, whole. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { AUDIT_KEY, audit, client, HOUSEHOLD, NOW_MS, put } from '../contract-samples.ts';
import { backUpFile } from './maintenance.ts';
import { restoreFile } from './restore.ts';
import { openSqlite } from './sqlite.ts';
import { Databases, faultsOf, signIn, using } from './tampering.ts';

const databases = new Databases();
after(() => databases.remove());

const PROGRAM = join(import.meta.dirname, 'test-child.ts');
/** Client c1, key k1 and three sessions. */
const COPY = databases.file('copy');
/** What was done since: client c2, in a write-ahead log that nobody has moved into the database. */
const SINCE = databases.file('since');

before(async () => {
  const first = databases.file('first');
  await using(first, async (store) => {
    await put(store, HOUSEHOLD);
    for (const id of ['one', 'two', 'three']) await signIn(store, id);
  });
  await backUpFile(first, COPY);
  await using(first, async (store) => {
    await put(store, { clients: [client('c2')] });
    for (const end of ['', '-wal']) copyFileSync(first + end, SINCE + end);
  });
});

/** A database in a folder of its own. */
function place(make: (file: string) => void): string {
  const file = join(mkdtempSync(join(databases.folder, 'place-')), 'main.db');
  make(file);
  return file;
}

function inUse(file: string): void {
  for (const end of ['', '-wal']) copyFileSync(SINCE + end, file + end);
}

/** With a log, which must not be taken for that of the next database. */
function damaged(file: string): void {
  inUse(file);
  writeFileSync(file, 'damaged beyond words'.repeat(1_000));
}

const judge = () => audit('database.restore', 'database', { atMs: NOW_MS + 1 });
const restore = (file: string) => restoreFile(COPY, `sqlite:${file}`, AUDIT_KEY, judge);

/** Runs it in a process that is killed before a step; answers whether it was. */
function restoreUntil(file: string, step: number, ...more: string[]): Promise<boolean> {
  const args = [PROGRAM, 'restore', file, COPY, `${step}`, ...more];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, (error, stdout) => {
      if (error === null && stdout === 'restored\n') resolve(false);
      else if (error?.signal === 'SIGKILL') resolve(true);
      else reject(error ?? new Error(stdout));
    });
  });
}

let signIns = 0;

/** Which of the two it is; both must be whole, and can be written to. */
async function stateOf(file: string): Promise<'old' | 'new'> {
  assert.deepEqual(faultsOf(file), []);
  const store = await openSqlite(`sqlite:${file}`, { exclusive: true, auditKey: AUDIT_KEY });
  try {
    assert.ok(await store.get('client', 'c1'));
    const isRevoked = (await store.session('one'))?.revokedAtMs !== null;
    const isOld = (await store.get('client', 'c2')) !== undefined;
    assert.equal(isRevoked, !isOld, 'a copy is in place with its sessions revoked');
    signIns += 1;
    assert.ok(await signIn(store, `after-${signIns}`));
    return isOld ? 'old' : 'new';
  } finally {
    await store.close();
  }
}

const asidesOf = (file: string) =>
  readdirSync(join(file, '..')).filter((name) => /^main\.db\.before-[^.]+\.\d+Z$/.test(name));

/** Everything beside the database that has no business there. */
const remainsOf = (file: string) =>
  readdirSync(join(file, '..')).filter(
    (name) => !name.startsWith('main.db.before-') && !['main.db', 'main.db.lock'].includes(name),
  );

for (const links of ['links', 'no-links']) {
  test(`killed before any step, one of both is there (${links})`, async () => {
    const states: string[] = [];
    for (let step = 1; ; step++) {
      const file = place(inUse);
      if (!(await restoreUntil(file, step, links))) break;
      const state = await stateOf(file);
      states.push(state);
      // The next one tidies up, and puts aside what there is under one name.
      const { aside } = await restore(file);
      assert.equal(await stateOf(file), 'new');
      assert.deepEqual(remainsOf(file), []);
      // A copy that was made before it was killed stays; it is all of the old database.
      const asides = asidesOf(file).length;
      const isCopy = links === 'no-links' && state === 'old' && asides === 2;
      assert.ok(isCopy || asides === (state === 'old' ? 1 : 2), `${asides} at step ${step}`);
      assert.ok(aside !== undefined && (await stateOf(aside)) === state);
    }
    // A name, the folder, the draft, the place, the folder; a copy takes three more.
    assert.ok(states.length >= 5, `${states.length} steps`);
    assert.deepEqual(new Set(states), new Set(['old', 'new']));
    assert.deepEqual(states, states.toSorted().toReversed(), 'never back again');
  });
}

test('a damaged database goes aside with its log, at whatever step it is killed', async () => {
  let isNew = false;
  for (let step = 1; ; step++) {
    const file = place(damaged);
    const wasKilled = await restoreUntil(file, step);
    const db = new DatabaseSync(file);
    try {
      assert.equal(db.prepare('SELECT count(*) AS n FROM client').get()?.n, 1);
      isNew = true;
    } catch (error) {
      assert.match(String(error), /not a database/);
      assert.ok(!isNew, 'never back again');
    }
    db.close();
    if (!wasKilled) break;
    await restore(file);
    assert.equal(await stateOf(file), 'new');
    assert.deepEqual(remainsOf(file), []);
  }
  assert.ok(isNew);
});

test('what was put aside has all that was there, its log too', async () => {
  const file = place(inUse);
  const { aside, begunAfter } = await restore(file);
  assert.ok(aside !== undefined && existsSync(aside));
  assert.equal(begunAfter, undefined);
  assert.equal(await stateOf(aside), 'old');
  const broken = place(damaged);
  const { aside: kept } = await restore(broken);
  assert.ok(kept !== undefined && existsSync(`${kept}-wal`));
  assert.deepEqual(remainsOf(broken), []);
});

test('a database that another program reads stays where it is', async () => {
  const file = place(inUse);
  const reader = new DatabaseSync(file, { readOnly: true });
  reader.exec('BEGIN');
  reader.prepare('SELECT * FROM client').all();
  await assert.rejects(restore(file), /database is locked/);
  reader.close();
  assert.deepEqual([remainsOf(file), asidesOf(file)], [['main.db-shm', 'main.db-wal'], []]);
  assert.equal(await stateOf(file), 'old');
});

test('every session that it revokes is named, however many there are', async () => {
  const many = databases.file('many');
  await using(many, async (store) => {
    await put(store, HOUSEHOLD);
    await Promise.all(Array.from({ length: 1_200 }, (_, i) => signIn(store, `s${i}`)));
    await store.revokeSession('s7', NOW_MS, audit('session.revoke', 'session:s7'));
  });
  const copy = databases.file('many-copy');
  await backUpFile(many, copy);
  const file = place(() => {});
  const { aside } = await restoreFile(copy, `sqlite:${file}`, AUDIT_KEY, judge);
  assert.equal(aside, undefined);
  assert.deepEqual(faultsOf(file), []);
  await using(file, async (store) => {
    const told = await store.findAudit({ actor: judge().actor, sinceMs: NOW_MS + 1, limit: 10 });
    const counts = told.entries.map(({ action, detail }) => `${action} ${detail.sessions}`);
    assert.deepEqual(counts, [
      ...['session.revoke 500', 'session.revoke 500', 'session.revoke 199'],
      'database.restore 1199',
    ]);
  });
  for (const id of ['s0', 's7', 's1199']) {
    const sql = `UPDATE session SET revoked_at_ms = NULL WHERE id = '${id}'`;
    assert.match(
      faultsOf(databases.changed(file, sql)).join(),
      new RegExp(`^session ${id} was rev`),
    );
  }
});

/** What makes a log useless, and a fault that is found then. */
const USELESS: readonly (readonly [what: string, sql: string])[] = [
  ['a head that was changed', `UPDATE audit_point SET sequence = 4 WHERE name = 'head'`],
  ['no head', `DELETE FROM audit_point WHERE name = 'head'`],
  ['no checkpoint', `DELETE FROM audit_point WHERE name = 'checkpoint'`],
  ['no log', 'DELETE FROM audit; DELETE FROM audit_point'],
  [
    'a chain that was added',
    `INSERT INTO audit_point SELECT 2, name, writer, sequence, hash, mac FROM audit_point;
     UPDATE audit SET chain = 2 WHERE sequence = 3`,
  ],
  [
    'a log that is made to look as if it had not begun',
    `UPDATE audit_point SET writer = '', hash = '', mac = '' WHERE name = 'head'`,
  ],
  [
    'a cut tail and a head that was changed',
    `DELETE FROM audit WHERE sequence > 3; UPDATE audit_point SET sequence = 3 WHERE name = 'head'`,
  ],
];

for (const [what, sql] of USELESS) {
  test(`a copy with ${what} is taken, and its log begins anew`, async () => {
    const copy = databases.changed(COPY, sql);
    assert.notDeepEqual(faultsOf(copy), []);
    const file = place(inUse);
    const { begunAfter } = await restoreFile(copy, `sqlite:${file}`, AUDIT_KEY, judge);
    assert.ok(begunAfter !== undefined && begunAfter >= 6, `${begunAfter}`);
    assert.deepEqual(faultsOf(file), []);
    await using(file, async (store) => {
      const entries = await store.audit(begunAfter, 100);
      const actions = entries.map(({ action }) => action);
      assert.deepEqual(actions.slice(0, 6), Array(6).fill('audit.carry'));
      assert.equal(entries.at(-1)?.detail.begunAfter, begunAfter);
      await put(store, { clients: [{ id: 'c1', name: 'renamed' }] });
      assert.ok(((await store.get('client', 'c1'))?.version ?? 0) > begunAfter);
    });
    assert.deepEqual(faultsOf(file), []);
    const raised = databases.changed(file, 'UPDATE account SET readonly = 0');
    assert.match(faultsOf(raised).join(), /^account a2 is not as entry \d+ says$/);
  });
}
