/** Databases that were changed behind Propusk's back: whatever was done, verify finds it. */
import assert from 'node:assert/strict';
import { createSecretKey, type KeyObject } from 'node:crypto';
import { copyFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { AppError } from '../../domain/errors.ts';
import { AUDIT_KEY, audit, BY, HOUSEHOLD, operator, put } from '../contract-samples.ts';
import { readHeads } from '../sql/audit-points.ts';
import { StoreError } from '../store.ts';
import { look, verifyFile } from './maintenance.ts';
import { openSqlite } from './sqlite.ts';
import { Databases, faultsOf, signIn, using } from './tampering.ts';

const databases = new Databases();
after(() => databases.remove());

const MASTER = databases.file('master');
const OTHER = databases.file('other');
/** MASTER as it was before its last entries. */
const EARLIER = databases.file('earlier');
/** MASTER, and two changes more. */
const LATER = databases.file('later');
/** What is there in MASTER: seven resources, ten sessions. */
const ENTRIES = 17;

/** A log of ENTRIES entries; `names` tells one from another. */
async function fill(file: string, names: string, key?: KeyObject): Promise<void> {
  const write = async (store: Parameters<typeof signIn>[0]) => {
    await put(store, { ...HOUSEHOLD, operators: [operator('o1', { name: names })] });
    for (let i = 0; i < 10; i++) await signIn(store, `${names}${i}`);
  };
  await using(file, write, key);
}

before(async () => {
  await fill(MASTER, 'master');
  copyFileSync(MASTER, EARLIER);
  await fill(OTHER, 'other');
  copyFileSync(MASTER, LATER);
  await using(LATER, async (store) => {
    await put(store, { operators: [operator('o1', { name: 'renamed' })] });
    const gone = { kind: 'subscription', id: 's1', action: 'delete', value: null } as const;
    await store.change([{ ...gone, expect: 'any' }], BY);
  });
});

const changed = (sql: string, from = MASTER) =>
  databases.changed(from, sql, { other: OTHER, master: MASTER });
const headsOf = (file: string) => look(file, (db) => db.drive(readHeads()));

test('a log that nobody touched verifies, also since any of its heads', () => {
  const report = verifyFile(MASTER, AUDIT_KEY);
  assert.deepEqual(report.faults, []);
  assert.deepEqual([report.entries, report.unchained, report.checkpoint], [ENTRIES, 0, 0]);
  const heads = headsOf(MASTER);
  assert.equal(heads[0]?.sequence, ENTRIES);
  assert.deepEqual([faultsOf(MASTER, heads), faultsOf(LATER, heads)], [[], []]);
});

const COLUMNS = 'at_ms, actor, action, target, remote_address, detail, mac';

/** Puts the content of entries 5 and 6 in each other's place. */
const SWAPPED = `
  CREATE TEMP TABLE five AS SELECT ${COLUMNS} FROM audit WHERE sequence = 5;
  UPDATE audit SET (${COLUMNS}) = (SELECT ${COLUMNS} FROM audit WHERE sequence = 6)
    WHERE sequence = 5;
  UPDATE audit SET (${COLUMNS}) = (SELECT ${COLUMNS} FROM five) WHERE sequence = 6;`;

/** All of the log, with its head and checkpoint, is that of another database of the same key. */
const REPLACED = `
  DELETE FROM audit; DELETE FROM audit_point;
  INSERT INTO audit SELECT * FROM other.audit;
  INSERT INTO audit_point SELECT * FROM other.audit_point;`;

const TAMPERED: readonly (readonly [what: string, sql: string, fault: RegExp])[] = [
  [
    'an entry that says another actor',
    `UPDATE audit SET actor = 'operator:nobody' WHERE sequence = 9`,
    /^entry 9 is not as it was written/,
  ],
  [
    'an entry that says other details',
    `UPDATE audit SET detail = '{}' WHERE sequence = 3`,
    /^entry 3 is not as it was written/,
  ],
  [
    'an entry that says another time',
    'UPDATE audit SET at_ms = at_ms + 1 WHERE sequence = 17',
    /^entry 17 is not as it was written/,
  ],
  ['an entry that is gone', 'DELETE FROM audit WHERE sequence = 8', /^entry 8 is missing/],
  [
    'a row of entries that are gone',
    'DELETE FROM audit WHERE sequence BETWEEN 8 AND 10',
    /^entries 8 to 10 are missing/,
  ],
  ['the oldest entries, gone', 'DELETE FROM audit WHERE sequence <= 2', /^entries 1 to 2 are/],
  [
    'a gap that was closed',
    `DELETE FROM audit WHERE sequence = 8;
     UPDATE audit SET sequence = sequence - 1 WHERE sequence > 8;`,
    /^entry 8 is not as it was written/,
  ],
  ['two entries in each other’s place', SWAPPED, /^entry 5 is not as it was written/],
  ['a tail that is cut off', 'DELETE FROM audit WHERE sequence > 14', /^entries 15 to 17 are/],
  [
    'a tail that is cut off, and a head that says so',
    `DELETE FROM audit WHERE sequence > 14;
     UPDATE audit_point SET sequence = 14, hash = (SELECT mac FROM audit WHERE sequence = 14)
     WHERE name = 'head'`,
    /^the head of the log was changed/,
  ],
  [
    'a cut tail, and a head that an older copy had',
    `DELETE FROM audit WHERE sequence > 14;
     UPDATE audit_point SET (writer, sequence, hash, mac) =
       (SELECT writer, sequence, hash, mac FROM other.audit_point WHERE name = 'head')
     WHERE name = 'head'`,
    /^the checkpoint is that of another log/,
  ],
  [
    'an entry that was added',
    `INSERT INTO audit (sequence, ${COLUMNS}) SELECT 18, ${COLUMNS} FROM audit WHERE sequence = 17`,
    /^entry 18 is not as it was written/,
  ],
  ['a head that is gone', `DELETE FROM audit_point WHERE name = 'head'`, /^the head .* is missing/],
  [
    'a checkpoint that is gone',
    `DELETE FROM audit_point WHERE name = 'checkpoint'`,
    /^the checkpoint of the log is missing/,
  ],
  [
    'a checkpoint that is moved over entries that are gone',
    `DELETE FROM audit WHERE sequence <= 4;
     UPDATE audit_point SET sequence = 4, hash = (SELECT mac FROM master.audit WHERE sequence = 4)
     WHERE name = 'checkpoint'`,
    /^the checkpoint of the log was changed/,
  ],
  [
    'a head in the place of the checkpoint',
    `DELETE FROM audit;
     UPDATE audit_point SET (writer, sequence, hash, mac) =
       (SELECT writer, sequence, hash, mac FROM audit_point WHERE name = 'head')
     WHERE name = 'checkpoint'`,
    /^the checkpoint of the log was changed/,
  ],
  [
    'a log that is made to look as if it had not begun',
    `UPDATE audit_point SET writer = '', hash = '', mac = '' WHERE name = 'head'`,
    /^the log had begun/,
  ],
  [
    'a log that is made never to have begun',
    `DELETE FROM audit;
     DELETE FROM audit_point WHERE name = 'checkpoint';
     UPDATE audit_point SET writer = '', hash = '', mac = '' WHERE name = 'head'`,
    /^the log has not begun, and nothing is known/,
  ],
  [
    'an account that no entry has made',
    'UPDATE account SET version = 0',
    /^account \S+ is as it was before entry \d+$/,
  ],
  [
    'an entry without its HMAC',
    'UPDATE audit SET mac = NULL WHERE sequence = 4',
    /^entry 4 is not as it was written/,
  ],
  ['the whole log of another database', REPLACED, /^operator o1 is not as entry 7 says/],
  [
    'a resource that no entry made so',
    `UPDATE operator SET role = 'owner' WHERE id = 'o1'`,
    /^operator o1 is not as entry 7 says/,
  ],
  [
    'a resource that names another entry',
    `UPDATE operator SET role = 'owner', version = 8 WHERE id = 'o1'`,
    /^operator o1 is not as entry 8 says/,
  ],
  [
    'an entry without an HMAC before the first one',
    'INSERT INTO audit (sequence, at_ms, actor, action, target, remote_address, detail) ' +
      `VALUES (0, 0, 'operator:o1', 'client.delete', 'client:c1', '', '{}')`,
    /^entries before 1, where every log begins, were added$/,
  ],
  [
    'a trigger that would change what Propusk writes',
    `CREATE TRIGGER undo AFTER UPDATE OF revoked_at_ms ON session
     BEGIN UPDATE session SET revoked_at_ms = NULL WHERE id = new.id; END`,
    /^the database holds a trigger undo, which Propusk did not make$/,
  ],
];

/** Changes of LATER, whose entry 18 renames operator o1, and 19 deletes subscription s1. */
const TURNED_BACK: typeof TAMPERED = [
  [
    'a change that is undone, with the version from before it',
    `UPDATE operator SET name = 'master', version = 7 WHERE id = 'o1'`,
    /^operator o1 is as it was before entry 18$/,
  ],
  [
    'a resource that was deleted, and is there again',
    'INSERT INTO subscription SELECT * FROM master.subscription',
    /^subscription s1 was deleted, and is there again$/,
  ],
  ['a resource that is gone', 'DELETE FROM operator', /^operator:o1 is missing, and entry 18 says/],
  [
    'details that nobody can read',
    `UPDATE audit SET detail = '{' WHERE sequence = 18`,
    /^entry 18 is not as it was written/,
  ],
];

for (const [what, sql, fault] of [...TAMPERED, ...TURNED_BACK]) {
  test(`verify finds ${what}`, () => {
    const isLater = TURNED_BACK.some(([each]) => each === what);
    const faults = faultsOf(changed(sql, isLater ? LATER : MASTER));
    assert.ok(
      faults.some((found) => fault.test(found)),
      JSON.stringify(faults),
    );
  });
}

test('a chain under another key is found, entry by entry, and told in bounds', async () => {
  const file = databases.file('other-key');
  await fill(file, 'master', createSecretKey(Buffer.alloc(32, 7)));
  const faults = faultsOf(file);
  assert.match(
    faults[0] ?? '',
    /^the head of the log was changed, or belongs to another master key/,
  );
  assert.equal(faults.filter((fault) => /^entry \d+ is not/.test(fault)).length, ENTRIES);
});

test('a database that is rolled back is found with a head, and only so', async () => {
  const file = changed('');
  const heads = headsOf(file);
  const revoke =
    (...ids: string[]) =>
    (store: Parameters<typeof signIn>[0]) =>
      Promise.all(
        ids.map((id) => store.revokeSession(id, 5, audit('session.revoke', `session:${id}`))),
      );
  await using(file, revoke('master1'));
  const later = headsOf(file);
  assert.deepEqual([faultsOf(file, heads), faultsOf(file, later)], [[], []]);
  assert.deepEqual(faultsOf(EARLIER), []);
  assert.match(faultsOf(EARLIER, later)[0] ?? '', /ends at entry 17, .* 18: .* rolled back$/);
  // And then written to again, past the entry that the head names.
  await using(EARLIER, revoke('master2', 'master3'));
  assert.deepEqual(faultsOf(EARLIER), []);
  assert.match(faultsOf(EARLIER, later)[0] ?? '', /^entry 18 is another .* rolled back$/);
});

test('a head of another log, or one that was changed, is told', () => {
  const [heads, others] = [headsOf(MASTER), headsOf(OTHER)];
  assert.match(faultsOf(MASTER, others)[0] ?? '', /^the log is another/);
  const forged = heads.map((each) => ({ ...each, sequence: 3 }));
  assert.match(faultsOf(MASTER, forged)[0] ?? '', /^the head given was changed/);
});

test('nothing is written to a log whose head was changed, and reads go on', async () => {
  for (const sql of [
    `UPDATE audit_point SET sequence = 14 WHERE name = 'head'`,
    `DELETE FROM audit_point WHERE name = 'head'`,
  ]) {
    const file = changed(sql);
    const store = await openSqlite(`sqlite:${file}`, { auditKey: AUDIT_KEY });
    await assert.rejects(put(store, { clients: [{ id: 'new', name: 'new' }] }), (error) => {
      assert.ok(error instanceof AppError);
      assert.equal(error.reason, 'UNAVAILABLE');
      return true;
    });
    assert.equal((await store.get('client', 'c1'))?.id, 'c1');
    assert.equal(await store.get('client', 'new'), undefined);
    await store.close();
  }
});

test('what does not verify is not pruned either', async () => {
  const file = changed(`UPDATE audit SET actor = 'nobody' WHERE sequence = 4`);
  await using(file, async (store) => {
    const everything = Number.MAX_SAFE_INTEGER;
    await assert.rejects(store.pruneAudit(everything, 10, 0), /does not verify/);
    assert.equal(await store.pruneAudit(everything, 3, 0), 3, 'what comes before it is');
  });
  assert.equal(faultsOf(file).length, 1);
});

test('a file that is not there, or is not of this version, is refused', () => {
  assert.throws(() => verifyFile(databases.file('nothing'), AUDIT_KEY), StoreError);
  const old = changed('PRAGMA user_version = 3');
  assert.throws(
    () => verifyFile(old, AUDIT_KEY),
    /at version 3, not \d+; run propusk migrate first/,
  );
});
