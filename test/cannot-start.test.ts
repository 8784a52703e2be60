/** Why a server cannot start, in one line for people; the command line prints it and exits with 2. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { ConfigError, readCommandLine } from '../src/config.ts';
import { isForPeople, start, surroundings } from '../src/main.ts';
import { Rest1Client } from './clients/rest.ts';
import { startHere, temporaryFolder } from './start.ts';

const KEY = 'ab'.repeat(32);
const OTHER_KEY = 'cd'.repeat(32);

/** What a start that must fail says, line by line. */
async function refusal(args: readonly string[], env: Record<string, string> = {}) {
  const request = readCommandLine([...args, '--log-level=silent'], env, '0.0.0');
  assert.ok(request.kind === 'run');
  const { config } = request;
  const error = await start(config, surroundings(config)).then(
    async (server) => {
      await server.stop();
      assert.fail('it started');
    },
    (thrown: unknown) => thrown,
  );
  assert.ok(isForPeople(error), String(error));
  return error instanceof ConfigError ? error.lines : [error.message];
}

async function assertRefused(
  args: readonly string[],
  expected: RegExp,
  env: Record<string, string> = {},
): Promise<void> {
  const [line = '', ...more] = await refusal(args, env);
  assert.deepEqual(more, []);
  assert.match(line, expected);
  assert.ok(!line.includes('\n'), line);
}

function dev(folder: string, ...args: readonly string[]): string[] {
  return ['dev', '--listen=127.0.0.1:0', `--data=${folder}`, ...args];
}

function serve(database: string, ...args: readonly string[]): string[] {
  return [
    'serve',
    '--listen=127.0.0.1:0',
    '--internal-listen=127.0.0.1:0',
    `--database=sqlite:${database}`,
    ...args,
  ];
}

/** A data folder with a database that `dev` made. */
async function usedFolder(): Promise<string> {
  const server = await startHere();
  await server.stop();
  return server.folder;
}

test('faults that name nothing, all told', async () => {
  const args = dev(temporaryFolder(), '--fault=Auth=404', '--fault=Nothing=500');
  const lines = await refusal(args);
  assert.equal(lines.length, 2);
  assert.match(lines[0] ?? '', /^--fault: .*Auth does not answer 404/);
  assert.match(lines[1] ?? '', /^--fault: .*names no method/);
});

test('rules that cannot be used, all told with the limits that name none', async () => {
  const file = path.join(temporaryFolder(), 'rules.yaml');
  const rule = (name: string, more: string) => `  - {name: ${name}, method: GET, ${more}}\n`;
  const good = rule('News', 'path: "/news/{id}", requires: token');
  const bad =
    rule('Bars', 'path: /bars, requires: token') + rule('Move', 'path: /move, requires: trade');
  writeFileSync(file, `version: 1\nrules:\n${good}${bad}`);
  const limits = ['--limit=News=5', '--limit=Bars=5', '--limit=Old=5'];
  const lines = await refusal(dev(temporaryFolder(), `--authz-rules=${file}`, ...limits));
  assert.deepEqual(
    lines.map((line) => line.replace(file, 'FILE').slice(0, 60)),
    [
      '--authz-rules: FILE:4: rule Bars: its name is taken, and with it the limit'.slice(0, 60),
      '--authz-rules: FILE:5: rule Move: requires trade, so its path'.slice(0, 60),
      '--limit: "Old=5" names no method; there are Auth, TokenDetails'.slice(0, 60),
    ],
  );
  const nowhere = path.join(temporaryFolder(), 'none.yaml');
  await assertRefused(
    dev(temporaryFolder(), `--authz-rules=${nowhere}`),
    /^--authz-rules: the rules file cannot be read: ENOENT/,
  );
});

test('an address that is not here', async () => {
  const args = dev(temporaryFolder(), '--listen=192.0.2.1:0');
  await assertRefused(args, /^--listen 192\.0\.2\.1:0: this machine has no such address$/);
});

test('a data folder that cannot be made', async () => {
  const file = path.join(temporaryFolder(), 'file');
  writeFileSync(file, '');
  await assertRefused(dev(path.join(file, 'data')), /the data folder .* cannot be made/);
});

test('a database that cannot be opened', async () => {
  const folder = temporaryFolder();
  mkdirSync(path.join(folder, 'a-folder'));
  writeFileSync(path.join(folder, 'text'), 'no database, but long enough\n'.repeat(50));
  const foreign = new DatabaseSync(path.join(folder, 'foreign'));
  foreign.exec('CREATE TABLE other (id)');
  foreign.close();
  for (const [name, expected] of [
    ['a-folder', /is a folder, not a database file/],
    ['text', /is not an SQLite database/],
    ['foreign', /not one of propusk/],
    ['text/inside', /cannot be used as the database/],
  ] as const) {
    await assertRefused(dev(folder, `--database=sqlite:${folder}/${name}`), expected);
  }
});

