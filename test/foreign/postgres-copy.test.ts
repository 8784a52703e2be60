/** `propusk copy`: all of a stopped service's records go to PostgreSQL, or none. */
import assert from 'node:assert/strict';
import { copyFileSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { MasterKey } from '../../src/domain/master-key.ts';
import { readMasterKey } from '../../src/ops/files.ts';
import { placed, trade } from '../../src/store/contract-samples.ts';
import { clientConfig, connect, drive } from '../../src/store/postgres/connection.ts';
import { copyIn } from '../../src/store/postgres/copy-in.ts';
import { driveAhead } from '../../src/store/postgres/drive-ahead.ts';
import { migrate } from '../../src/store/postgres/migrate.ts';
import { verifyAudit } from '../../src/store/sql/audit-verify.ts';
import { failureOf } from '../clients/client.ts';
import { Rest1Client } from '../clients/rest.ts';
import { Trader } from '../orders.ts';
import { beginProgram, runProgram, startHere, temporaryFolder } from '../start.ts';
import { claimsOf, revokeKey, revokeSession, write } from '../steps.ts';
import { until } from '../wait.ts';
import { assertEmpty, rowsOfPostgres, rowsOfSqlite, schemaOf } from './copied.ts';
import { PostgresServer } from './postgres-server.ts';
import { TcpGate } from './tcp-gate.ts';

const STRANGE = 'Ян\t\\N \\.\r\n"quoted" \u{1F600} \\';
/** How long a copy may take to come to a point, on a machine that does more than this. */
const REACHED_MS_MAX = 60_000;

interface Held {
  readonly secret: string;
  readonly token: string;
  /** A token whose session was revoked. */
  readonly ended: string;
  readonly orderId: string;
}

let server: PostgresServer;
/** A stopped service's data folder, which no test changes, and what its clients have of it. */
let source: string;
let held: Held;
before(async () => {
  [server, { folder: source, held }] = await Promise.all([PostgresServer.start(), usedFolder()]);
});
after(() => server.kill());

/** What a service leaves: sessions, orders, trades, changes of all sorts, and a log that was pruned. */
async function usedFolder(): Promise<{ folder: string; held: Held }> {
  const started = await startHere();
  const { store } = started.server;
  const client = new Rest1Client(started.url);
  const trader = await Trader.signIn(client, started.secret, '1899011');
  const { orderId } = await trader.place({ comment: 'что ж' });
  await trader.place();
  await trader.cancel(orderId);
  const state = placed('filled');
  await store.recordOrders([state], [trade('one', state), trade('two', state)]);
  await write(store, 'client', [
    { id: 'strange', name: STRANGE },
    { id: 'empty', name: '' },
  ]);
  const ended = await client.auth(started.secret);
  await revokeSession(store, claimsOf(ended).jti);
  await revokeKey(store, 'demo-readonly');
  const entry = { actor: 'propusk', action: 'audit.prune', target: 'audit', remoteAddress: '' };
  const nowMs = Date.now();
  const pruned = await store.pruneAudit(nowMs + 1, 4, nowMs, { ...entry, atMs: nowMs, detail: {} });
  assert.ok(pruned > 0);
  await client.close();
  await started.stop();
  const { folder, secret } = started;
  return { folder, held: { secret, token: trader.token, ended, orderId } };
}

/** A folder like the source's, whose database was changed by these statements. */
function changedFolder(sql = ''): string {
  const folder = temporaryFolder();
  copyFileSync(path.join(source, 'master.key'), path.join(folder, 'master.key'));
  copyFileSync(fileIn(source), fileIn(folder));
  const db = new DatabaseSync(fileIn(folder));
  db.exec(sql);
  db.close();
  return folder;
}

const fileIn = (folder: string) => path.join(folder, 'propusk.db');

function argsOf(folder: string, to: string, ...more: string[]): string[] {
  return ['copy', '--data', folder, '--from', `sqlite:${fileIn(folder)}`, '--to', to, ...more];
}

const copy = (folder: string, to: string, ...more: string[]) =>
  runProgram(argsOf(folder, to, ...more));

/** It says so in one line, and has copied nothing. */
async function refuses(folder: string, to: string, reason: RegExp): Promise<void> {
  const { code, stdout, stderr } = await copy(folder, to, '--quiet');
  assert.deepEqual([code, stdout], [2, ''], stderr);
  assert.match(stderr, /^propusk: [^\n]*\n$/);
  assert.match(stderr, reason);
}

test('every row of every table arrives, and the source stays as it was', async () => {
  const to = await server.database('whole');
  const before = readFileSync(fileIn(source));
  const { code, stdout, stderr } = await copy(source, to.replace('propusk@', 'propusk:hidden@'));
  assert.equal(code, 0, stderr);
  const rows = rowsOfSqlite(fileIn(source));
  for (const table of ['session', 'signing_key', 'api_key', 'placed_order', 'trade', 'audit']) {
    assert.ok((rows[table]?.length ?? 0) > 0, table);
  }
  assert.deepEqual(await rowsOfPostgres(server, to), rows);
  const registers = "SELECT chain, sequence FROM audit_point WHERE name = 'register'";
  assert.deepEqual(await server.query(to, registers), [{ chain: 0, sequence: '1' }]);
  assert.deepEqual(readFileSync(fileIn(source)), before);
  const place = `postgres://127.0.0.1:${server.port}/whole`;
  assert.match(stdout, new RegExp(`^${place} holds what .*propusk\\.db does:\n`));
  assert.match(stdout, new RegExp(`\n +${rows.session?.length} {2}sessions\n`));
  assert.match(stdout, new RegExp(`\n +${rows.placed_order?.length} {2}orders\n`));
  assert.match(stdout, /\nboth audit logs verify, and end with the same entry\nnext: start /);
  assert.match(stderr, /^checking the audit log .* 100 %.*\ncopying rows .* 100 %.*\nchecking the/);
  assert.ok(!(stdout + stderr).includes('hidden'));
});

test('a server goes on where the old one stopped: tokens, revocations, orders and the log', async () => {
  const to = await server.database('moved');
  const folder = changedFolder();
  assert.equal((await copy(folder, to, '--quiet')).code, 0);
  const masterKey = new MasterKey(readMasterKey(path.join(folder, 'master.key')));
  const faults = async () => {
    const pg = await connect(clientConfig({ url: to, statementMsMax: 0 }, 'test'));
    const report = await drive(pg, verifyAudit(masterKey.auditKey, { hasRegister: true }));
    await pg.end();
    return report.faults;
  };
  assert.deepEqual(await faults(), []);
  await using started = await startHere(['--data', folder, '--database', to]);
  const client = new Rest1Client(started.url);
  const details = await client.tokenDetails(held.token);
  assert.deepEqual(details.message.accountIds, ['1899011']);
  assert.equal((await failureOf(client.tokenDetails(held.ended))).reason, 'TOKEN_INVALID');
  const trader = new Trader(client, held.token, '1899011');
  const old = await trader.get(held.orderId);
  assert.deepEqual([old.orderId, old.order?.comment], [held.orderId, 'что ж']);
  const { orderId } = await trader.place();
  assert.equal((await trader.list()).length, 3);
  assert.ok((await trader.cancel(orderId)).withdrawAt);
  await client.tokenDetails(await client.auth(held.secret));
  await write(started.server.store, 'client', [{ id: 'strange', name: 'Ян' }]);
  await client.close();
  assert.deepEqual(await faults(), []);
});

test('a verification that asks ahead finds what one finds that asks one by one', async () => {
  const to = await server.database('ahead');
  assert.equal((await copy(source, to, '--quiet')).code, 0);
  await server.query(
    to,
    `UPDATE session SET expires_at_ms = expires_at_ms + 1 WHERE revoked_at_ms IS NULL;
     UPDATE session SET revoked_at_ms = NULL WHERE revoked_at_ms IS NOT NULL;
     UPDATE api_key SET label = label || '!' WHERE id = 'demo-readonly';
     DELETE FROM plan_permission WHERE position = 0;
     DELETE FROM client WHERE id = 'empty'`,
  );
  const { auditKey } = new MasterKey(readMasterKey(path.join(source, 'master.key')));
  const client = await connect(clientConfig({ url: to, statementMsMax: 0 }, 'test'));
  const query = client.query.bind(client) as (...args: unknown[]) => unknown;
  let asked = 0;
  const counting = (...args: unknown[]) => {
    asked += 1;
    return query(...args);
  };
  Object.assign(client, { query: counting });
  const oneByOne = await drive(client, verifyAudit(auditKey));
  const before = asked;
  const ahead = await driveAhead(client, verifyAudit(auditKey));
  assert.deepEqual(ahead, oneByOne);
  assert.ok(ahead.faults.length >= 5, ahead.faults.join('\n'));
  // Pages, and what is fetched with them: whatever the number of records.
  assert.ok(before > 40 && asked - before < 30, `${before} questions, then ${asked - before}`);
  await client.end();
});

test('numbers go on after those that were copied, and the schema is the one that migrations make', async () => {
  const [to, fresh] = [await server.database('numbers'), await server.database('fresh')];
  assert.equal((await copy(changedFolder('DELETE FROM trade'), to, '--quiet')).code, 0);
  await migrate(fresh);
  assert.deepEqual(await schemaOf(server, to), await schemaOf(server, fresh));
  const [inserted] = await server.query(
    to,
    "INSERT INTO trade (account_id, trade) VALUES ('a', '{}') RETURNING sequence",
  );
  assert.equal(Number(inserted?.sequence), 3);
  const [audit] = await server.query(
    to,
    `SELECT (SELECT max(sequence) FROM audit) AS newest,
      nextval(coalesce(to_regclass('audit_sequence'),
        pg_get_serial_sequence('audit', 'sequence')::regclass)) AS next`,
  );
  assert.equal(Number(audit?.next), Number(audit?.newest) + 1);
});

test('a target that holds anything is refused, and left as it is', async () => {
  const to = await server.database('filled');
  await migrate(to);
  await server.query(to, "INSERT INTO client VALUES ('theirs', 'Theirs', 1, 0, 0)");
  await refuses(source, to, /holds records already, in the table client; name a database that is/);
  const kept = await server.query(to, 'SELECT id FROM client');
  assert.deepEqual(kept, [{ id: 'theirs' }]);
  const twice = await server.database('twice');
  assert.equal((await copy(source, twice, '--quiet')).code, 0);
  await refuses(source, twice, /holds records already/);
  assert.deepEqual(await rowsOfPostgres(server, twice), rowsOfSqlite(fileIn(source)));
});

test('a target that would lose or change something is refused', async () => {
  const to = await server.database('other');
  await migrate(to);
  await server.query(to, 'ALTER TABLE client ADD COLUMN extra text');
  await refuses(source, to, /do not have the same columns: client\.extra$/m);
  await server.query(to, 'ALTER TABLE client DROP COLUMN extra');
  await server.query(to, 'CREATE RULE quiet AS ON INSERT TO trade DO INSTEAD NOTHING');
  await refuses(source, to, /holds a rule quiet on trade, which Propusk did not make$/m);
  await server.query(to, 'DROP RULE quiet ON trade');
  await server.query(to, "ALTER TABLE trade ALTER COLUMN account_id SET DEFAULT 'x'");
  await refuses(source, to, /holds a default of trade\.account_id, which Propusk did not make$/m);
  await server.query(to, 'ALTER TABLE trade ALTER COLUMN account_id DROP DEFAULT');
  await assertEmpty(server, to);
  await refuses(
    source,
    'postgres://me:hidden@127.0.0.1:1/x',
    /^propusk: postgres:\/\/127\.0\.0\.1:1\/x /,
  );
});

test('a source that runs, is another key’s or was tampered with is refused', async () => {
  const to = await server.database('refused');
  await using running = await startHere();
  await refuses(running.folder, to, /another propusk has .* open; stop it first/);
  const stranger = changedFolder();
  const key = { PROPUSK_MASTER_KEY: 'cd'.repeat(32) };
  const other = await runProgram(['copy', '--from', `sqlite:${fileIn(stranger)}`, '--to', to], {
    env: key,
  });
  assert.equal(other.code, 2);
  assert.match(other.stderr, /propusk\.db belongs to another master key/);
  await refuses(changedFolder('PRAGMA user_version = 5'), to, /run propusk migrate first$/m);
  const tampered = changedFolder("UPDATE account SET readonly = 1 - readonly WHERE id = '1899011'");
  await refuses(
    tampered,
    to,
    /log of .* does not verify: account 1899011 .*; see propusk audit verify; /,
  );
  const tables = await server.query(to, "SELECT 1 FROM pg_tables WHERE schemaname = 'public'");
  assert.deepEqual(tables, []);

  const { code, stdout } = await copy(tampered, to, '--quiet', '--unverified');
  assert.equal(code, 0);
  assert.match(
    stdout,
    /\nCOPIED THOUGH ITS AUDIT LOG DOES NOT VERIFY:\n {2}account 1899011 is not/,
  );
  assert.deepEqual(await rowsOfPostgres(server, to), rowsOfSqlite(fileIn(tampered)));
});

test('text that PostgreSQL does not keep is refused by table and id', async () => {
  const to = await server.database('texts');
  for (const [bytes, told] of [
    ['6100', '0x00'],
    ['61ff', '0xff'],
  ]) {
    const folder = changedFolder(
      `UPDATE client SET name = CAST(x'${bytes}' AS TEXT) WHERE id = 'strange'`,
    );
    const { code, stderr } = await copy(folder, to, '--quiet', '--unverified');
    assert.equal(code, 2);
    assert.match(
      stderr,
      /^propusk: PostgreSQL does not take client "strange" of [^\n]*; nothing was copied\n$/,
    );
    assert.ok(stderr.includes(told ?? ''), stderr);
    await assertEmpty(server, to);
  }
});

test('what cannot be read ends a COPY by its own error, and the connection goes on', async () => {
  const client = new pg.Client({ connectionString: await server.database('chunks') });
  await client.connect();
  await client.query('CREATE TABLE one (id text PRIMARY KEY)');
  const broken = new Error('the disk is gone');
  function* failing(): Generator<Buffer> {
    yield Buffer.from('a\n');
    throw broken;
  }
  const sql = 'COPY one FROM STDIN';
  await assert.rejects(copyIn(client, sql, failing()), (error) => error === broken);
  const rows = [Buffer.from('a\nb\n'), Buffer.from('a\n')];
  await assert.rejects(copyIn(client, sql, rows), { code: '23505', where: 'COPY one, line 3' });
  await copyIn(client, sql, []);
  await copyIn(client, sql, rows.slice(0, 1));
  assert.deepEqual((await client.query('SELECT count(*)::int FROM one')).rows, [{ count: 2 }]);
  await client.end();
});

test('a log that nothing can go on from is not taken, whatever is wanted', async () => {
  const to = await server.database('endless');
  const folder = changedFolder("UPDATE audit_point SET mac = 'x' WHERE name = 'head'");
  const { code, stderr } = await copy(folder, to, '--quiet', '--unverified');
  assert.equal(code, 2);
  assert.match(
    stderr,
    /^propusk: the audit log is one that nothing can go on from; propusk restore/,
  );
  await assertEmpty(server, to);
});

/** Begins a copy whose way to the server is closed at these words. */
async function halfway(name: string, words: readonly string[], isLetThrough = false) {
  const to = await server.database(name);
  const gate = await TcpGate.open(server.port, words, isLetThrough);
  const { child, result } = beginProgram(
    argsOf(source, to.replace(String(server.port), String(gate.port))),
  );
  const early = result.then(({ stderr }) => assert.fail(`it did not come so far: ${stderr}`));
  await Promise.race([gate.isHeld, early]);
  return { to, gate, child, result };
}

/** What was begun in it is gone, and a copy finds it new. */
async function takesAnother(to: string): Promise<void> {
  const [name = ''] = /[^/]*$/.exec(to) ?? [];
  const others = `SELECT 1 FROM pg_stat_activity WHERE datname = '${name}'`;
  const isAlone = async () => (await server.query(server.url, others)).length === 0;
  await until('the end of its connections', isAlone, REACHED_MS_MAX);
  await assertEmpty(server, to);
  const { code, stderr } = await copy(source, to, '--quiet');
  assert.equal(code, 0, stderr);
  assert.deepEqual(await rowsOfPostgres(server, to), rowsOfSqlite(fileIn(source)));
}

test('killed in the middle, it leaves nothing', async () => {
  const { to, gate, child, result } = await halfway('killed', ['COPY "session"']);
  await using _ = gate;
  child.kill('SIGKILL');
  assert.equal((await result).code, null);
  await takesAnother(to);
});

test('told to stop in the middle, it leaves nothing and says so', async () => {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    const name = `stopped_${code}`;
    const { to, gate, child, result } = await halfway(name, ['COPY "session"']);
    await using _ = gate;
    child.kill(signal);
    const done = await result;
    assert.deepEqual([done.code, done.stdout], [code, '']);
    assert.match(
      done.stderr,
      new RegExp(`\nstopped by ${signal}: nothing was copied, and postgres://`),
    );
    await takesAnother(to);
  }
});

