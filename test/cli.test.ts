/** The command line over the network: what it asks, what it says, and what it ends with. */
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import { parse } from 'yaml';
import { AdministeredServer } from './administration.ts';
import { runProgram, startHere, unique } from './start.ts';
import { Terminal } from './terminal.ts';

let server: AdministeredServer;
const owner = new Terminal();

before(async () => {
  server = await AdministeredServer.start();
  await owner.logIn(server, server.operators.owner.token);
});
after(() => server[Symbol.asyncDispose]());

const inside = () => `http://127.0.0.1:${server.server.internalPort}`;

/** A client with an account and a plan, made by the command line. */
async function makeClient() {
  const word = unique();
  const [client, account, plan] = [`c-${word}`, `a-${word}`, `p-${word}`];
  await owner.does('client', 'create', client, '--name', 'Акме');
  await owner.does('account', 'create', account, '--client', client);
  const permission = ['--permission', 'mic:#RBRD=DEPTH_OF_MARKET'];
  await owner.does('plan', 'create', plan, '--name', 'Plan', ...permission);
  return { client, account, plan };
}

suite('login', () => {
  test('keeps the token in a file that its owner alone can read', async () => {
    const file = path.join(owner.env.XDG_CONFIG_HOME ?? '', 'propusk', 'login.json');
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal(statSync(path.dirname(file)).mode & 0o777, 0o700);
    assert.ok(readFileSync(file, 'utf8').includes(server.operators.owner.token));
    const status = await owner.asks('status');
    assert.equal(status.mode, 'serve');
    assert.equal(status.operator.id, server.operators.owner.id);
    assert.equal(status.operator.role, 'ROLE_OWNER');
  });

  test('tells a typo from an unknown token, and keeps neither', async () => {
    const { token } = server.operators.viewer;
    const typo = token.slice(0, -1) + (token.endsWith('0') ? '1' : '0');
    const terminal = new Terminal();
    const mistyped = await terminal.run(['login', inside()], typo);
    assert.equal(mistyped.code, 2);
    assert.match(mistyped.stderr, /typo/);
    const unknown = `pop_${'0'.repeat(26)}3pux0X`;
    const refused = await terminal.run(['login', inside()], `pop_0${unknown.slice(4)}`);
    assert.equal(refused.code, 3);
    assert.match(refused.stderr, /OPERATOR_TOKEN_INVALID/);
    assert.equal((await terminal.run(['status'])).code, 2);
    assert.equal((await terminal.run(['login', inside()], '')).code, 2);
  });

  test('a token goes to the server that it is for, and to no other', async () => {
    const seen: (string | undefined)[] = [];
    const other = http.createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.end('{}');
    });
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    const { code, stderr } = await owner.run(['client', 'list', '--server', url]);
    assert.equal(code, 2);
    assert.match(stderr, /not logged in/);
    assert.deepEqual(seen, []);
    other.close();
  });

  test('a flag beats the environment, and that beats the file', async () => {
    const terminal = new Terminal();
    await terminal.logIn(server, server.operators.owner.token);
    const who = async (...flags: string[]) => (await terminal.asks('status', ...flags)).operator.id;
    terminal.env.PROPUSK_TOKEN = server.operators.viewer.token;
    assert.equal(await who(), server.operators.viewer.id);
    const file = terminal.file('token', `${server.operators.operator.token}\n`);
    assert.equal(await who('--token-file', file), server.operators.operator.id);
    delete terminal.env.PROPUSK_TOKEN;
    await terminal.does('logout');
    assert.equal((await terminal.run(['status'])).code, 2);
  });
});

suite('a server of dev', () => {
  test('over TLS with a CA of its own, on its one port', async () => {
    await using dev = await startHere(['--tls']);
    const terminal = new Terminal();
    const token = terminal.file('owner.token', dev.server.operatorToken);
    const login = ['login', dev.url, '--api', dev.url, '--token-file', token];
    const unknown = await terminal.run(login);
    assert.equal(unknown.code, 6, 'a certificate that nobody vouches for');
    await terminal.does(...login, '--ca-file', dev.server.tls?.certFile ?? '');
    assert.equal((await terminal.asks('status')).mode, 'dev');
    const signedIn = await terminal.run(['session', 'create'], dev.secret);
    assert.equal(signedIn.code, 0, signedIn.stderr);
    const { stdout } = await terminal.run(['token', 'details', '-o', 'json'], signedIn.stdout);
    assert.deepEqual(JSON.parse(stdout).account_ids, ['1899011']);
  });
});

