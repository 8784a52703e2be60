/** Logs of two chains that were changed behind Propusk's back: whatever was done, verify finds it. */
import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import {
  AUDIT_KEY,
  audit,
  BY,
  HOUSEHOLD,
  NOW_MS,
  operator,
  puts,
  putsOf,
  session,
} from '../contract-samples.ts';
import { AuditLog } from '../sql/audit.ts';
import { beginChain, beginRegister } from '../sql/audit-chains.ts';
import { type ChainHead, readHeads } from '../sql/audit-points.ts';
import { pruneAudit } from '../sql/audit-prune.ts';
import { WRITES } from '../sql/writes.ts';
import { type Connection, openWriter } from './connection.ts';
import { look, verifyFile } from './maintenance.ts';
import { Databases, numbers, using } from './tampering.ts';

const databases = new Databases();
after(() => databases.remove());

/** Only the first chain, with its resources. */
const ALONE = databases.file('alone');
/** ALONE, and chain 2. */
const EARLIER = databases.file('earlier');
/** EARLIER, and then some. */
const MASTER = databases.file('master');
/** Another log of two chains. */
const OTHER = databases.file('other');

interface Scene {
  readonly db: Connection;
  readonly drawn: ReturnType<typeof numbers>;
  /** What one transaction writes to a chain. */
  write(chain: number, write: (log: AuditLog) => void): void;
  signIn(chain: number, id: string): void;
}

/** Writes to a database as nodes would that share it, each with a chain of its own. */
function scene(file: string, work: (scene: Scene) => void): void {
  const db = openWriter(file);
  const newest = db.get<{ sequence: number }>(
    `SELECT max(sequence) AS sequence FROM
       (SELECT sequence FROM audit UNION ALL SELECT sequence FROM audit_point)`,
  );
  const drawn = numbers(newest?.sequence ?? 0);
  const write: Scene['write'] = (chain, each) => {
    const log = new AuditLog(AUDIT_KEY, { chain, nextNumbers: drawn.next });
    each(log);
    db.drive(log.finish());
  };
  const signIn = (chain: number, id: string) =>
    write(chain, (log) => {
      const made = [session(id, 'k1'), audit('session.create', `session:${id}`)] as const;
      assert.equal(db.drive(WRITES.createSession([...made], log)).result, true);
    });
  try {
    db.run('BEGIN IMMEDIATE');
    work({ db, drawn, write, signIn });
    db.run('COMMIT');
  } finally {
    db.close();
  }
}

/** Begins a log of two chains: resources by the first, then sessions by both, in turns. */
async function fill(file: string, name: string, each: (file: string) => void): Promise<void> {
  await using(file, async () => {});
  scene(file, ({ db, drawn, write, signIn }) => {
    assert.equal(db.drive(beginChain(AUDIT_KEY, NOW_MS, drawn.one(), drawn.next)), 1);
    const changes = putsOf({ ...HOUSEHOLD, operators: [operator('o1', { name })] });
    write(1, (log) => db.drive(WRITES.change([changes, BY], log)));
    signIn(1, 'first');
  });
  each(ALONE);
  scene(file, ({ db, drawn, write, signIn }) => {
    assert.equal(db.drive(beginChain(AUDIT_KEY, NOW_MS, drawn.one(), drawn.next)), 2);
    for (let i = 0; i < 4; i++) {
      signIn(2, `two-${i}`);
      signIn(1, `one-${i}`);
    }
    // A number that was drawn and not used.
    drawn.one();
    const renamed = puts('operator', [operator('o1', { name: 'renamed' })]);
    write(2, (log) => db.drive(WRITES.change([renamed, BY], log)));
  });
  each(EARLIER);
  scene(file, ({ signIn }) => {
    for (const id of ['late', 'later']) signIn(2, id);
    signIn(1, 'last');
  });
}

before(async () => {
  await fill(MASTER, 'master', (copy) => copyFileSync(MASTER, copy));
  await fill(OTHER, 'other', () => {});
});

const changed = (sql: string, from = MASTER) =>
  databases.changed(from, sql, { other: OTHER, earlier: EARLIER, alone: ALONE });