test('without its connection in the middle, it leaves nothing and says so', async () => {
  for (const [i, words] of ['COPY "session"', 'ADD CONSTRAINT', 'SELECT count'].entries()) {
    const { to, gate, result } = await halfway(`cut_${i}`, ['COPY "', words]);
    await using _ = gate;
    gate.cut();
    const done = await result;
    assert.equal(done.code, 2);
    assert.match(done.stderr, /\npropusk: postgres:\S+ failed, and nothing was copied: [^\n]*\n$/);
    await takesAnother(to);
  }
});

test('without its connection at the COMMIT, it says what is not known, and how to know', async () => {
  for (const isLetThrough of [false, true]) {
    const words = ['COPY "', 'COMMIT'];
    const { to, gate, result } = await halfway(`commit_${isLetThrough}`, words, isLetThrough);
    await using _ = gate;
    if (isLetThrough)
      await until('the rows', async () => (await server.query(to, 'SELECT 1 FROM client')).length);
    gate.cut();
    const { code, stderr } = await result;
    assert.equal(code, 2);
    assert.match(
      stderr,
      /was given all records, but whether they were kept is not known .*; copy again/,
    );
    if (isLetThrough) await refuses(source, to, /holds records already/);
    else await takesAnother(to);
  }
});

test('a server that fails in the middle ends it, and it says so', async () => {
  const other = await PostgresServer.start();
  const to = await other.database('lost');
  const gate = await TcpGate.open(other.port, ['COPY "session"']);
  await using _ = gate;
  const { result } = beginProgram(
    argsOf(source, to.replace(String(other.port), String(gate.port))),
  );
  await gate.isHeld;
  await other.kill();
  const { code, stderr } = await result;
  assert.equal(code, 2);
  assert.match(stderr, /failed, and nothing was copied: /);
});