suite('resources', () => {
  test('are made, listed, changed and removed', async () => {
    const { client, account, plan } = await makeClient();
    const subscription = `s-${client}`;
    const period = ['--from', '2026-01-01', '--until', '2099-01-01T00:00:00+03:00'];
    const names = ['--client', client, '--plan', plan];
    await owner.does('subscription', 'create', subscription, ...names, ...period);
    const made = await owner.asks('subscription', 'get', subscription);
    assert.equal(made.starts_at, '2026-01-01T00:00:00Z');
    assert.equal(made.ends_at, '2098-12-31T21:00:00Z');
    await owner.does('subscription', 'update', subscription, '--until', 'never');
    assert.equal((await owner.asks('subscription', 'get', subscription)).ends_at, undefined);
    const ids = (list: { id: string }[]) => list.map(({ id }) => id);
    assert.deepEqual(ids(await owner.asks('subscription', 'list', '--plan', plan)), [subscription]);
    assert.deepEqual(ids(await owner.asks('account', 'list', '--client', client)), [account]);

    assert.equal((await owner.asks('account', 'update', account, '--readonly')).readonly, true);
    assert.equal((await owner.asks('account', 'update', account, '--no-readonly')).readonly, false);
    const permission = ['--permission', 'worldwide=LAST_PRICE@15'];
    const changed = await owner.asks('plan', 'update', plan, ...permission);
    assert.equal(changed.name, 'Plan');
    assert.deepEqual(changed.permissions, [
      { quote_level: 'QUOTE_LEVEL_LAST_PRICE', delay_minutes: 15, worldwide: true },
    ]);

    await owner.does('subscription', 'delete', subscription);
    await owner.does('account', 'delete', account);
    await owner.does('plan', 'delete', plan);
    await owner.does('client', 'delete', client);
    assert.equal((await owner.run(['client', 'get', client])).code, 4);
  });

  test('lists are read to their end, and no further than asked', async () => {
    const word = unique();
    for (const i of [1, 2, 3]) await owner.does('client', 'create', `l-${word}-${i}`);
    const all = await owner.asks('client', 'list');
    const own = all.filter(({ id }: { id: string }) => id.includes(word));
    assert.equal(own.length, 3);
    assert.equal((await owner.asks('client', 'list', '--limit', '2')).length, 2);
    assert.equal((await owner.run(['client', 'list', '--limit', 'all'])).code, 2);
  });

  test('a key is made, used, rotated and revoked', async () => {
    const { client } = await makeClient();
    const key = `k-${client}`;
    const secretFile = owner.file(`${key}.secret`);
    const flags = ['--client', client, '--all-accounts', '--calls', 'Auth=50', '--label', 'Bot'];
    const shown = await owner.does('key', 'create', key, ...flags, '--secret-file', secretFile);
    const secret = readFileSync(secretFile, 'utf8').trim();
    assert.match(secret, /^psk_/);
    assert.ok(!shown.includes(secret));
    assert.equal(statSync(secretFile).mode & 0o777, 0o600);
    const again = await owner.run(['key', 'create', ...flags, '--secret-file', secretFile]);
    assert.equal(again.code, 2, 'a file that is there is kept');
    assert.equal(readFileSync(secretFile, 'utf8').trim(), secret);

    const { token } = await owner.asks('session', 'create', '--secret-file', secretFile);
    const details = await owner.run(['token', 'details', '-o', 'json'], token);
    assert.equal(JSON.parse(details.stdout).account_ids.length, 1);
    const [session] = await owner.asks('session', 'list', '--key', key);
    assert.equal(session.client_id, client);
    const [usage] = await owner.asks('usage', 'list', '--client', client);
    const auth = usage.methods.find(({ method }: { method: string }) => method === 'Auth');
    assert.deepEqual([auth.limit, auth.remaining], [50, 49]);

    const rotated = await owner.asks('key', 'rotate', key, '--overlap', '1h');
    assert.match(rotated.secret, /^psk_/);
    assert.notEqual(rotated.secret, secret);
    assert.equal((await owner.run(['session', 'create'], rotated.secret)).code, 0);
    assert.equal((await owner.run(['session', 'create'], secret)).code, 0);

    await owner.does('session', 'revoke', session.id);
    assert.equal((await owner.run(['token', 'details'], token)).code, 3);
    const updated = await owner.asks('key', 'update', key, '--readonly', '--source', '10.0.0.0/8');
    assert.deepEqual([updated.readonly, updated.source_networks], [true, ['10.0.0.0/8']]);
    assert.equal((await owner.run(['session', 'create'], secret)).code, 3);
    await owner.does('key', 'update', key, '--source', 'any');
    assert.equal((await owner.run(['session', 'create'], secret)).code, 0);
    await owner.does('key', 'revoke', key);
    assert.equal((await owner.run(['session', 'create'], secret)).code, 3);
    assert.match(await owner.does('key', 'get', key), /STATE +revoked/);
  });

  test('a secret from elsewhere is imported', async () => {
    const { client } = await makeClient();
    const secret = `made elsewhere ${unique()} and long enough`;
    const args = ['key', 'import', `i-${client}`, '--client', client, '--all-accounts'];
    const { code, stdout } = await owner.run(args, secret);
    assert.equal(code, 0);
    assert.ok(!stdout.includes(secret));
    assert.equal((await owner.run(['session', 'create'], secret)).code, 0);
    assert.equal((await owner.run(args, 'short')).code, 2);
  });

  test('the same request under the same id makes one key, and shows its secret once', async () => {
    const { client } = await makeClient();
    const args = ['key', 'create', '--client', client, '--all-accounts', '--request-id', client];
    const first = await owner.asks(...args);
    const second = await owner.run([...args, '-o', 'json']);
    assert.equal(second.code, 5);
    assert.equal(JSON.parse(second.stdout).id, first.id);
    assert.ok(!second.stdout.includes(first.secret));
    assert.match(second.stderr, /rotate/);
  });

  test('operators are made, given another token, and revoked', async () => {
    const id = `o-${unique()}`;
    const tokenFile = owner.file(`${id}.token`);
    const flags = ['--role', 'viewer', '--name', 'Anna', '--new-token-file', tokenFile];
    await owner.does('operator', 'create', id, ...flags);
    const viewer = new Terminal();
    const token = readFileSync(tokenFile, 'utf8').trim();
    await viewer.logIn(server, token);
    const refused = await viewer.run(['client', 'create', 'no']);
    assert.equal(refused.code, 3);
    assert.match(refused.stderr, /ROLE_INSUFFICIENT/);
    const rotated = await owner.asks('operator', 'rotate', id, '--expires', '+1d');
    assert.equal((await viewer.run(['client', 'list'])).code, 3);
    await viewer.logIn(server, rotated.token);
    await owner.does('operator', 'revoke', id);
    assert.equal((await viewer.run(['client', 'list'])).code, 3);
    await owner.does('operator', 'delete', id);
  });

  test('the audit tells of it, with filters', async () => {
    const { client } = await makeClient();
    const entries = await owner.asks('audit', 'list', '--target', `client:${client}`);
    assert.equal(entries.length, 1);
    assert.equal(entries[0].action, 'client.create');
    assert.equal(entries[0].actor, `operator:${server.operators.owner.id}`);
    const none = ['--target', `client:${client}`, '--until', '2020-01-01'];
    assert.deepEqual(await owner.asks('audit', 'list', ...none), []);
  });
});

