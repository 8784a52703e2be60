/** The commands that open the database themselves, as people run them. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { SERVER_COMMANDS } from '../cli/server-commands.ts';
import { DATABASE_COMMANDS, databaseCommand } from '../src/database-commands.ts';
import { MasterKey } from '../src/domain/master-key.ts';
import { isWellFormedSecret } from '../src/domain/secret.ts';
import { isForPeople } from '../src/main.ts';
import { readMasterKey } from '../src/ops/files.ts';
import { openSqlite } from '../src/store/sqlite/sqlite.ts';
import { failureOf } from './clients/client.ts';
import { Rest1Client } from './clients/rest.ts';
import {
  type InProcess,
  runProgram,
  SERVE_MASTER_KEY,
  startHere,
  startServe,
  temporaryFolder,
} from './start.ts';
import { revokeKey } from './steps.ts';

/** Runs a command in this process. */
async function command(line: string, env: Record<string, string>) {
  const out: string[] = [];
  const found = databaseCommand(line.split(' '));
  assert.ok(found, line);
  const code = await found({
    env,
    stdout: { write: (text) => out.push(text) },
    stderr: { write: () => {} },
  });
  return { code, out: out.join('') };
}

/** A command on the database of a data folder. */
const onFolder = (folder: string) => (line: string) => command(line, { PROPUSK_DATA: folder });

/** What a command that must be refused says. */
async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => assert.fail('it was done'),
    (thrown: unknown) => thrown,
  );
  assert.ok(isForPeople(error), String(error));
  assert.ok(!error.message.includes('\n'), error.message);
  return error.message;
}

/** A data folder in which a server has run, with a token of the demo key from then. */
async function usedFolder(): Promise<{ folder: string; token: string; secret: string }> {
  await using server = await startHere();
  const { folder, secret } = server;
  return { folder, secret, token: await tokenOf(server) };
}

async function tokenOf({ url, secret }: Pick<InProcess, 'url' | 'secret'>): Promise<string> {
  const client = new Rest1Client(url);
  try {
    return await client.auth(secret);
  } finally {
    await client.close();
  }
}

const databaseIn = (folder: string) => path.join(folder, 'propusk.db');

/** Changes the database behind the program's back. */
function tamper(file: string, sql: string): void {
  const db = new DatabaseSync(file);
  db.exec(sql);
  db.close();
}

test('every command has help with an example, and says what it cannot read', async () => {
  for (const { words, example } of DATABASE_COMMANDS) {
    const { code, out } = await command(`${words} --help`, {});
    assert.equal(code, 0);
    assert.ok(example.startsWith(`propusk ${words} `));
    assert.ok(out.includes(`Example:\n  ${example}`), words);
    const refused = await refusal(command(`${words} --no-such`, {}));
    assert.match(refused, new RegExp(`unknown option '--no-such'; see propusk ${words} --help`));
  }
  assert.match(await refusal(command('backup', {})), /missing required argument 'file'/);
  assert.match(await refusal(command('doctor more', {})), /too many arguments/);
  assert.match(
    await refusal(command('migrate --database x', {})),
    /--database: is not a database URL/,
  );
  // Those that ask a server list them as well.
  const listed = SERVER_COMMANDS.filter(([words]) => words !== 'dev' && words !== 'serve');
  assert.deepEqual(
    listed,
    DATABASE_COMMANDS.map(({ words, summary }) => [words, summary]),
  );
  for (const line of ['', 'serve', 'audit', 'audit list', 'client list']) {
    assert.equal(databaseCommand(line.split(' ')), undefined);
  }
});

