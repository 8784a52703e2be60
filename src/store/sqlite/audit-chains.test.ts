/** Several chains in one log: how they begin, and that appends which come together are in one row. */
import assert from 'node:assert/strict';
import { createSecretKey } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import fc from 'fast-check';
import { entryMac, isSealed } from '../../domain/audit-chain.ts';
import { AUDIT_KEY, audit, BY, HOUSEHOLD, NOW_MS, puts } from '../contract-samples.ts';
import { AuditLog, type NextNumbers } from '../sql/audit.ts';
import { beginChain, beginRegister, readChains } from '../sql/audit-chains.ts';
import { readPoint } from '../sql/audit-points.ts';
import { first, type Sql } from '../sql/query.ts';
import { changeResources } from '../sql/resources.ts';
import { Connection } from './connection.ts';
import { migrate, readMigrations } from './migrate.ts';
import { numbers } from './tampering.ts';

interface Row {
  readonly sequence: number;
  readonly target: string;
  readonly mac: string;
}

const entry = (target: string) => audit('note.add', target);

function memory(): Connection {
  const db = new Connection(new DatabaseSync(':memory:'));
  migrate(db, readMigrations(), ':memory:');
  return db;
}

function rowsOf(db: Connection, chain: number): Row[] {
  const sql = 'SELECT sequence, target, mac FROM audit WHERE chain = ? ORDER BY sequence';
  return db.all<Row>(sql, chain);
}

/** Fails unless the entries of a chain follow each other up to its head; answers their targets. */
function walk(db: Connection, chain: number): string[] {
  let { hash = '' } = db.drive(readPoint('checkpoint', chain)) ?? {};
  const rows = rowsOf(db, chain);
  for (const { sequence, target, mac } of rows) {
    const { detail, ...content } = entry(target);
    hash = entryMac(AUDIT_KEY, hash, { ...content, detail: JSON.stringify(detail), sequence });
    assert.equal(mac, hash, `entry ${sequence} of chain ${chain}`);
  }
  const head = db.drive(readPoint('head', chain));
  assert.ok(head && isSealed(AUDIT_KEY, 'head', head));
  assert.equal(head.hash, hash);
  return rows.map(({ target }) => target);
}

/** Advances several works over one connection, the next one always that which `choose` names. */
function together(db: Connection, works: Sql<void>[], choose: (open: number) => number): void {
  const open = works.map((work) => ({ work, step: work.next() }));
  while (open.length > 0) {
    const at = choose(open.length);
    const one = open[at];
    assert.ok(one);
    if (one.step.done === true) open.splice(at, 1);
    else {
      const query = one.step.value;
      const [found] = [
        db.drive(
          (function* (): Sql<unknown> {
            return yield query;
          })(),
        ),
      ];
      one.step = one.work.next(found);
    }
  }
}

test('appends that come together are one chain, in whatever order they go on', () => {
  const order = fc.infiniteStream(fc.nat());
  const reserved = fc.nat({ max: 12 });
  fc.assert(
    fc.property(order, reserved, fc.integer({ min: 1, max: 12 }), (choices, ahead, count) => {
      const db = memory();
      const drawn = numbers();
      assert.equal(db.drive(beginChain(AUDIT_KEY, NOW_MS, drawn.one())), 1);
      const log = new AuditLog(AUDIT_KEY, { nextNumbers: drawn.next });
      if (ahead > 0) db.drive(log.reserve(ahead));
      const works = Array.from({ length: count }, (_, i) => log.append(entry(`n${i}`)));
      together(db, works, (open) => (choices.next().value ?? 0) % open);
      db.drive(log.finish());
      assert.equal(walk(db, 1).length, count);
      db.close();
    }),
    { numRuns: 50 },
  );
});

test('who has reserved waits for nothing but its own statement', () => {
  const db = memory();
  const drawn = numbers();
  db.drive(beginChain(AUDIT_KEY, NOW_MS, drawn.one()));
  const log = new AuditLog(AUDIT_KEY, { nextNumbers: drawn.next });
  db.drive(log.reserve(2));
  for (const target of ['a', 'b']) {
    const step = log.append(entry(target)).next();
    assert.ok(step.done === false && step.value.of === 'changed');
    assert.match(step.value.sql, /INSERT INTO audit /);
  }
  assert.deepEqual(drawn.counts, [1, 2]);
  db.close();
});

test('what is undone leaves a gap, and no number comes twice', () => {
  const db = memory();
  const drawn = numbers();
  db.drive(beginChain(AUDIT_KEY, NOW_MS, drawn.one()));
  const log = new AuditLog(AUDIT_KEY, { nextNumbers: drawn.next });
  db.drive(log.append(entry('kept')));
  const mark = log.mark();
  db.run('SAVEPOINT one');
  const undone = db.drive(log.nextSequence());
  db.drive(log.append(entry('undone')));
  db.run('ROLLBACK TO one');
  log.resetTo(mark);
  const next = db.drive(log.nextSequence());
  assert.ok(next > undone);
  db.drive(log.append(entry('later')));
  db.drive(log.finish());
  assert.deepEqual(walk(db, 1), ['kept', 'later']);
  assert.equal(rowsOf(db, 1).at(-1)?.sequence, next);
  db.close();
});

