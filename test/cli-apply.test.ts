/** Files: what they make a server hold, what they leave alone, and what they are refused for. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import { parse, stringify } from 'yaml';
import { AdministeredServer } from './administration.ts';
import { unique } from './start.ts';
import { Terminal } from './terminal.ts';

let server: AdministeredServer;
const owner = new Terminal();

before(async () => {
  server = await AdministeredServer.start();
  await owner.logIn(server, server.operators.owner.token);
});
after(() => server[Symbol.asyncDispose]());

interface Content {
  version: 1;
  plans?: object[];
  clients?: { id: string; [list: string]: unknown }[];
}

/** A plan and clients who have it, each with an account and a key. */
function content(word: string, count: number): Required<Content> {
  const each = (i: number) => ({
    id: `${word}-${i}`,
    name: `Client ${i}`,
    accounts: [{ id: `${word}-a${i}`, readonly: false }],
    subscriptions: [
      { id: `${word}-s${i}`, plan_id: `${word}-plan`, starts_at: '2026-01-01T00:00:00Z' },
    ],
    keys: [{ id: `${word}-k${i}`, label: 'Bot', all_accounts: true }],
  });
  const permissions = [{ quote_level: 'QUOTE_LEVEL_DEPTH_OF_BOOK', mic: '#RBRD' }];
  return {
    version: 1,
    plans: [{ id: `${word}-plan`, name: 'Plan', permissions }],
    clients: Array.from({ length: count }, (_, i) => each(i)),
  };
}

const files = { count: 0 };

/** Runs apply on a file with this content. */
function apply(value: unknown, ...flags: string[]) {
  const text = typeof value === 'string' ? value : stringify(value);
  const file = owner.file(`apply-${files.count++}.yaml`, text);
  return owner.run(['apply', '-f', file, ...flags]);
}

/** The same for programs: the changes that there were. */
async function changesOf(value: unknown, ...flags: string[]) {
  const { code, stdout, stderr } = await apply(value, ...flags, '--output', 'json');
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout).changes as { verb: string; kind: string; id: string }[];
}

const verbs = (changes: { verb: string; kind: string }[]) =>
  changes.map(({ verb, kind }) => `${verb} ${kind}`).sort();
const secretsFile = () => ['--secrets-file', owner.file(`secrets-${files.count++}`)] as const;

