/** Every program of examples/, run as its README says, and its word checked with the server. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Ran } from '../child.ts';
import { type InChild, startDev } from '../start.ts';
import { ACCOUNT, assertTraded, EXAMPLES, ordersOf, README, readonlySecret } from './examples.ts';
import { FOLDER, runTool, TOOL_PATH, tool } from './tools.ts';

/** The README's rows of programs: the folder, and how it is run once its packages are installed. */
const ROWS = [
  ...README.matchAll(/^\| \[([\w-]+)\]\(\1\) .*\| `(?:pip install .* && )?(.+)` +\|$/gm),
];
const COMMANDS = ROWS.map(([, folder = '', command = '']) => ({ folder, command }));

const ENVIRONMENT = {
  PATH: [path.join(FOLDER, 'python', 'bin'), TOOL_PATH].join(path.delimiter),
  // What is built already, from packages that are there already.
  CARGO_TARGET_DIR: path.join(FOLDER, 'cargo'),
  CARGO_NET_OFFLINE: 'true',
};

let server: InChild;

before(async () => {
  for (const name of ['jq', 'grpcurl', 'python']) tool(name);
  server = await startDev();
});

after(() => server.stop());

function run(command: string, env: Record<string, string>): Promise<Ran> {
  const line = `cd '${EXAMPLES}' && ${command}`;
  return runTool('bash', ['-c', line], { ...ENVIRONMENT, PROPUSK_URL: server.url, ...env });
}

test('the README names every example', () => {
  const folders = readdirSync(EXAMPLES, { withFileTypes: true }).filter((one) => one.isDirectory());
  // The page and the proxies have tests of their own.
  const others = ['browser', 'nginx', 'caddy', 'backend'];
  for (const name of others) assert.ok(README.includes(`](${name})`), name);
  const told = [...COMMANDS.map(({ folder }) => folder), ...others].sort();
  assert.deepEqual(told, folders.map(({ name }) => name).sort());
});

for (const { folder, command } of COMMANDS) {
  describe(folder, () => {
    test('signs in, places an order, reads it and cancels it', async () => {
      const earlier = await ordersOf(server);
      const settings = { PROPUSK_SECRET: server.secret, PROPUSK_ACCOUNT: ACCOUNT };
      const { code, stdout, stderr } = await run(command, settings);
      assert.equal(code, 0, stderr);
      await assertTraded(stdout, server, earlier);
    });

    test('tells why it could not sign in', async () => {
      const { code, stdout, stderr } = await run(command, { PROPUSK_SECRET: 'no such secret' });
      assert.match(stderr, /^SECRET_INVALID: \S/m);
      assert.deepEqual([code, stdout], [1, '']);
    });

    test('tells why it could not trade', async () => {
      const earlier = await ordersOf(server);
      const settings = { PROPUSK_SECRET: readonlySecret(server) };
      const { code, stdout, stderr } = await run(command, settings);
      assert.match(stderr, /^READONLY_SESSION: \S/m);
      assert.match(stdout, /^Accounts: \S+ \(read only\)$/m);
      assert.equal(code, 1);
      assert.deepEqual(await ordersOf(server), earlier);
    });
  });
}