const headsOf = (file: string) => look(file, (db) => db.drive(readHeads()));
const reportOf = (file: string, since: readonly ChainHead[] = []) =>
  verifyFile(file, AUDIT_KEY, { since, hasRegister: true });

/** The sequences of a chain's entries. */
function sequencesOf(file: string, chain: number): number[] {
  const sql = 'SELECT sequence FROM audit WHERE chain = ? ORDER BY sequence';
  return look(file, (db) => db.all<{ sequence: number }>(sql, chain)).map((row) => row.sequence);
}

test('two chains that nobody touched verify, also since any of their heads', () => {
  const heads = headsOf(MASTER);
  assert.deepEqual(
    heads.map(({ chain }) => chain),
    [1, 2],
  );
  const entries = [1, 2].flatMap((chain) => sequencesOf(MASTER, chain)).length;
  for (const since of [heads, headsOf(EARLIER), headsOf(ALONE), []]) {
    const report = reportOf(MASTER, since);
    assert.deepEqual([report.faults, report.entries, report.unchained], [[], entries, 0]);
    assert.deepEqual(report.heads, heads);
  }
  assert.deepEqual(reportOf(ALONE).faults, []);
});

test('a database that has no register verifies where none is needed, and only there', async () => {
  const file = databases.file('unregistered');
  await using(file, async () => {});
  assert.deepEqual(reportOf(file).faults, []);
  const db = openWriter(file);
  const log = new AuditLog(AUDIT_KEY);
  db.drive(log.append(audit('note.add', 'note')));
  db.drive(log.finish());
  db.close();
  assert.deepEqual(verifyFile(file, AUDIT_KEY).faults, []);
  assert.deepEqual(reportOf(file).faults, ["the register of the log's chains is missing"]);
  scene(file, ({ db }) => db.drive(beginRegister(AUDIT_KEY)));
  assert.deepEqual(reportOf(file, headsOf(file)).faults, []);
});

/** Entry n of chain 2, from 0 on. */
const OF_TWO = (n: number) =>
  `(SELECT sequence FROM audit WHERE chain = 2 ORDER BY sequence LIMIT 1 OFFSET ${n})`;
const OF_ONE = OF_TWO(7).replace('chain = 2', 'chain = 1');
const POINTS = 'writer, sequence, hash, mac';
const putBack = (name: string, chain: number, from: string) =>
  `UPDATE audit_point SET (${POINTS}) = (SELECT ${POINTS} FROM ${from}.audit_point
     WHERE name = '${name}' AND chain = ${chain}) WHERE name = '${name}' AND chain = ${chain};`;
const NOT_REGISTERED = /^the chains are not those that the register names/;