suite('apply', () => {
  test('makes a server hold what a file says, once', async () => {
    const wanted = content(unique(), 2);
    const planned = await changesOf(wanted, '--dry-run');
    assert.equal(planned.length, 9);
    const [client] = wanted.clients;
    assert.equal((await owner.run(['client', 'get', client?.id ?? ''])).code, 4, 'only planned');
    assert.equal((await apply(wanted)).code, 2, 'nowhere to put the secrets');
    assert.equal((await owner.run(['client', 'get', client?.id ?? ''])).code, 4, 'nothing is made');

    const [flag, file] = secretsFile();
    const made = await apply(wanted, flag, file);
    assert.equal(made.code, 0, made.stderr);
    assert.match(made.stdout, /^\+ plan /);
    assert.match(made.stdout, /clients: 2 to create/);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const secrets = readFileSync(file, 'utf8').trim().split('\n');
    assert.equal(secrets.length, 2);
    for (const line of secrets) {
      const { secret, key_id } = JSON.parse(line);
      assert.ok(!made.stdout.includes(secret) && !made.stderr.includes(secret));
      const { stdout } = await owner.run(['session', 'create'], secret);
      const details = await owner.run(['token', 'details', '-o', 'json'], stdout);
      assert.equal(JSON.parse(details.stdout).account_ids.length, 1, key_id);
    }
    assert.deepEqual(await changesOf(wanted), []);
    assert.deepEqual(await changesOf(JSON.stringify(wanted)), [], 'JSON is read as well');
  });

  test('changes what differs, and only that', async () => {
    const wanted = content(unique(), 2);
    await apply(wanted, ...secretsFile());
    const [first, second] = wanted.clients as Record<string, unknown>[];
    Object.assign(first ?? {}, { name: 'Another' });
    const [key] = (second?.keys ?? []) as object[];
    const limits = { calls_per_minute: { Auth: 7 }, expires_at: '2099-01-01T03:00:00+03:00' };
    Object.assign(key ?? {}, limits, { source_networks: ['2001:DB8::/32', '10.0.0.1/32'] });
    const [subscription] = (second?.subscriptions ?? []) as { starts_at?: string }[];
    delete subscription?.starts_at;
    const changes = await changesOf(wanted);
    assert.deepEqual(verbs(changes), ['update client', 'update key']);
    assert.deepEqual(await changesOf(wanted), []);
    const held = await owner.asks('key', 'get', (key as { id: string }).id);
    assert.deepEqual(held.calls_per_minute, { Auth: 7 });
    assert.deepEqual(held.source_networks.toSorted(), ['10.0.0.1', '2001:db8::/32']);
    assert.equal(held.expires_at, '2099-01-01T00:00:00Z');
    Object.assign(key ?? {}, { calls_per_minute: {} });
    delete (key as { expires_at?: string }).expires_at;
    assert.deepEqual(verbs(await changesOf(wanted)), ['update key']);
    assert.equal(
      (await owner.asks('key', 'get', (key as { id: string }).id)).expires_at,
      undefined,
    );
  });

  test('refuses a file that it cannot mean, with every line', async () => {
    const cases: [string, RegExp[]][] = [
      ['version: 1\nclients: [', [/:2: /]],
      ['version: 1\nversion: 1\n', [/:2: .*unique/i]],
      ['version: 2\n', [/:1: version must be 1/]],
      [
        'version: 1\nclients:\n  - id: 1899011\n    acounts: []\n',
        [/:3: clients\[0\]\.id must be text; put it in quotes/, /:4: .*acounts is not known/],
      ],
      [
        'version: 1\nclients:\n  - id: a\n  - id: a\n',
        [/:4: clients\[1\] client a is there twice/],
      ],
      [
        'version: 1\nclients:\n- id: a\n  keys:\n  - id: k\n',
        [/:5: .*key k needs either all_accounts: true or account_ids/],
      ],
      [
        'version: 1\nclients:\n- id: a\n  subscriptions:\n  - {id: s, plan_id: p, ends_at: "2027-13-01T00:00:00Z"}\n',
        [/:5: /],
      ],
      ['', [/:1: must be names with values/]],
    ];
    for (const [text, expected] of cases) {
      const { code, stderr } = await apply(text);
      assert.equal(code, 2, `${text}: ${stderr}`);
      for (const each of expected) assert.match(stderr, each);
    }
    assert.equal((await owner.run(['apply', '-f', owner.file('absent')])).code, 2);
  });

  test('refuses what cannot be: what is missing, what belongs to another, what is revoked', async () => {
    const word = unique();
    await apply(content(word, 1), ...secretsFile());
    const client = (lists: object) => ({ version: 1, clients: [{ id: `${word}-new`, ...lists }] });
    const cases: [object, RegExp][] = [
      [client({ subscriptions: [{ id: 's', plan_id: 'nowhere' }] }), /plan nowhere/],
      [client({ keys: [{ id: 'k', account_ids: [`${word}-a0`] }] }), /account .* does not have/],
      [client({ accounts: [{ id: `${word}-a0` }] }), /belongs to client .*cannot be moved/],
    ];
    for (const [value, expected] of cases) {
      const { code, stderr } = await apply(value, ...secretsFile());
      assert.equal(code, 5, stderr);
      assert.match(stderr, expected);
    }
    await owner.does('key', 'revoke', `${word}-k0`);
    const revoked = await apply(content(word, 1));
    assert.equal(revoked.code, 5);
    assert.match(revoked.stderr, /revoked for good/);
    assert.ok(!(await owner.does('export')).includes(`${word}-k0`));
  });

  test('a command takes the secrets; one that fails is told', async () => {
    const taken = owner.file('taken');
    const wanted = content(unique(), 3);
    const flags = ['--secrets-command', `cat > '${taken}'`];
    const good = await apply(wanted, ...flags);
    assert.equal(good.code, 0, good.stderr);
    assert.equal(readFileSync(taken, 'utf8').trim().split('\n').length, 3);
    const bad = await apply(content(unique(), 1), '--secrets-command', 'cat >/dev/null; exit 3');
    assert.equal(bad.code, 8);
    assert.match(bad.stderr, /did not take all secrets: it ended with code 3/);
  });

  test('a file for secrets is made before anything is changed, and none is left empty', async () => {
    const word = unique();
    const there = owner.file('there', 'kept');
    const refused = await apply(content(word, 1), '--secrets-file', there);
    assert.equal(refused.code, 2);
    assert.equal(readFileSync(there, 'utf8'), 'kept');
    assert.equal((await owner.run(['client', 'get', `${word}-0`])).code, 4);
    const viewer = new Terminal();
    await viewer.logIn(server, server.operators.viewer.token);
    const [file, secrets] = [viewer.file('c.yaml', stringify(content(word, 1))), viewer.file('s')];
    const forbidden = await viewer.run(['apply', '-f', file, '--secrets-file', secrets]);
    assert.equal(forbidden.code, 3, forbidden.stderr);
    assert.match(forbidden.stderr, /0 of 5 changes were made/);
    assert.ok(!existsSync(secrets));
  });
});