test('a database that is newer than the program', async () => {
  const folder = await usedFolder();
  const db = new DatabaseSync(path.join(folder, 'propusk.db'));
  db.exec('PRAGMA user_version = 999');
  db.close();
  await assertRefused(dev(folder), /at version 999, this propusk knows versions up to \d+/);
});

test('a database that another propusk has open, which goes on', async () => {
  await using server = await startHere();
  await assertRefused(dev(server.folder), /another propusk has .* open/);
  const body = JSON.stringify({ secret: server.secret });
  const answer = await new Rest1Client(server.url).send('POST', '/v1/sessions', { body });
  assert.equal(answer.status, 200);
});

test('a start that failed leaves the database to the next', async () => {
  const folder = temporaryFolder();
  await assertRefused(dev(folder, '--listen=192.0.2.1:0'), /no such address/);
  await assertRefused(dev(folder, '--listen=192.0.2.1:0'), /no such address/);
});

test('a master key that is not the one of the database', async () => {
  const folder = await usedFolder();
  writeFileSync(path.join(folder, 'master.key'), `${OTHER_KEY}\n`, { mode: 0o600 });
  await assertRefused(dev(folder), /belongs to another master key/);
});

test('a master key file that is none, or that others can read', async () => {
  const folder = temporaryFolder();
  const file = path.join(folder, 'master.key');
  writeFileSync(file, 'not a key\n', { mode: 0o600 });
  await assertRefused(dev(folder), /is no master key/);
  writeFileSync(file, `${KEY}\n`);
  chmodSync(file, 0o644);
  await assertRefused(dev(folder), /can be read by others.*chmod 600/);
});

test('a master key of serve that is none is told without being shown', async () => {
  const env = { PROPUSK_MASTER_KEY: 'not-a-key-but-secret' };
  const lines = await refusal(serve(':memory:'), env);
  assert.match(lines.join('\n'), /^PROPUSK_MASTER_KEY is neither/);
  assert.ok(!lines.join('\n').includes(env.PROPUSK_MASTER_KEY));
  const file = path.join(temporaryFolder(), 'missing');
  const args = serve(':memory:', `--master-key-file=${file}`);
  await assertRefused(args, /the master key cannot be read/);
});

test('serve takes no demo data, and dev no real data', async () => {
  const folder = await usedFolder();
  const key = readFileSync(path.join(folder, 'master.key'), 'utf8').trim();
  const env = { PROPUSK_MASTER_KEY: key };
  const ofDev = serve(path.join(folder, 'propusk.db'));
  await assertRefused(ofDev, /made by propusk dev, not serve: it holds demo data/, env);

  const other = path.join(folder, 'serve.db');
  // An address that cannot be had, once the database has been made.
  await assertRefused(serve(other, '--listen=192.0.2.1:0'), /no such address/, env);
  await assertRefused(dev(folder, `--database=sqlite:${other}`), /propusk serve, not dev/);
});

test('the master key of serve must be that of its database', async () => {
  const database = path.join(temporaryFolder(), 'serve.db');
  const args = serve(database, '--listen=192.0.2.1:0');
  await assertRefused(args, /no such address/, { PROPUSK_MASTER_KEY: KEY });
  await assertRefused(args, /another master key/, { PROPUSK_MASTER_KEY: OTHER_KEY });
});

test('an audit log that nothing can be written to', async () => {
  const folder = await usedFolder();
  const db = new DatabaseSync(path.join(folder, 'propusk.db'));
  db.exec("UPDATE audit_point SET mac = 'another' WHERE name = 'head'");
  db.exec('DELETE FROM signing_key');
  db.close();
  const expected = /^sqlite:\S+ cannot be used: the head of the audit log was changed; see propusk/;
  await assertRefused(dev(folder), expected);
});

test('a TLS pair that is none, or is not there', async () => {
  const folder = temporaryFolder();
  const file = path.join(folder, 'garbage.pem');
  writeFileSync(file, 'garbage\n');
  const garbage = dev(folder, `--tls-cert=${file}`, `--tls-key=${file}`);
  await assertRefused(garbage, /garbage\.pem/);
  const missing = dev(folder, `--tls-cert=${folder}/none`, `--tls-key=${file}`);
  await assertRefused(missing, /none/);
});

test('a list of MICs that is none, or not there', async () => {
  const folder = temporaryFolder();
  const file = path.join(folder, 'mics.csv');
  await assertRefused(dev(folder, `--mics=${file}`), /^the list of MICs cannot be read: ENOENT/);
  writeFileSync(file, 'MIC,COUNTRY\nXNAS,US\n');
  await assertRefused(
    dev(folder, `--mics=${file}`),
    /mics\.csv is no list of MICs: line 1 must name the columns; missing: ISO COUNTRY CODE/,
  );
});