const TAMPERED: readonly (readonly [what: string, sql: string, fault: RegExp])[] = [
  [
    'a chain without its entries',
    'DELETE FROM audit WHERE chain = 2',
    /^chain 2: entries after \d+ are missing: its head says that it ends with entry \d+$/,
  ],
  [
    'a chain without its ends',
    'DELETE FROM audit_point WHERE chain = 2',
    /^entry \d+ is of chain 2, which the log does not have$/,
  ],
  [
    'a chain that is gone',
    'DELETE FROM audit WHERE chain = 2; DELETE FROM audit_point WHERE chain = 2',
    NOT_REGISTERED,
  ],
  [
    'a chain that is gone, and a register that does not name it, of another log',
    `DELETE FROM audit WHERE chain = 2; DELETE FROM audit_point WHERE chain = 2;
     UPDATE audit_point SET hash = (SELECT hash FROM audit_point WHERE name = 'checkpoint')
     WHERE chain = 0`,
    /^the register of the log's chains was changed/,
  ],
  ['the register of another log', putBack('register', 0, 'other'), NOT_REGISTERED],
  [
    'a register that is gone',
    'DELETE FROM audit_point WHERE chain = 0',
    /^the register of the log's chains is missing$/,
  ],
  [
    'a register that is gone, with a chain',
    'DELETE FROM audit WHERE chain = 2; DELETE FROM audit_point WHERE chain <> 1',
    /^the register of the log's chains is missing$/,
  ],
  [
    'a register in the place of a chain',
    'UPDATE audit_point SET chain = 3 WHERE chain = 0',
    /^chain 3: the head of the log is missing$/,
  ],
  [
    'a chain that was added',
    'INSERT INTO audit_point SELECT 3, name, writer, sequence, hash, mac FROM audit_point WHERE chain = 2',
    NOT_REGISTERED,
  ],
  [
    'an entry of a chain that was added',
    `UPDATE audit SET chain = 3 WHERE sequence = ${OF_TWO(2)}`,
    /^entry \d+ is of chain 3, which the log does not have$/,
  ],
  [
    'two chains with each other’s number',
    `UPDATE audit SET chain = 3 - chain;
     UPDATE audit_point SET chain = 13 - chain WHERE chain > 0;
     UPDATE audit_point SET chain = chain - 10 WHERE chain > 10`,
    NOT_REGISTERED,
  ],
  [
    'two chains with each other’s ends',
    `UPDATE audit_point SET chain = 13 - chain WHERE chain > 0;
     UPDATE audit_point SET chain = chain - 10 WHERE chain > 10`,
    /^chain 1: entries between \d+ and \d+ are missing, or entry \d+ is not as it was written$/,
  ],
  [
    'a head of the other chain',
    `UPDATE audit_point SET (${POINTS}) =
       (SELECT ${POINTS} FROM audit_point WHERE chain = 1 AND name = 'head')
     WHERE chain = 2 AND name = 'head'`,
    /^chain 2: the checkpoint is that of another log$/,
  ],
  [
    'two entries in each other’s chain',
    `CREATE TEMP TABLE both AS SELECT ${OF_ONE} AS sequence UNION SELECT ${OF_TWO(2)};
     UPDATE audit SET chain = 3 - chain WHERE sequence IN (SELECT sequence FROM both)`,
    /^chain 1: entries between \d+ and \d+ are missing, or entry \d+ is not as it was written$/,
  ],
  [
    'an entry in the other chain',
    `UPDATE audit SET chain = 1 WHERE sequence = ${OF_TWO(2)}`,
    /^chain 1: entry \d+ is not as it was written, or not where it was$/,
  ],
  [
    'a chain from which an entry was moved',
    `UPDATE audit SET chain = 1 WHERE sequence = ${OF_TWO(2)}`,
    /^chain 2: entries between \d+ and \d+ are missing, or entry \d+ is not as it was written$/,
  ],
  [
    'an entry that is gone',
    `DELETE FROM audit WHERE sequence = ${OF_TWO(2)}`,
    /^chain 2: entries between \d+ and \d+ are missing, or entry \d+ is not as it was written$/,
  ],
  [
    'an entry that says another actor',
    `UPDATE audit SET actor = 'nobody' WHERE sequence = ${OF_TWO(0)}`,
    /^chain 2: entry \d+ is not as it was written, or not where it was$/,
  ],
  [
    'an entry that was added to the end',
    `INSERT INTO audit SELECT sequence + 9, at_ms, actor, action, target, remote_address, detail, mac,
       chain FROM audit WHERE chain = 2 ORDER BY sequence DESC LIMIT 1`,
    /^chain 2: entries after \d+, where the log ends, were added$/,
  ],
  [
    'an entry without an HMAC before a later chain',
    `INSERT INTO audit (sequence, at_ms, actor, action, target, remote_address, detail, chain)
     VALUES (-1, 0, 'operator:o1', 'client.delete', 'client:c1', '', '{}', 2)`,
    /^chain 2: entries up to \d+, after which it begins, were added$/,
  ],
  [
    'a chain that is made to look as if it had not begun',
    `UPDATE audit_point SET writer = '', hash = '', mac = '' WHERE chain = 2 AND name = 'head'`,
    /^chain 2: the head of the log was changed/,
  ],
  [
    'a log that is made never to have begun, but for one chain’s entries',
    `DELETE FROM audit_point WHERE chain <> 1 OR name = 'checkpoint';
     UPDATE audit_point SET writer = '', hash = '', mac = ''; DELETE FROM audit WHERE chain = 1`,
    /^the log had begun, and is made to look as if it had not$/,
  ],
  [
    'a chain that is rolled back, though the sessions that it made are there',
    `DELETE FROM audit WHERE chain = 2 AND sequence > (SELECT max(sequence) FROM earlier.audit);
     ${putBack('head', 2, 'earlier')}`,
    /^2 sessions were made by no entry$/,
  ],
];

