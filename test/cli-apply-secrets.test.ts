/** Where the secrets of new keys do not arrive: exactly the keys that it is about are told. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { stringify } from 'yaml';
import { AdministeredServer } from './administration.ts';
import { unique } from './start.ts';
import { type Ran, Terminal } from './terminal.ts';

const PROGRAM = path.join(import.meta.dirname, '..', 'bin', 'propusk.js');
/** More than what is made at a time. */
const KEYS = 100;
/** What is made at a time, and the first one by itself. */
const AT_RISK_MAX = 64;
const SECRETS_LOST = 8;
/** How the path of a key's creation begins. */
const NEW_KEY = '/admin/v1/keys?request_id=';

let server: AdministeredServer;
const owner = new Terminal();

before(async () => {
  server = await AdministeredServer.start();
  await owner.logIn(server, server.operators.owner.token);
});
after(() => server[Symbol.asyncDispose]());

/** A file of a new client with so many keys. */
function fileOf(client: string, count: number): string {
  const keys = Array.from({ length: count }, (_, i) => ({
    id: `${client}-${i}`,
    all_accounts: true,
  }));
  return owner.file(client, stringify({ version: 1, clients: [{ id: client, keys }] }));
}

const lines = (file: string) => readFileSync(file, 'utf8').split('\n').slice(0, -1);
const idsIn = (file: string) => lines(file).map((line) => JSON.parse(line).key_id as string);

/** The keys that there are. */
async function keysOf(client: string): Promise<string[]> {
  const keys: { id: string }[] = await owner.asks('key', 'list', '--client', client);
  return keys.map(({ id }) => id).sort();
}

/** The keys that are to be rotated, and the command lines for it. */
function told({ code, stderr }: Ran) {
  assert.equal(code, SECRETS_LOST, stderr);
  assert.doesNotMatch(stderr, /apply again/);
  const found = [
    ...stderr.matchAll(/^ {2}propusk (key rotate (\S+) --secret-file \2\.secret.*)$/gm),
  ];
  return {
    ids: found.map(([, , id]) => id as string).sort(),
    commands: found.map(([, line]) => line),
  };
}

/** Does what was told, and applies the rest. */
async function mend(client: string, file: string, ran: Ran): Promise<void> {
  for (const command of told(ran).commands) {
    const words = (command as string)
      .split(' ')
      .map((word) => word.replace(/^(.*\.secret)$/, owner.file('$1')));
    await owner.does(...words);
    const secret = readFileSync(words[4] as string, 'utf8');
    assert.equal((await owner.run(['session', 'create'], secret)).code, 0);
  }
  const rest = await owner.run(['apply', '-f', file, '--secrets-file', owner.file(unique())]);
  assert.equal(rest.code, 0, rest.stderr);
  assert.equal((await keysOf(client)).length, KEYS);
}

test('a command that ends in the middle: every key that it may not have kept is told', async () => {
  for (const [end, why] of [
    ['exit 1', /ended with code 1/],
    ['kill -9 $$', /ended with SIGKILL/],
    // Not a failure in its own eyes, and it left secrets unread.
    ['exit 0', /ended with code 0 before/],
  ] as const) {
    const client = `c${unique()}`;
    const file = fileOf(client, KEYS);
    const taken = owner.file(`taken-${client}`);
    const command = `for i in 1 2 3 4 5; do read -r line; echo "$line" >> '${taken}'; done; ${end}`;
    const ran = await owner.run(['apply', '-f', file, '--secrets-command', command]);
    assert.match(ran.stderr, why);
    const { ids } = told(ran);
    // What the command took before it failed it may have kept or not.
    assert.deepEqual(ids, await keysOf(client));
    assert.ok(idsIn(taken).every((id) => ids.includes(id)));
    if (end === 'exit 1') await mend(client, file, ran);
  }
});

test('a command whose disk is full, and one that there is not', async () => {
  for (const command of ['cat > /dev/full', 'propusk-no-such-command']) {
    const client = `c${unique()}`;
    const ran = await owner.run([
      'apply',
      '-f',
      fileOf(client, KEYS),
      '--secrets-command',
      command,
    ]);
    const made = await keysOf(client);
    if (made.length === 0) {
      // It was gone before the first key.
      assert.equal(ran.code, 1);
      assert.match(ran.stderr, /did not take all secrets[\s\S]*apply again/);
    } else assert.deepEqual(told(ran).ids, made);
  }
});

test('a file whose disk is full keeps what it took, and one part of the keys is at risk', async () => {
  const client = `c${unique()}`;
  const file = fileOf(client, KEYS);
  const secrets = owner.file(`secrets-${client}`);
  // Less than the secrets of one part.
  const limited = 'ulimit -f 4; exec "$@"';
  const args = [PROGRAM, 'apply', '-f', file, '--secrets-file', secrets];
  const env = { ...owner.env, PATH: process.env.PATH };
  const child = spawn('sh', ['-c', limited, 'sh', process.execPath, ...args], { env });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const code =
    child.exitCode ?? (await new Promise<number>((resolve) => child.once('exit', resolve)));
  const { ids } = told({ code, stdout, stderr });
  assert.match(stderr, /cannot be written/);
  assert.ok(ids.length <= AT_RISK_MAX);
  assert.deepEqual([...ids, ...idsIn(secrets)].sort(), await keysOf(client), 'and no other');
  for (const line of lines(secrets)) {
    const { secret } = JSON.parse(line);
    assert.equal((await owner.run(['session', 'create'], secret)).code, 0);
  }
  await mend(client, file, { code, stdout, stderr });
});

