/** The commands that open the database themselves, on PostgreSQL, as people run them. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { Server } from '../../src/main.ts';
import { SERVE_KEY } from '../administration.ts';
import { failureOf } from '../clients/client.ts';
import { Rest1Client } from '../clients/rest.ts';
import { runProgram, SERVE_MASTER_KEY, startServe, temporaryFolder } from '../start.ts';
import { revokeKey, write } from '../steps.ts';
import { PostgresServer } from './postgres-server.ts';

const SECRET = 'the secret of a key that trades';

let server: PostgresServer;
/** Where two servers have run, and a key was revoked; nobody has it open. */
let used: string;
let copies = 0;
/** All that were started. */
const nodes: Server[] = [];

before(async () => {
  server = await PostgresServer.start();
  used = await server.database('used');
  await on(used, 'bootstrap');
  const [one, other] = [await serve(used), await serve(used)];
  const { store } = one;
  await write(store, 'client', [{ id: 'acme', name: 'Acme' }]);
  await write(store, 'account', [{ id: '1', clientId: 'acme', readonly: false }]);
  await write(store, 'key', [keyOf('bot', SECRET), keyOf('gone', `${SECRET} no more`)]);
  for (const node of [one, other]) await signIn(node);
  await signIn(other, `${SECRET} no more`);
  await revokeKey(store, 'gone');
  for (const node of [one, other]) await node.stop();
});
after(async () => {
  for (const node of nodes) await node.stop();
  await server.kill();
});

/** A server of this process on a database. */
async function serve(url: string): Promise<Server> {
  const node = await startServe('--database', url);
  nodes.push(node);
  return node;
}

/** Runs a command on a database. */
async function on(url: string, line: string, env: Record<string, string> = {}) {
  const own = { PROPUSK_MASTER_KEY: SERVE_MASTER_KEY, PROPUSK_DATABASE: url };
  return runProgram(line.split(' '), { env: { ...own, ...env } });
}

/** What a command that must be refused says, in one line. */
async function refusal(url: string, line: string, env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await on(url, line, env);
  assert.deepEqual([code, stdout], [2, ''], stderr);
  assert.match(stderr, /^propusk: [^\n]+\n$/);
  return stderr.slice('propusk: '.length, -1);
}

function keyOf(id: string, secret: string) {
  return {
    ...{ id, clientId: 'acme', label: id, secretMac: SERVE_KEY.macOfSecret(secret) },
    ...{ allAccounts: true, accountIds: [], readonly: false, callsMax: {}, sourceNetworks: [] },
    ...{ expiresAtMs: null, revokedAtMs: null },
    ...{ previousSecretMac: null, previousSecretEndsAtMs: null },
  };
}

/** Answers a token. */
async function signIn({ port }: Server, secret = SECRET): Promise<string> {
  const client = new Rest1Client(`http://127.0.0.1:${port}`);
  try {
    return await client.auth(secret);
  } finally {
    await client.close();
  }
}