test('the first owner is made once, its token told once and kept as an HMAC', async () => {
  const file = databaseIn(temporaryFolder());
  const env = { PROPUSK_MASTER_KEY: SERVE_MASTER_KEY, PROPUSK_DATABASE: `sqlite:${file}` };
  const first = await runProgram(['bootstrap', '--expires', '1d'], { env });
  const token = first.stdout.trim();
  assert.deepEqual([first.code, first.stdout], [0, `${token}\n`]);
  assert.ok(isWellFormedSecret(token, 'pop_'));
  assert.match(first.stderr, /^owner \(\S+\) is an owner of .* until \d{4}-/);
  assert.ok(!readFileSync(file).includes(token));

  const again = await runProgram(['bootstrap'], { env });
  assert.deepEqual([again.code, again.stdout], [2, '']);
  assert.match(again.stderr, /^propusk: there is an owner already: owner \(\S+\); .* --another/);
  assert.equal((await command('bootstrap --another --name second', env)).code, 0);
  assert.match(await refusal(command('bootstrap --expires soon', env)), /--expires: "soon" is not/);
  assert.match(
    await refusal(command('bootstrap --expires 367d', env)),
    /--expires: "367d" is more than 366d/,
  );

  const masterKey = new MasterKey(Buffer.from(SERVE_MASTER_KEY, 'hex'));
  const store = await openSqlite(`sqlite:${file}`);
  const id = await store.operatorIdOfToken(masterKey.macOfSecret(token));
  const operator = await store.get('operator', id ?? '');
  assert.deepEqual([operator?.name, operator?.role], ['owner', 'owner']);
  assert.equal((operator?.expiresAtMs ?? 0) - (operator?.createdAtMs ?? 0), 86_400_000);
  assert.equal((await store.list('operator', { limit: 9 })).length, 2);
  const [entry] = await store.audit(0, 1);
  assert.equal(entry?.action, 'operator.bootstrap');
  assert.ok(!JSON.stringify(entry).includes(operator?.tokenMac ?? token));
  await store.close();
  // A server takes the database as its own.
  const server = await startServe('--database', `sqlite:${file}`);
  await server.stop();
});

test('an owner is made while a server runs, and known to it at once', async () => {
  const file = databaseIn(temporaryFolder());
  const server = await startServe('--database', `sqlite:${file}`);
  const env = { PROPUSK_MASTER_KEY: SERVE_MASTER_KEY, PROPUSK_DATABASE: `sqlite:${file}` };
  const { out } = await command('bootstrap', env);
  const masterKey = new MasterKey(Buffer.from(SERVE_MASTER_KEY, 'hex'));
  assert.ok(await server.store.operatorIdOfToken(masterKey.macOfSecret(out.trim())));
  // Its log goes on where the command left it.
  const by = { actor: 'operator:test', atMs: 1, remoteAddress: '' };
  const value = { id: 'c', name: 'c' };
  await server.store.change([{ kind: 'client', id: 'c', action: 'put', expect: 'any', value }], by);
  assert.equal((await command('audit verify', env)).code, 0);
  await server.stop();
});

test('a backup is made while a server works, whole and for us alone', async () => {
  await using server = await startHere();
  const on = onFolder(server.folder);
  const copy = path.join(temporaryFolder(), 'copy.db');
  let isDone = false;
  const signIns = Array.from({ length: 8 }, async () => {
    const client = new Rest1Client(server.url);
    let count = 0;
    while (!isDone) {
      await client.auth(server.secret).catch((error) => {
        assert.equal(error.reason, 'RATE_LIMITED');
      });
      count += 1;
    }
    await client.close();
    return count;
  });
  const { code, out } = await on(`backup ${copy}`);
  isDone = true;
  assert.ok((await Promise.all(signIns)).every((count) => count > 0));
  assert.equal(code, 0);
  assert.match(out, /copy\.db is a copy up to audit entry \d+\n/);
  if (process.platform !== 'win32') assert.equal(statSync(copy).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(path.dirname(copy)), ['copy.db']);
  const verified = await on(`audit verify --database sqlite:${copy}`);
  assert.deepEqual([verified.code, verified.out.slice(0, 22)], [0, 'the audit log verifies']);
  assert.match(await refusal(on(`backup ${copy}`)), /copy\.db is there already/);
  assert.match(await refusal(on(`restore ${copy}`)), /another propusk has .* open; stop it first/);
});