suite('what a key may see', () => {
  test('explained by its id and by its token', async () => {
    const { client, plan } = await makeClient();
    const key = `k-${client}`;
    await owner.does('subscription', 'create', '--client', client, '--plan', plan);
    const { secret } = await owner.asks('key', 'create', key, '--client', client, '--all-accounts');
    const { stdout: token } = await owner.run(['session', 'create'], secret);
    const byKey = await owner.asks('explain', '#RBRD', '--key', key);
    assert.equal(byKey.outcome, 'OUTCOME_GRANTED');
    assert.equal(byKey.findings[0].plan_id, plan);
    const byToken = await owner.run(['explain', '#RBRD', '--session-file', '-'], token);
    assert.equal(byToken.code, 0, byToken.stderr);
    assert.match(byToken.stdout, /SEES +mic:#RBRD=DEPTH_OF_MARKET/);
    assert.match(byToken.stdout, /decides +mic:#RBRD=DEPTH_OF_MARKET/);
    assert.match(await owner.does('explain', 'XNAS', '--key', key), /OUTCOME +nothing/);

    const inspected = await owner.run(['token', 'inspect', '-o', 'json'], token);
    assert.equal(JSON.parse(inspected.stdout).payload.key, key);
    assert.match((await owner.run(['token', 'inspect'], token)).stdout, /LIFE +ends in \d+ s/);
    assert.equal((await owner.run(['token', 'inspect'], 'nonsense')).code, 2);
  });
});

suite('output', () => {
  test('YAML, JSON and tables say the same', async () => {
    const { client } = await makeClient();
    const json = await owner.asks('client', 'get', client);
    assert.deepEqual(parse(await owner.does('client', 'get', client, '-o', 'yaml')), json);
    owner.env.PROPUSK_OUTPUT = 'json';
    assert.deepEqual(JSON.parse(await owner.does('client', 'get', client)), json);
    delete owner.env.PROPUSK_OUTPUT;
    const table = await owner.does('client', 'get', client);
    assert.match(table, /^NAME +Акме$/m);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
    assert.doesNotMatch(table, /\u001b/);
    assert.equal((await owner.run(['client', 'list', '-o', 'xml'])).code, 2);
  });
});

suite('exit codes', () => {
  test('say what was wrong', async () => {
    const { client } = await makeClient();
    const codeOf = async (...args: string[]) => (await owner.run(args)).code;
    assert.equal(await codeOf('client', 'get', 'nobody'), 4);
    assert.equal(await codeOf('client', 'create', client), 5);
    assert.equal(await codeOf('client', 'delete', client), 5);
    assert.equal(await codeOf('client', 'update', client, '--name', 'x', '--if-version', '1'), 5);
    assert.equal(await codeOf('client', 'update', client), 2);
    assert.equal(await codeOf('client', 'create', 'a b'), 2);
    assert.equal(await codeOf('client', 'create', '--nonsense'), 2);
    const nobody = ['--server', 'http://127.0.0.1:1', '--token-file', owner.file('t', 'token')];
    assert.equal(await codeOf('status', ...nobody), 6);
    const { code, stderr } = await owner.run(['client', 'create', 'a b']);
    assert.equal(code, 2);
    assert.match(stderr, /client\.id/, 'the field is named');
  });

  test('come with what to do, in words', async () => {
    const inside = `127.0.0.1:${server.server.internalPort}`;
    const outside = `http://127.0.0.1:${server.server.port}`;
    const { token } = server.operators.owner;
    const good = owner.file('good.token', token);
    const typo = owner.file(
      'typo.token',
      `${token.slice(0, -1)}${token.endsWith('a') ? 'b' : 'a'}`,
    );
    const cases: [line: string, code: number, expected: RegExp][] = [
      ['key', 2, /see propusk key --help/],
      ['key lst', 2, /Did you mean list\?.* see propusk key --help/],
      ['kye list', 2, /Did you mean key\?.* see propusk --help/],
      ['client get', 2, /'id'; see propusk client get --help/],
      ['apply', 2, /see propusk apply --help/],
      ['client list --limit 0', 2, /--limit: "0" is not a whole number/],
      ['audit list --since yesterday', 2, /--since: "yesterday" is not an instant/],
      ['key rotate k --overlap long', 2, /--overlap: "long" is not a duration/],
      ['key rotate k --overlap 99d', 2, /^propusk: overlap is not from 0 to 30 days \(\w+\)\n$/],
      [`client list --token-file ${typo}`, 2, /the operator's token has a typo/],
      [
        'client list --token-file /nowhere/x',
        2,
        /\/nowhere\/x cannot be read: there is no such file/,
      ],
      ['client create x --output xml', 2, /--output: "xml" is none of table, json, yaml/],
      [`login ${outside} --token-file ${good}`, 4, /administration on its internal port/],
      [`login https://${inside} --token-file ${good}`, 6, /does it speak TLS\?.* http:/],
      ['status --server http://127.0.0.1:1', 2, /not logged in to http:\/\/127.0.0.1:1/],
    ];
    for (const [line, code, expected] of cases) {
      const ran = await owner.run(line.split(' '));
      assert.deepEqual([ran.code, ran.stdout], [code, ''], `${line}: ${ran.stderr}`);
      assert.match(ran.stderr, expected, line);
    }
    const secretless = [
      'key',
      'create',
      '--client',
      'c',
      '--all-accounts',
      '--secret-file',
      '/nowhere/s',
    ];
    assert.match((await owner.run(secretless)).stderr, /there is no such folder/);
    const help = await runProgram(['help', 'key', 'rotate']);
    assert.deepEqual([help.code, help.stdout.slice(0, 25)], [0, 'Usage: propusk key rotate']);
    assert.match((await runProgram(['help', 'serve'])).stdout, /--internal-listen/);
  });

  test('and the program itself ends with them', async () => {
    const env = { ...owner.env, PROPUSK_OUTPUT: 'json' };
    const good = await runProgram(['status'], { env });
    assert.deepEqual([good.code, good.stderr], [0, '']);
    assert.equal(JSON.parse(good.stdout).mode, 'serve');
    const bad = await runProgram(['client', 'get', 'nobody'], { env });
    assert.deepEqual([bad.code, bad.stdout], [4, '']);
    assert.match(bad.stderr, /^propusk: .*\n$/);
  });
});