type Fate = 'answered' | 'lost' | 'unreachable';

/** What is between the program and the server, and loses what it is told to. */
async function between(fateOf: (target: string) => Fate) {
  const proxy = http.createServer(async (request, response) => {
    const fate = fateOf(request.url ?? '');
    if (fate === 'unreachable') return void request.socket.destroy();
    const { method, url, headers } = request;
    const body = await text(request);
    const asked = `http://127.0.0.1:${server.server.internalPort}${url}`;
    const authorization = headers.authorization ?? '';
    const answer = await fetch(asked, {
      method: method ?? 'GET',
      headers: { authorization },
      ...(body && { body }),
    });
    const answered = await answer.text();
    if (fate === 'lost') request.socket.destroy();
    else response.writeHead(answer.status).end(answered);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const { port } = proxy.address() as AddressInfo;
  const token = owner.file('token', server.operators.owner.token);
  return {
    flags: ['--server', `http://127.0.0.1:${port}`, '--token-file', token],
    [Symbol.dispose]() {
      proxy.closeAllConnections();
      proxy.close();
    },
  };
}

test('an answer that is lost on its way: the key is told, all others have their secrets', async () => {
  const client = `c${unique()}`;
  const lost = new Set<string>();
  using proxy = await between((target) => {
    if (!target.startsWith(NEW_KEY) || lost.size > 0) return 'answered';
    lost.add(target);
    return 'lost';
  });
  const secrets = owner.file(`secrets-${client}`);
  const file = fileOf(client, KEYS);
  const ran = await owner.run(['apply', '-f', file, '--secrets-file', secrets, ...proxy.flags]);
  const { ids } = told(ran);
  assert.equal(ids.length, 1);
  assert.match(ran.stderr, /lost with an answer/);
  assert.match(ran.stderr, / --server http\S+ --token-file \S+token$/m, 'the whole command line');
  const kept = existsSync(secrets) ? idsIn(secrets) : [];
  assert.deepEqual([...ids, ...kept].sort(), await keysOf(client));
});

test('a server that is gone for good: every key that may have been made is told', async () => {
  const client = `c${unique()}`;
  let made = 0;
  using proxy = await between((target) => {
    if (made > 20) return 'unreachable';
    if (!target.startsWith(NEW_KEY)) return 'answered';
    return ++made > 10 ? 'lost' : 'answered';
  });
  const secrets = owner.file(`secrets-${client}`);
  const file = fileOf(client, KEYS);
  const ran = await owner.run(['apply', '-f', file, '--secrets-file', secrets, ...proxy.flags]);
  const { ids } = told(ran);
  assert.match(ran.stderr, /No answer tells whether these keys were made/);
  const without = (await keysOf(client)).filter((id) => !idsIn(secrets).includes(id));
  assert.ok(without.length > 0 && without.every((id) => ids.includes(id)), 'all that are there');
  assert.ok(ids.length <= AT_RISK_MAX);
});

test('a key whose one answer is lost, and one whose file is on a full disk', async () => {
  const [client, other] = [`c${unique()}`, `c${unique()}`];
  await owner.does('client', 'create', client);
  let lost = 0;
  using proxy = await between((target) => {
    return target.startsWith(NEW_KEY) && lost++ === 0 ? 'lost' : 'answered';
  });
  const create = (id: string) => ['key', 'create', id, '--client', client, '--all-accounts'];
  const ran = await owner.run([...create(client), ...proxy.flags]);
  assert.equal(ran.code, 5);
  assert.match(
    ran.stderr,
    new RegExp(`if nobody has it: propusk key rotate ${client} --secret-file`),
  );

  const args = [PROGRAM, ...create(other), '--secret-file', owner.file('full.secret')];
  const env = { ...owner.env, PATH: process.env.PATH };
  const child = spawn('sh', ['-c', 'ulimit -f 0; exec "$@"', 'sh', process.execPath, ...args], {
    env,
  });
  const stderr = await text(child.stderr);
  assert.match(stderr, new RegExp(`propusk key rotate ${other} --secret-file ${other}.secret`));
  assert.ok(!existsSync(owner.file('full.secret')), 'no file without a secret');
  await owner.does('key', 'rotate', other);
});

test('Ctrl+C: no change is begun any more, and every key that is made has its secret', async () => {
  const client = `c${unique()}`;
  const secrets = owner.file(`secrets-${client}`);
  const args = [PROGRAM, 'apply', '-f', fileOf(client, 2000), '--secrets-file', secrets];
  const env = { ...owner.env, PATH: process.env.PATH };
  const child = spawn(process.execPath, args, { env });
  const ended = text(child.stderr);
  while ((await keysOf(client)).length < 10) assert.equal(child.exitCode, null);
  child.kill('SIGINT');
  assert.match(await ended, /interrupted\n\d+ of 2001 changes were made; apply again/);
  const made = await keysOf(client);
  assert.ok(made.length < 2000);
  assert.deepEqual(idsIn(secrets).sort(), made);
});