test('a restoration tells its gap, and no token issued before it is good', async () => {
  const { folder, token, secret } = await usedFolder();
  const on = onFolder(folder);
  const copy = path.join(temporaryFolder(), 'copy.db');
  await on(`backup ${copy}`);
  const later = await startHere(['--data', folder]);
  const lost = await tokenOf({ url: later.url, secret });
  await revokeKey(later.server.store, 'demo-readonly');
  await later.stop();
  const head = path.join(temporaryFolder(), 'head.json');
  writeFileSync(head, (await on('audit head')).out);

  const { code, out } = await on(`restore ${copy}`);
  assert.equal(code, 0);
  assert.match(out, /the copy ends with audit entry \d+, at 20\S+; lost, up to entry \d+:\n/);
  assert.match(out, /\n {2}1 x key\.revoke\n {2}1 x session\.create\n/);
  assert.match(out, /REVOKED OR DELETED SINCE, AND THERE AGAIN:\n {2}key:demo-readonly\n/);
  const [, aside = ''] = /what was there before is (\S+)\n/.exec(out) ?? [];
  assert.ok(existsSync(aside));
  const verified = await on('audit verify');
  assert.deepEqual([verified.code, verified.out.slice(0, 22)], [0, 'the audit log verifies']);
  const since = await on(`audit verify --since ${head}`);
  assert.equal(since.code, 1);
  assert.match(since.out, /the database was rolled back\n$/);

  await using server = await startHere(['--data', folder]);
  const client = new Rest1Client(server.url);
  for (const old of [token, lost]) {
    assert.equal((await failureOf(client.tokenDetails(old))).reason, 'TOKEN_INVALID');
  }
  await client.tokenDetails(await client.auth(secret));
  await client.close();
  const entries = await server.server.store.findAudit({ action: 'database.restore', limit: 9 });
  assert.equal(entries.entries[0]?.detail.sessions, 1);
});

test('a copy that is not ours, damaged or tampered with is not restored', async () => {
  const { folder } = await usedFolder();
  const on = onFolder(folder);
  const before = readFileSync(databaseIn(folder));
  const copy = path.join(temporaryFolder(), 'copy.db');
  await on(`backup ${copy}`);
  const other = temporaryFolder();
  writeFileSync(path.join(other, 'master.key'), 'cd'.repeat(32), { mode: 0o600 });
  assert.match(await refusal(onFolder(other)(`restore ${copy}`)), /belongs to another master key/);
  assert.deepEqual(readdirSync(other).sort(), ['master.key', 'propusk.db.lock']);
  const text = path.join(other, 'text.db');
  writeFileSync(text, 'no database at all, however long this text may be'.repeat(50));
  assert.equal(await refusal(on(`restore ${text}`)), `${text} is not an SQLite database`);
  assert.equal(await refusal(on('restore nothing.db')), 'nothing.db is not there');
  tamper(copy, `UPDATE audit SET actor = 'nobody' WHERE sequence = 2`);
  assert.match(await refusal(on(`restore ${copy}`)), /does not verify: entry 2 .* --unverified/);
  assert.deepEqual(readFileSync(databaseIn(folder)), before);
  const taken = await on(`restore ${copy} --unverified`);
  assert.equal(taken.code, 0);
  assert.match(
    taken.out,
    /TAKEN THOUGH ITS AUDIT LOG DOES NOT VERIFY:\n {2}entry 2 is not as it was/,
  );
  assert.match(taken.out, /\npropusk audit verify goes on saying so\n/);
  assert.match(
    (await on('audit verify')).out,
    /^the audit log does NOT verify:\n {2}entry 2 is not/,
  );
});

