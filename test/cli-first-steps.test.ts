/** From an empty server to a token's details: by one command after the other, and by one file. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { runProgram, type ServeInChild, startServeApart } from './start.ts';
import { Terminal } from './terminal.ts';

/** What both ways lead to. */
const FILE = `version: 1
plans:
  - id: moex
    name: Moscow Exchange
    permissions:
      - { quote_level: QUOTE_LEVEL_DEPTH_OF_MARKET, mic: "#RBRD" }
      - { quote_level: QUOTE_LEVEL_LAST_PRICE, delay_minutes: 15, worldwide: true }
clients:
  - id: acme
    name: Acme Trading
    accounts: [{ id: "1899011" }, { id: "TRQD05:146559", readonly: true }]
    subscriptions:
      - { id: acme-moex, plan_id: moex, starts_at: "2026-01-01T00:00:00Z" }
    keys:
      - id: acme-bot
        label: Bot
        account_ids: ["1899011"]
        calls_per_minute: { Auth: 20 }
        source_networks: [127.0.0.0/8]
`;

/** Makes the first owner of a server that runs, and logs in as it. */
async function begin({ env, url, internalUrl }: ServeInChild): Promise<Terminal> {
  const terminal = new Terminal();
  const { code, stdout, stderr } = await runProgram(['bootstrap', '--name', 'Anna'], { env });
  assert.equal(code, 0, stderr);
  const token = terminal.file('owner.token', stdout);
  const login = ['login', internalUrl, '--api', url, '--token-file', token];
  const { code: loggedIn, stderr: why } = await runProgram(login, { env: terminal.env });
  assert.equal(loggedIn, 0, why);
  assert.equal(await terminal.does('export'), 'version: 1\nplans: []\nclients: []\n');
  return terminal;
}

/** Signs in with the key's secret and reads what its token may do. */
async function details(terminal: Terminal, secret: string): Promise<Record<string, unknown>> {
  const signedIn = await terminal.run(['session', 'create'], secret);
  assert.equal(signedIn.code, 0, signedIn.stderr);
  const read = await terminal.run(['token', 'details', '--output', 'json'], signedIn.stdout);
  assert.equal(read.code, 0, read.stderr);
  return JSON.parse(read.stdout);
}

test('commands alone and one file lead from an empty server to the same', async () => {
  await using first = await startServeApart();
  await using second = await startServeApart();
  const [byCommands, byFile] = [await begin(first), await begin(second)];

  const commands = [
    "plan create moex --name 'Moscow Exchange' --permission mic:#RBRD=DEPTH_OF_MARKET " +
      '--permission worldwide=LAST_PRICE@15',
    "client create acme --name 'Acme Trading'",
    'account create 1899011 --client acme',
    'account create TRQD05:146559 --client acme --readonly',
    'subscription create acme-moex --client acme --plan moex --from 2026-01-01',
  ];
  for (const line of commands) {
    const words = line.match(/'[^']*'|\S+/g) ?? [];
    await byCommands.does(...words.map((word) => word.replaceAll("'", '')));
  }
  const secretFile = byCommands.file('bot.secret');
  const scope = ['--client', 'acme', '--label', 'Bot', '--account', '1899011'];
  const limits = ['--calls', 'Auth=20', '--source', '127.0.0.0/8'];
  const place = ['--secret-file', secretFile];
  await byCommands.does('key', 'create', 'acme-bot', ...scope, ...limits, ...place);

  const secretsFile = byFile.file('secrets');
  await byFile.does(
    ...['apply', '-f', byFile.file('clients.yaml', FILE), '--secrets-file', secretsFile],
  );

  const [{ secret }] = [JSON.parse(readFileSync(secretsFile, 'utf8'))];
  const seen = [
    await details(byCommands, readFileSync(secretFile, 'utf8')),
    await details(byFile, secret),
  ];
  for (const { account_ids, md_permissions, readonly } of seen) {
    assert.deepEqual(account_ids, ['1899011']);
    assert.equal((md_permissions as unknown[]).length, 2);
    assert.equal(readonly, false);
  }
  const exported = await byFile.does('export');
  assert.equal(await byCommands.does('export'), exported);
  assert.match(exported, /id: acme-bot/);
  const verified = await runProgram(['audit', 'verify'], { env: first.env });
  assert.equal(verified.code, 0, verified.stdout + verified.stderr);
});