/** A copy of the used database, changed behind the program's back. */
async function copyOf(template: string, sql = 'SELECT 1'): Promise<string> {
  copies += 1;
  const url = await server.database(`copy${copies}`, template.replace(/^.*\//, ''));
  await server.query(url, sql);
  return url;
}

async function headOf(url: string): Promise<string> {
  const file = path.join(temporaryFolder(), 'head.json');
  writeFileSync(file, (await on(url, 'audit head')).stdout);
  return file;
}

test('the first owner is made once, also while a server runs, which knows it at once', async () => {
  const url = await server.database('owned');
  const first = await on(url, 'bootstrap --expires 1d');
  assert.deepEqual([first.code, /^pop_\S+\n$/.test(first.stdout)], [0, true], first.stderr);
  assert.match(first.stderr, /^owner \(\S+\) is an owner of postgres:\/\/127\S+\/owned until /);
  assert.match(await refusal(url, 'bootstrap'), /^there is an owner already: .* --another/);
  const node = await serve(url);
  const second = await on(url, 'bootstrap --another --name second');
  const mac = SERVE_KEY.macOfSecret(second.stdout.trim());
  assert.ok(await node.store.operatorIdOfToken(mac));
  await node.stop();
  assert.equal((await on(url, 'audit verify')).code, 0);
  const other = { PROPUSK_MASTER_KEY: 'cd'.repeat(32) };
  for (const line of ['bootstrap', 'audit verify', 'restore']) {
    assert.match(await refusal(url, line, other), /^postgres:\S+ belongs to another master key;/);
  }
});

test('a server and a command say what is wrong with an audit log that they cannot go on with', async () => {
  copies += 1;
  const url = await server.database(`broken${copies}`, 'used');
  await server.query(url, "UPDATE audit_point SET mac = 'another'; DELETE FROM signing_key");
  const what = 'the head of the audit log was changed; see propusk audit verify';
  const serving = 'serve --listen 127.0.0.1:0 --internal-listen 127.0.0.1:0';
  assert.equal(
    await refusal(url, serving),
    `${url.replace('propusk@', '')} cannot be used: ${what}`,
  );
  assert.equal(await refusal(url, 'bootstrap --another'), what);
});

test('a database is brought to its version, and one that is not ours is refused', async () => {
  const url = await server.database('migrated');
  assert.match(await refusal(url, 'audit head'), /is at version 0, not \d+; run propusk migrate/);
  assert.match((await on(url, 'migrate')).stdout, /^from version 0 to \d+\n$/);
  assert.match((await on(url, 'migrate')).stdout, /^at version \d+ already\n$/);
  assert.match((await on(url, 'audit verify')).stdout, /^the audit log has no chained entry yet/);
  assert.match(await refusal(url, 'audit head'), /has no audit entry yet, so there is no head/);
  await server.query(url, 'UPDATE propusk_schema SET version = 999');
  for (const line of ['migrate', 'bootstrap', 'audit verify', 'restore']) {
    assert.match(await refusal(url, line), /is at version 999, .*use a newer propusk/);
  }
  const theirs = await server.database('theirs');
  await server.query(theirs, 'CREATE TABLE theirs (id integer)');
  for (const line of ['migrate', 'bootstrap', 'audit verify', 'audit head', 'serve']) {
    assert.match(await refusal(theirs, line), /is a PostgreSQL database, but not one of propusk$/);
  }
  const env = { PROPUSK_MASTER_KEY: '', PROPUSK_DATA: temporaryFolder() };
  const mixed = await runProgram(['dev', '--listen=127.0.0.1:0'], {
    env: { PROPUSK_DATABASE: used, PROPUSK_DATA: env.PROPUSK_DATA },
  });
  assert.equal(mixed.code, 2);
  assert.match(mixed.stderr, /\/used was made by propusk serve, not dev: demo data does not/);
});

test('the log of several servers verifies, and its heads find a database put back', async () => {
  const verified = await on(used, 'audit verify');
  assert.deepEqual([verified.code, verified.stderr], [0, '']);
  assert.match(verified.stdout, /^the audit log verifies: \d+ entries in 2 chains, after \d+ and/);
  const before = await copyOf(used);
  const node = await serve(used);
  await signIn(node);
  await node.stop();
  const head = await headOf(used);
  assert.equal((await on(used, `audit verify --since ${head}`)).code, 0);
  const rolled = await on(before, `audit verify --since ${head}`);
  assert.equal(rolled.code, 1);
  assert.match(rolled.stdout, /the database was rolled back/);
});

/** What is done behind the program's back, and what is found. */
const TAMPERED: readonly (readonly [what: string, sql: string, found: RegExp])[] = [
  [
    'an entry changed',
    `UPDATE audit SET actor = 'nobody' WHERE action = 'key.revoke'`,
    /entry \d+ is not as it was written/,
  ],
  ['an entry removed', `DELETE FROM audit WHERE action = 'key.revoke'`, /missing/],
  [
    'an entry added',
    `INSERT INTO audit SELECT 1 + max(sequence), 1, 'nobody', 'client.put', 'client:x', '', '{}',
       'x', 1 FROM audit`,
    /chain 1: entries after \d+, where the log ends, were added/,
  ],
  [
    'a chain removed with its points',
    'DELETE FROM audit WHERE chain = 2; DELETE FROM audit_point WHERE chain = 2',
    /the chains are not those that the register names/,
  ],
  [
    'the register removed',
    'DELETE FROM audit_point WHERE chain = 0',
    /the register of the log's chains is missing/,
  ],
  [
    'a key that works again',
    `UPDATE api_key SET revoked_at_ms = NULL WHERE id = 'gone'`,
    /key gone is not as entry \d+ says/,
  ],
  [
    'a session made',
    `INSERT INTO session SELECT 'mine', key_id, client_id, '', '', 1, 9e12, NULL FROM session LIMIT 1`,
    /1 sessions were made by no entry/,
  ],
  [
    'a trigger',
    `CREATE FUNCTION evil() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
     CREATE TRIGGER nasty BEFORE INSERT ON session FOR EACH ROW EXECUTE FUNCTION evil()`,
    /holds a function evil, which.*\n.* holds a trigger nasty on session, which Propusk did not make/,
  ],
  [
    'a rule',
    'CREATE RULE nasty AS ON DELETE TO session DO INSTEAD NOTHING',
    /holds a rule nasty on session, which/,
  ],
  [
    'an event trigger',
    `CREATE SCHEMA elsewhere;
     CREATE FUNCTION elsewhere.evil() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
     CREATE EVENT TRIGGER nasty ON ddl_command_start EXECUTE FUNCTION elsewhere.evil()`,
    /holds an event trigger nasty, which/,
  ],
  ['a view', 'CREATE VIEW nasty AS SELECT 1 AS one', /holds a view nasty, which/],
  [
    'a default',
    `ALTER TABLE session ALTER COLUMN revoked_at_ms SET DEFAULT 0`,
    /holds a default of session\.revoked_at_ms, which/,
  ],
  [
    'another default',
    `ALTER TABLE api_key ALTER COLUMN source_networks SET DEFAULT '["0.0.0.0/0"]'`,
    /holds a default of api_key\.source_networks, which/,
  ],
  [
    'a generated column',
    'ALTER TABLE session ADD nasty text GENERATED ALWAYS AS (id || key_id) STORED',
    /holds a generated column session\.nasty, which/,
  ],
  [
    'a constraint that runs something',
    `CREATE SCHEMA away; CREATE FUNCTION away.evil(text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
     ALTER TABLE client ADD CONSTRAINT nasty CHECK (away.evil(name))`,
    /holds a constraint nasty on client, which/,
  ],
  [
    'an index that runs something',
    `CREATE SCHEMA away; CREATE FUNCTION away.evil(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1';
     CREATE INDEX nasty ON client (away.evil(name))`,
    /holds an index nasty, which/,
  ],
  [
    'a policy',
    'CREATE POLICY nasty ON session USING (true); ALTER TABLE session ENABLE ROW LEVEL SECURITY',
    /holds a policy nasty on session, which.*\n.* row security on session/,
  ],
  [
    'a table that is part of another',
    'CREATE TABLE nasty () INHERITS (session)',
    /holds a table nasty that is part of session, which/,
  ],
  [
    'references that are not checked',
    'ALTER TABLE api_key DISABLE TRIGGER ALL',
    /references of api_key are not checked/,
  ],
  [
    'a schema that stands before ours',
    'CREATE SCHEMA propusk; CREATE TABLE propusk.propusk_schema AS SELECT * FROM propusk_schema',
    /the table account is not the one that Propusk made/,
  ],
];

test('whatever was done behind its back, a verification finds it', async () => {
  for (const [what, sql, found] of TAMPERED) {
    const { code, stdout, stderr } = await on(await copyOf(used, sql), 'audit verify');
    assert.equal(code, 1, `${what}: ${stdout}${stderr}`);
    assert.match(stdout, found, what);
  }
  // What extensions bring is theirs.
  const extended = await copyOf(used, 'CREATE EXTENSION pg_stat_statements');
  assert.equal((await on(extended, 'audit verify')).code, 0);
});

test('doctor says in plain words what is good and what is bad', async () => {
  const well = await on(used, 'doctor');
  assert.equal(well.code, 0, well.stdout);
  assert.match(well.stdout, /^good +config +the database is postgres:\S+\/used$/m);
  assert.match(well.stdout, /^good +database +propusk reaches it, on PostgreSQL \d+/m);
  assert.match(
    well.stdout,
    /^good +database +397 connections are enough for 30 nodes, each with 13/m,
  );
  const fewer = { PROPUSK_DATABASE_CONNECTIONS_MAX: '2' };
  assert.match((await on(used, 'doctor', fewer)).stdout, /for 79 nodes, each with 5/);
  assert.match(well.stdout, /^good +database +it belongs to propusk serve$/m);
  assert.match(well.stdout, /^good +database +it belongs to this master key$/m);
  assert.match(
    well.stdout,
    /^good +database +the audit log has 2 chains and ends with entry \d+$/m,
  );
  assert.match(well.stdout, /^good +clock +the server's differs by \d+ ms$/m);
  assert.match(well.stdout, /^good +key age +the signing key is 0 days old$/m);
  assert.match(well.stdout, /^good +disk +the database takes \d+ MiB on its server$/m);

  const odd = await copyOf(used, 'ALTER TABLE order_change SET UNLOGGED');
  const name = odd.replace(/^.*\//, '');
  for (const sql of [
    `ALTER DATABASE ${name} SET synchronous_commit = off`,
    `ALTER DATABASE ${name} CONNECTION LIMIT 20`,
    `UPDATE audit_point SET sequence = 1 WHERE name = 'head' AND chain = 2`,
    'UPDATE signing_key SET created_at_ms = 1600000000000',
    'CREATE RULE nasty AS ON DELETE TO session DO INSTEAD NOTHING',
  ]) {
    await server.query(odd, sql);
  }
  const found = await on(odd, 'doctor');
  assert.equal(found.code, 1);
  assert.match(found.stdout, /^warning +database +synchronous_commit is off: a crash may lose/m);
  assert.match(found.stdout, /^warning +database +20 connections are enough for 1 node,/m);
  assert.match(found.stdout, /^bad +database +a crash empties what is UNLOGGED: order_change$/m);
  assert.match(found.stdout, /^bad +database +the head of the audit log was changed/m);
  assert.match(found.stdout, /^bad +database +the database holds a rule nasty on session, which/m);
  assert.match(found.stdout, /^warning +key age +the signing key is \d{4} days old/m);
  const other = await on(used, 'doctor', { PROPUSK_MASTER_KEY: 'cd'.repeat(32) });
  assert.match(other.stdout, /^bad +database +it belongs to another master key$/m);
  const none = await on(used.replace(/used$/, 'none'), 'doctor');
  assert.equal(none.code, 1);
  assert.match(
    none.stdout,
    /^bad +database +postgres:\S+\/none cannot be used: .*; make it first/m,
  );
});

test('a database that was put back is ended: no token issued before is good', async () => {
  assert.match(
    await refusal(used, 'backup x.db'),
    /is backed up by .*: use pg_dump --format=custom/,
  );
  assert.match(await refusal(used, 'restore x.db'), /^x\.db is not for PostgreSQL: put it back by/);
  assert.match(await refusal('sqlite:x.db', 'restore'), /the file to restore is missing/);

  const back = await copyOf(used);
  const lost = await copyOf(used);
  const ahead = await serve(lost);
  const tokens = [await signIn(ahead)];
  await ahead.stop();
  const head = await headOf(lost);
  const running = await serve(back);
  tokens.push(await signIn(running));
  assert.match(await refusal(back, 'restore'), /^\d+ connections of propusk to \S+ are open; stop/);
  await running.stop();

  const { code, stdout, stderr } = await on(back, `restore --since ${head}`);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^postgres:\S+ ends with audit entry \d+, at 20\S+: what happened after it/);
  assert.match(stdout, /\nall sessions are revoked, .*\ntake a new head: propusk audit head\n$/);
  assert.equal((await on(back, 'audit verify')).code, 0);
  const node = await serve(back);
  const client = new Rest1Client(`http://127.0.0.1:${node.port}`);
  for (const token of tokens) {
    assert.equal((await failureOf(client.tokenDetails(token))).reason, 'TOKEN_INVALID');
  }
  await client.tokenDetails(await client.auth(SECRET));
  await client.close();
  const { entries } = await node.store.findAudit({ action: 'database.restore', limit: 9 });
  assert.ok(Number(entries[0]?.detail.sessions) >= 3);
  await node.stop();
  assert.equal((await on(back, 'audit verify')).code, 0);
});

test('what heads from elsewhere know of and the database does not, is told', async () => {
  const back = await copyOf(used);
  const head = await headOf(used);
  assert.match(
    (await on(back, `restore --since ${head}`)).stdout,
    /\nnothing that the head given knows of is lost\n/,
  );
  const older = await copyOf(used);
  const node = await serve(used);
  await signIn(node);
  await node.stop();
  const { stdout } = await on(older, `restore --since ${await headOf(used)}`);
  assert.match(
    stdout,
    /\nby the head given:\n {2}chain 1 had come to entry \d+, and ends with \d+: what it told/,
  );
});

test('a log that does not verify is taken when that is asked for, and begins anew', async () => {
  const sql = `DELETE FROM audit_point WHERE chain = 2; ALTER SEQUENCE audit_sequence RESTART;
    UPDATE client SET name = 'Somebody'`;
  const back = await copyOf(used, sql);
  assert.match(await refusal(back, 'restore'), /does not verify: .*; .* --unverified takes it all/);
  const { code, stdout, stderr } = await on(back, 'restore --unverified');
  assert.equal(code, 0, stderr);
  assert.match(stdout, /DOES NOT VERIFY:\n {2}the chains are not those that the register names/);
  assert.match(
    stdout,
    /it begins anew after entry \d+:\n {2}entries up to \d+ are kept, and whether/,
  );
  const verified = await on(back, 'audit verify');
  assert.equal(verified.code, 0, verified.stdout);
  assert.match(
    verified.stdout,
    /\n\d+ older entries are not chained: nothing is known about them\n$/,
  );
  const both = [await serve(back), await serve(back)];
  for (const node of both) assert.ok(await signIn(node));
  for (const node of both) await node.stop();
  const later = await on(back, 'audit verify');
  assert.equal(later.code, 0, later.stdout);
});

test('no password is in what a command says, whatever goes wrong', async () => {
  const password = 'Canary%2FWord';
  const url = await copyOf(used);
  await server.query(url, "CREATE ROLE careful LOGIN PASSWORD 'other'");
  const [file] = await server.query(url, 'SHOW hba_file');
  await server.query(
    url,
    `COPY (SELECT 'host all careful 127.0.0.1/32 scram-sha-256' UNION ALL
      SELECT 'host all propusk 127.0.0.1/32 trust') TO '${String(file?.hba_file)}'`,
  );
  await server.query(url, 'SELECT pg_reload_conf()');
  const careful = url.replace('propusk@', `careful:${password}@`);
  const urls = [
    careful,
    url.replace('propusk@', `propusk:${password}@`),
    careful.replace(/:\d+\//, ':1/'),
    careful.replace('127.0.0.1', 'none.invalid'),
    `postgres://careful:${password.replace('%2F', '/')}@127.0.0.1`,
    `postgres://careful:${password}@127.0.0.1:x/propusk`,
    `${careful}?sslmode=verify-full`,
  ];
  for (const each of urls) {
    for (const line of ['doctor', 'migrate', 'audit verify', 'serve']) {
      if (line === 'serve' && each === urls[1]) continue;
      const { stdout, stderr } = await on(each, line);
      assert.doesNotMatch(stdout + stderr, /Canary|Word/, `${each}: ${line}`);
    }
  }
  const wrong = await refusal(careful, 'bootstrap');
  assert.match(wrong, /password authentication failed for user "careful"; check the user and the/);
  const given = careful.replace(`:${password}`, '');
  assert.match(await refusal(given, 'bootstrap'), /it asks for a password, and there is none/);
});