test('a database whose log has lost its head comes back by its own backup', async () => {
  const { folder, secret } = await usedFolder();
  const on = onFolder(folder);
  const head = path.join(temporaryFolder(), 'head.json');
  writeFileSync(head, (await on('audit head')).out);
  tamper(databaseIn(folder), `UPDATE audit_point SET sequence = 3 WHERE name = 'head'`);
  const copy = path.join(temporaryFolder(), 'copy.db');
  await on(`backup ${copy}`);
  assert.match(await refusal(on(`restore ${copy}`)), /does not verify: the head .* --unverified/);
  const { code, out } = await on(`restore ${copy} --unverified`);
  assert.equal(code, 0);
  assert.match(out, /what was there before is \S+propusk\.db\.before-\S+\n/);
  assert.match(out, /DOES NOT VERIFY:\n {2}the head of the log was changed/);
  assert.match(out, /it begins anew after entry \d+:\n {2}entries up to \d+ are kept, and whether/);
  const verified = await on('audit verify');
  assert.deepEqual([verified.code, verified.out.slice(0, 22)], [0, 'the audit log verifies']);
  assert.match(verified.out, /\n\d+ older entries are not chained: nothing is known about them\n$/);
  const since = await on(`audit verify --since ${head}`);
  assert.deepEqual([since.code, /the log is another than the one/.test(since.out)], [1, true]);
  await using server = await startHere(['--data', folder]);
  assert.ok(await tokenOf({ url: server.url, secret }));
  assert.equal((await on('audit verify')).code, 0);
});

test('a damaged database is put aside, and the copy put in its place', async () => {
  const { folder } = await usedFolder();
  const on = onFolder(folder);
  const copy = path.join(temporaryFolder(), 'copy.db');
  await on(`backup ${copy}`);
  writeFileSync(databaseIn(folder), 'damaged beyond words'.repeat(1000));
  const { out } = await on(`restore ${copy}`);
  assert.match(out, /what was lost cannot be told: .* is not an SQLite database/);
  await using server = await startHere(['--data', folder]);
  assert.ok(await tokenOf(server));
});

test('the head and the verification speak by exit code as well', async () => {
  const { folder } = await usedFolder();
  const on = onFolder(folder);
  const head = path.join(folder, 'head.json');
  const { out: line } = await on('audit head');
  const { chain, ...old } = JSON.parse(line);
  assert.equal(chain, 1);
  // As it is printed, as it once was, laid out anew, and several of them.
  for (const text of [line, JSON.stringify(old), JSON.stringify(old, null, 2), line + line]) {
    writeFileSync(head, text);
    assert.equal((await on(`audit verify --since ${head}`)).code, 0, text);
  }
  writeFileSync(head, `${line}${JSON.stringify({ ...old, chain: 2 })}\n`);
  const missing = await on(`audit verify --since ${head}`);
  assert.equal(missing.code, 1);
  assert.match(missing.out, /:\n {2}chain 2, whose head was given, is missing\n$/);
  writeFileSync(head, `${line}{"sequence": 5}`);
  assert.match(await refusal(on(`audit verify --since ${head}`)), /holds no head as propusk/);
  assert.match(await refusal(on('audit verify --since none.json')), /head .* cannot be read/);
  // Another key is told at once, and not as tampering with every entry.
  const env = { PROPUSK_MASTER_KEY: 'cd'.repeat(32), PROPUSK_DATA: folder };
  assert.match(await refusal(command('audit verify', env)), /belongs to another master key/);
  const note = `UPDATE meta SET value = 'changed' WHERE name = 'master-key-check'`;
  const renamed = path.join(folder, 'renamed.db');
  await on(`backup ${renamed}`);
  tamper(renamed, note);
  assert.equal((await on(`audit verify --database sqlite:${renamed}`)).code, 0);
  tamper(databaseIn(folder), 'DELETE FROM audit WHERE sequence = 3');
  const { code, out } = await on('audit verify');
  assert.equal(code, 1);
  assert.match(out, /^the audit log does NOT verify:\n {2}entry 3 is missing\n/);
  const empty = temporaryFolder();
  copyFileSync(path.join(folder, 'master.key'), path.join(empty, 'master.key'));
  await onFolder(empty)('migrate');
  assert.match((await onFolder(empty)('audit verify')).out, /no chained entry yet/);
  assert.match(await refusal(onFolder(empty)('audit head')), /there is no head/);
});