suite('apply on a server of its own', () => {
  test('deletes only when asked, and of lists that are left out nothing', async () => {
    await using own = await AdministeredServer.start();
    const terminal = new Terminal();
    await terminal.logIn(own, own.operators.owner.token);
    const all = terminal.file('all', stringify(content('d', 1)));
    await terminal.does('apply', '-f', all, '--secrets-file', terminal.file('secrets'));
    const some = terminal.file(
      'some',
      stringify({ version: 1, clients: [{ id: 'd-0', keys: [] }] }),
    );
    const kept = await terminal.does('apply', '-f', some);
    assert.match(kept, /keys: 1 not in the file, and kept/);
    assert.doesNotMatch(kept, /accounts|subscriptions|plans/);
    assert.equal((await terminal.asks('key', 'list')).length, 1);
    const { changes } = await terminal.asks('apply', '-f', some, '--prune', '--dry-run');
    assert.deepEqual(changes, [{ verb: 'delete', kind: 'key', id: 'd-k0', client_id: 'd-0' }]);
    await terminal.does('apply', '-f', some, '--prune', '--yes');
    assert.deepEqual(await terminal.asks('key', 'list'), []);
    assert.equal((await terminal.asks('account', 'list')).length, 1);
    await terminal.does('apply', '-f', terminal.file('none', 'version: 1\n'), '--prune');
    assert.equal((await terminal.asks('client', 'list')).length, 1, 'no list, nothing to prune');
    const empty = terminal.file('empty', 'version: 1\nclients: []\nplans: []\n');
    await terminal.does('apply', '-f', empty, '--prune', '--yes');
    assert.equal(await terminal.does('export'), 'version: 1\nplans: []\nclients: []\n');
  });

  test('over a tenth is not deleted without --yes; export gives back what was applied', async () => {
    await using own = await AdministeredServer.start();
    const terminal = new Terminal();
    await terminal.logIn(own, own.operators.owner.token);
    const write = (name: string, value: unknown) => terminal.file(name, stringify(value));
    const all = content('w', 20);
    const secrets = terminal.file('secrets');
    await terminal.does('apply', '-f', write('all', all), '--secrets-file', secrets);

    const clients = all.clients.slice(0, 18);
    const tenth = write('tenth', { ...all, clients });
    const fewer = write('fewer', { ...all, clients: clients.slice(0, 14) });
    await terminal.does('apply', '-f', tenth, '--prune');
    assert.equal((await terminal.asks('client', 'list')).length, 18);
    const refused = await terminal.run(['apply', '-f', fewer, '--prune']);
    assert.equal(refused.code, 7);
    assert.match(refused.stderr, /4 of 18 clients/);
    assert.equal((await terminal.asks('client', 'list')).length, 18);
    await terminal.does('key', 'revoke', 'w-k17');
    await terminal.does('apply', '-f', fewer, '--prune', '--yes');
    assert.equal((await terminal.asks('client', 'list')).length, 14);
    assert.equal((await terminal.asks('key', 'list')).length, 14);

    const exported = await terminal.does('export');
    const again = terminal.file('exported', exported);
    assert.match(await terminal.does('apply', '-f', again, '--prune'), /Nothing to change/);
    assert.deepEqual(parse(await terminal.does('export', '-o', 'json')), parse(exported));
    assert.equal(parse(exported).clients.length, 14);
  });
});