for (const [what, sql, fault] of TAMPERED) {
  test(`verify finds ${what}`, () => {
    const { faults } = reportOf(changed(sql));
    assert.ok(
      faults.some((found) => fault.test(found)),
      JSON.stringify(faults),
    );
  });
}

test('a chain that is rolled back is found with its head, and only so', () => {
  const heads = headsOf(MASTER);
  const rolledBack = changed(
    `DELETE FROM audit WHERE chain = 2 AND sequence > (SELECT max(sequence) FROM earlier.audit);
     DELETE FROM session WHERE id IN ('late', 'later'); ${putBack('head', 2, 'earlier')}`,
  );
  assert.deepEqual(reportOf(rolledBack).faults, []);
  assert.deepEqual(reportOf(rolledBack, headsOf(EARLIER)).faults, []);
  const [of1, of2] = heads;
  assert.ok(of1 && of2);
  assert.deepEqual(reportOf(rolledBack, [of1]).faults, []);
  for (const since of [heads, [of2]]) {
    const { faults } = reportOf(rolledBack, since);
    assert.match(
      faults.join(),
      /^chain 2: the log ends at entry \d+, .* the database was rolled back$/,
    );
  }
});

test('a chain that is gone with its number in the register is found with its head', () => {
  assert.deepEqual(reportOf(ALONE, headsOf(ALONE)).faults, []);
  const { faults } = reportOf(ALONE, headsOf(EARLIER));
  assert.deepEqual(faults.at(-1), 'chain 2, whose head was given, is missing');
});

test('heads of another log, of the other chain, or that were changed, are told', () => {
  const heads = headsOf(MASTER);
  const others = reportOf(MASTER, headsOf(OTHER)).faults;
  const another = 'the log is another than the one whose head was given';
  assert.deepEqual(others, [`chain 1: ${another}`, `chain 2: ${another}`]);
  const exchanged = heads.map((head) => ({ ...head, chain: 3 - head.chain }));
  assert.deepEqual(reportOf(MASTER, exchanged).faults.toSorted(), others);
  const forged = heads.map((head) => ({ ...head, sequence: head.sequence - 1 }));
  assert.match(reportOf(MASTER, forged).faults.join(), /^chain 1: the head given was changed/);
});

/** Removes what is there, as the node that writes chain 2 would. */
function prune(file: string, entriesMax: number, untilMs = NOW_MS + 10_000_000): number {
  let pruned = 0;
  scene(file, ({ db, write }) => {
    write(2, (log) => {
      pruned = db.drive(pruneAudit(log, { untilMs, entriesMax, atMs: untilMs }));
    });
  });
  return pruned;
}

test('both chains are pruned from the old end, and what is left verifies', () => {
  const file = changed('');
  const all = [1, 2].flatMap((chain) => sequencesOf(file, chain)).length;
  for (let gone = 0; gone < all; gone += 3) {
    assert.equal(prune(file, 3), Math.min(3, all - gone));
    assert.deepEqual(reportOf(file, headsOf(MASTER)).faults, [], `after ${gone}`);
  }
  // What is left is what chain 2 said again.
  assert.deepEqual(sequencesOf(file, 1), []);
  const { entries, untold, heads } = reportOf(file);
  assert.deepEqual([entries, untold, heads.length], [7, 0, 2]);
  scene(file, ({ signIn }) => signIn(1, 'after'));
  assert.deepEqual(reportOf(file).faults, []);
});

test('what does not verify is not pruned, in whichever chain it is', () => {
  for (const chain of [1, 2]) {
    const file = changed(
      `UPDATE audit SET actor = 'nobody' WHERE sequence =
         (SELECT max(sequence) FROM audit WHERE chain = ${chain})`,
    );
    assert.throws(() => prune(file, 100), /does not verify, so none of it is pruned/);
    assert.ok(prune(file, 3) === 3, 'what comes before it is');
    assert.match(
      reportOf(file).faults.join(),
      new RegExp(`^chain ${chain}: .*entry \\d+ is not as`),
    );
  }
  const added = changed(`UPDATE audit SET chain = 3 WHERE sequence = ${OF_TWO(0)}`);
  assert.throws(() => prune(added, 100), /does not verify, so none of it is pruned/);
});