test('doctor says in plain words what is good and what is bad', async () => {
  const { folder } = await usedFolder();
  const on = onFolder(folder);
  const well = await on('doctor');
  assert.equal(well.code, 0, well.out);
  for (const subject of ['config', 'database', 'clock', 'key age', 'disk']) {
    assert.match(well.out, new RegExp(`^(good|warning) +${subject} `, 'm'));
  }
  const file = databaseIn(folder);
  const nextYear = Date.now() + 400 * 86_400_000;
  tamper(
    file,
    `UPDATE audit SET at_ms = ${nextYear} WHERE sequence = (SELECT max(sequence) FROM audit)`,
  );
  tamper(file, 'UPDATE signing_key SET created_at_ms = 1600000000000');
  const odd = await on('doctor');
  assert.equal(odd.code, 1);
  assert.match(odd.out, /^bad +clock +it shows .* newest audit entry is from .* wrong$/m);
  assert.match(odd.out, /^warning +key age +the signing key is \d{4} days old/m);
  if (process.platform !== 'win32') {
    chmodSync(file, 0o640);
    assert.match(
      (await on('doctor')).out,
      /^warning +database +\S+ can be read by others; .*chmod/m,
    );
    chmodSync(file, 0o660);
    assert.match(
      (await on('doctor')).out,
      /^bad +database +\S+ can be written by others; .*chmod/m,
    );
    chmodSync(file, 0o600);
  }
  const other = await command('doctor', {
    PROPUSK_MASTER_KEY: 'cd'.repeat(32),
    PROPUSK_DATABASE: `sqlite:${file}`,
  });
  assert.equal(other.code, 1);
  assert.match(other.out, /^bad +database +it belongs to another master key$/m);
  const nothing = await onFolder(path.join(folder, 'nothing'))('doctor');
  assert.equal(nothing.code, 1);
  assert.match(nothing.out, /^bad +config +the master key is missing/m);
  assert.match(nothing.out, /^bad +database +\S+ is not there$/m);
});

test('a database of an older version goes on, its old entries counted and not verified', async () => {
  const folder = temporaryFolder();
  const file = databaseIn(folder);
  const db = new DatabaseSync(file);
  const scripts = path.join(import.meta.dirname, '../src/store/sqlite/migrations');
  for (const name of readdirSync(scripts).sort().slice(0, 3)) {
    db.exec(readFileSync(path.join(scripts, name), 'utf8'));
  }
  db.exec(`
    PRAGMA application_id = ${0x5072706b}; PRAGMA user_version = 3; PRAGMA journal_mode = WAL;
    INSERT INTO client VALUES ('c', 'Client');
    INSERT INTO account VALUES ('a', 'c', 0);
    INSERT INTO api_key VALUES ('k', 'c', 'key', 'mac', 1, 0, NULL, NULL);
    INSERT INTO session VALUES ('s', 'k', 'c', '', '', 1, ${Date.now() + 1_000_000}, NULL);
    INSERT INTO audit (at_ms, actor, action, target, remote_address, detail)
    VALUES (${Date.now()}, 'propusk', 'records.put', 'all', '', '{}'), (${Date.now()}, 'key:k', 'session.create', 'session:s', '', '{}');`);
  db.close();
  const on = onFolder(folder);
  assert.match(await refusal(on('audit head')), /at version 3, not \d+; run propusk migrate first/);
  assert.match((await on('migrate')).out, /^from version 3 to \d+\n$/);
  assert.match((await on('migrate')).out, /^at version \d+ already\n$/);

  await using server = await startHere(['--data', folder]);
  const { store } = server.server;
  const key = await store.get('key', 'k');
  assert.ok(key && key.createdAtMs > 1_700_000_000_000);
  assert.deepEqual([key.version, key.sourceNetworks, key.secretMac], [1, [], 'mac']);
  assert.equal((await store.session('s'))?.keyId, 'k');
  await revokeKey(store, 'k');
  const { code, out } = await on('audit verify');
  assert.equal(code, 0, out);
  assert.match(out, /verifies: entries 3 to \d+\n2 older entries are not chained/);
  // What was there when the log began is held to it from then on.
  tamper(file, `UPDATE client SET name = 'Somebody' WHERE id = 'c'`);
  assert.match((await on('audit verify')).out, /client c is not as entry \d+ says/);
  assert.ok(readMasterKey(path.join(folder, 'master.key')));
});