test('numbers that lie behind the head are not used, and not asked for without end', () => {
  const db = memory();
  db.drive(beginChain(AUDIT_KEY, NOW_MS, 7));
  let draws = 0;
  const nextNumbers: NextNumbers = function* () {
    yield* first('SELECT 1 AS one');
    draws += 1;
    return [draws];
  };
  const log = new AuditLog(AUDIT_KEY, { nextNumbers });
  assert.equal(db.drive(log.nextSequence()), 8);
  const stuck = new AuditLog(AUDIT_KEY, {
    *nextNumbers() {
      yield* first('SELECT 1 AS one');
      return [1];
    },
  });
  assert.throws(() => db.drive(stuck.append(entry('never'))), /were set back behind the head/);
  db.close();
});

test('the first chain tells of what is there, the next of nothing; each has its own end', () => {
  const db = memory();
  const drawn = numbers();
  const unlogged = new AuditLog(AUDIT_KEY);
  db.drive(changeResources(unlogged, puts('client', HOUSEHOLD.clients), BY));
  db.exec("DELETE FROM audit; DELETE FROM audit_point WHERE name = 'checkpoint'");
  assert.deepEqual(db.drive(readChains()), []);
  assert.equal(db.drive(beginChain(AUDIT_KEY, NOW_MS, drawn.one(), drawn.next)), 1);
  assert.equal(db.drive(beginChain(AUDIT_KEY, NOW_MS, drawn.one(), drawn.next)), 2);
  assert.deepEqual(db.drive(readChains()), [1, 2]);
  assert.deepEqual(
    [rowsOf(db, 1), rowsOf(db, 2)].map((rows) => rows.map(({ target }) => target)),
    [(HOUSEHOLD.clients ?? []).map(({ id }) => `client:${id}`), []],
  );
  const heads = [1, 2].map((chain) => db.drive(readPoint('head', chain)));
  assert.notEqual(heads[0]?.writer, heads[1]?.writer);
  assert.equal(rowsOf(db, 1).at(-1)?.mac, heads[0]?.hash);
  db.close();
});

test('a log begins after entries from before logs were chained, whatever was drawn', () => {
  const db = memory();
  db.exec(`
    INSERT INTO audit (sequence, at_ms, actor, action, target, remote_address, detail)
    VALUES (7, 0, 'operator', 'note.add', 'old', '', '{}');
    UPDATE audit_point SET sequence = 7`);
  const drawn = numbers();
  assert.equal(db.drive(beginChain(AUDIT_KEY, NOW_MS, drawn.one(), drawn.next)), 1);
  assert.equal(db.drive(readPoint('head'))?.sequence, 7);
  const log = new AuditLog(AUDIT_KEY, { nextNumbers: drawn.next });
  db.drive(log.append(entry('new')));
  assert.deepEqual(
    rowsOf(db, 1).map(({ sequence }) => sequence),
    [7, 8],
  );
  db.close();
});

test('no chain begins beside chains that the register does not have as they are', () => {
  for (const sql of [
    'DELETE FROM audit_point WHERE chain = 2',
    `DELETE FROM audit_point WHERE chain = 2 AND name = 'head'`,
    'DELETE FROM audit_point WHERE chain = 0',
    'DELETE FROM audit_point',
    `UPDATE audit_point SET mac = '1:x' WHERE chain = 0`,
    'UPDATE audit_point SET sequence = 1 WHERE chain = 0',
    `UPDATE audit_point SET writer = 'x' WHERE chain = 2`,
    'UPDATE audit_point SET chain = 3 WHERE chain = 2',
  ]) {
    const db = memory();
    for (const sequence of [1, 2]) db.drive(beginChain(AUDIT_KEY, NOW_MS, sequence));
    db.exec(sql);
    assert.throws(() => db.drive(beginChain(AUDIT_KEY, NOW_MS, 3)), { reason: 'UNAVAILABLE' }, sql);
    db.close();
  }
  const db = memory();
  db.drive(beginChain(AUDIT_KEY, NOW_MS, 1));
  const other = createSecretKey(Buffer.alloc(32, 7));
  assert.throws(() => db.drive(beginChain(other, NOW_MS, 2)), { reason: 'UNAVAILABLE' });
  db.close();
});

test('a log of one chain is taken into a register as it is, and no other is', () => {
  const db = memory();
  assert.throws(() => db.drive(beginRegister(AUDIT_KEY)), { reason: 'UNAVAILABLE' });
  const log = new AuditLog(AUDIT_KEY);
  db.drive(log.append(entry('first')));
  db.drive(log.finish());
  assert.throws(() => db.drive(beginChain(AUDIT_KEY, NOW_MS, 2)), { reason: 'UNAVAILABLE' });
  db.drive(beginRegister(AUDIT_KEY));
  assert.equal(db.drive(beginChain(AUDIT_KEY, NOW_MS, 2)), 2);
  assert.throws(() => db.drive(beginRegister(AUDIT_KEY)), { reason: 'UNAVAILABLE' });
  db.close();
});
