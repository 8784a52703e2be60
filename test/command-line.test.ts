/** The program as people start it: what it says when it cannot, and what stays between starts. */
import assert from 'node:assert/strict';
import { statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { suite, test } from 'node:test';
import { SERVER_COMMANDS } from '../cli/server-commands.ts';
import { readCommandLine } from '../src/config.ts';
import { DATABASE_COMMANDS } from '../src/database-commands.ts';
import type { Setting } from '../src/setting.ts';
import { SETTINGS } from '../src/settings.ts';
import { Rest1Client } from './clients/rest.ts';
import { runProgram, startDev, temporaryFolder } from './start.ts';

/** Cannot start: exit code 2, nothing on stdout, these lines and no more, no stack trace. */
function assertUnusable(
  { code, stdout, stderr }: Awaited<ReturnType<typeof runProgram>>,
  ...expected: readonly RegExp[]
): void {
  assert.equal(code, 2, stderr);
  assert.equal(stdout, '');
  const lines = stderr.trimEnd().split('\n');
  assert.equal(lines.length, expected.length, stderr);
  for (const [i, line] of lines.entries()) {
    assert.ok(line.startsWith('propusk: '), line);
    assert.match(line, expected[i] ?? /^$/);
  }
}

suite('the command line', { concurrency: 4 }, () => {
  test('an unknown flag or command', async () => {
    assertUnusable(await runProgram(['dev', '--liste=x']), /unknown option.*--listen/);
    assertUnusable(await runProgram(['nonsense']), /unknown command 'nonsense'/);
  });

  test('every bad value, by flag or by environment, all in one go', async () => {
    const args = ['dev', '--session-ttl=soon', '--deadline-ms-max=0', '--tls-cert=x.pem'];
    const env = { PROPUSK_LISTEN: 'nowhere', PROPUSK_CORS_ORIGIN: '*' };
    const expected = [
      /PROPUSK_LISTEN: /,
      /--session-ttl: /,
      /PROPUSK_CORS_ORIGIN: /,
      /--tls-key/,
      /--deadline-ms-max: "0" is not METHOD=MS/,
    ];
    assertUnusable(await runProgram(args, { env }), ...expected);
  });

  test('a port that is taken', async () => {
    const taken = net.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as net.AddressInfo;
    const args = ['dev', '--data', temporaryFolder(), '--listen', `127.0.0.1:${port}`];
    assertUnusable(await runProgram(args), /the port is taken/);
    taken.close();
  });

  test('a database that is none', async () => {
    const folder = temporaryFolder();
    const file = path.join(folder, 'propusk.db');
    writeFileSync(file, 'this is no database, but it is long enough\n'.repeat(50));
    const run = await runProgram(['dev', '--listen', '127.0.0.1:0', '--data', folder]);
    assertUnusable(run, /propusk\.db is not an SQLite database/);
  });

  test('serve without what it needs', async () => {
    const expected = [/--database is missing/, /PROPUSK_MASTER_KEY or --master-key-file/];
    assertUnusable(await runProgram(['serve']), ...expected);
  });

  for (const mode of ['dev', 'serve'] as const) {
    test(`${mode} --help has every flag with its variable, and exits with 0`, async () => {
      const { code, stdout, stderr } = await runProgram([mode, '--help']);
      assert.deepEqual([code, stderr], [0, '']);
      const text = stdout.replaceAll(/\s+/g, ' ');
      const [, example = ''] = /Example: propusk (.*)$/.exec(text) ?? [];
      const read = readCommandLine(example.trim().split(' '), {}, '0');
      assert.equal(read.kind === 'run' && read.config.mode, mode);
      for (const row of Object.values(SETTINGS) as Setting<unknown>[]) {
        const [flag = ''] = row.flags.split(' ');
        const variable = `PROPUSK_${flag.slice(2).replaceAll('-', '_').toUpperCase()}`;
        const isHere = row.mode === undefined || row.mode === mode;
        assert.equal(text.includes(` ${row.flags} `), isHere, flag);
        assert.equal(text.includes(`${variable})`), isHere, variable);
        if (isHere && row.fallback !== undefined) {
          assert.ok(text.includes(`(default ${row.fallback}, ${variable})`), variable);
        }
      }
    });
  }

  test('help and version of the program', async () => {
    for (const args of [[], ['--help']]) {
      const { code, stdout, stderr } = await runProgram(args);
      assert.deepEqual([code, stderr], [0, '']);
      for (const mode of ['dev', 'serve']) assert.match(stdout, new RegExp(`^ +${mode} `, 'm'));
    }
    const ofDatabase = DATABASE_COMMANDS.map(({ words, summary }) => [words, summary]);
    assert.deepEqual(SERVER_COMMANDS.slice(2), ofDatabase, 'the one list knows of the other');
    const { code, stdout } = await runProgram(['--version']);
    assert.equal(code, 0);
    assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
  });

  test('a Node that is too old is told in one line, before anything else is loaded', async () => {
    for (const version of ['20.20.2', '25.9.0', '0.10.48']) {
      const code =
        `Object.defineProperty(process, 'versions', ` +
        `{ value: { ...process.versions, node: '${version}' } })`;
      const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}` };
      const run = await runProgram(['dev'], { env });
      assertUnusable(run, new RegExp(`needs Node 26 or newer, and this is ${version}`));
    }
  });

  test('the next start has the same secret, and the same data', async () => {
    const folder = path.join(temporaryFolder(), 'data');
    const first = await startDev({ folder, args: ['--drain-notice-ms', '20'] });
    const body = JSON.stringify({ secret: first.secret });
    const signIn = await new Rest1Client(first.url).send('POST', '/v1/sessions', { body });
    assert.equal(await first.stop('SIGINT'), 0);
    assert.doesNotMatch(first.output.stderr, /^ +at /m);

    const mode = (name: string) => statSync(path.join(folder, name)).mode & 0o777;
    assert.equal(mode('.'), 0o700);
    assert.equal(mode('master.key'), 0o600);
    assert.equal(mode('propusk.db'), 0o600);

    await using second = await startDev({ folder });
    assert.equal(second.secret, first.secret);
    const again = new Rest1Client(second.url);
    // The token of the first start is good in the second.
    const details = await again.send('POST', '/v1/sessions/details', { body: signIn.text });
    assert.deepEqual(JSON.parse(details.text).account_ids, ['1899011']);
    assert.equal((await again.send('POST', '/v1/sessions', { body })).status, 200);
  });

  test('the demo secret may be chosen', async () => {
    await using server = await startDev({ env: { PROPUSK_SECRET: 'chosen secret' } });
    assert.match(server.output.stdout, /demo secret +chosen secret\n/);
    const body = JSON.stringify({ secret: 'chosen secret' });
    const answer = await new Rest1Client(server.url).send('POST', '/v1/sessions', { body });
    assert.equal(answer.status, 200);
  });

  test('SIGTERM as soon as it has started ends it with 0', async () => {
    const server = await startDev({ args: ['--drain-notice-ms', '20'] });
    assert.equal(await server.stop('SIGTERM'), 0);
    assert.equal(server.output.stderr, '');
  });
});
