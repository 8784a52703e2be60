/** Behind trusted proxies: who called them is who calls, in records, log and limits alike. */
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, test } from 'node:test';
import { type CallOptions, type Client, failureOf, type Headers } from './clients/client.ts';
import { Four, inEach } from './clients/four.ts';
import { figuresOf, Scene } from './limits-scene.ts';
import { talk } from './raw.ts';
import { type InProcess, startHere, unique } from './start.ts';
import { claimsOf } from './steps.ts';
import { lineOf, until } from './wait.ts';

const LOOPBACK = ['--trusted-proxy', '127.0.0.0/8'];
const server = await startHere([...LOOPBACK, '--trusted-proxy', '10.0.0.0/8']);
const four = new Four(server);
const open = await startHere();
const openFour = new Four(open);
after(async () => {
  await four[Symbol.asyncDispose]();
  await openFour[Symbol.asyncDispose]();
  await server.stop();
  await open.stop();
});

function from(list: string): CallOptions {
  return { metadata: { 'x-forwarded-for': list } };
}

/** Signs in, and tells the address that the session, its audit entry and the log have. */
async function seenBy(to: InProcess, client: Client, metadata: Record<string, string>) {
  const requestId = unique();
  const token = await client.auth(to.secret, '', {
    metadata: { ...metadata, 'x-request-id': requestId },
  });
  const id = claimsOf(token).jti;
  const session = await to.server.store.session(id);
  const entries = await to.server.store.audit(0, 100_000);
  const entry = entries.find(({ target }) => target === `session:${id}`);
  const { remote } = await lineOf(to.log, requestId);
  assert.equal(entry?.remoteAddress, session?.remoteAddress);
  assert.equal(remote, session?.remoteAddress);
  return remote;
}

inEach(four.all, 'session, audit and log have the address that a proxy tells', async (client) => {
  for (const [header, text, expected] of [
    ['x-forwarded-for', '192.0.2.1', '192.0.2.1'],
    ['x-forwarded-for', '192.0.2.9, 2001:DB8::1, 10.0.0.7', '2001:db8::1'],
    ['x-forwarded-for', 'nonsense, 10.0.0.7', '10.0.0.7'],
    [
      'forwarded',
      'for=192.0.2.9, for="[2001:db8::1]:4711";proto=https, for=10.0.0.7',
      '2001:db8::1',
    ],
    ['forwarded', 'for=unknown', '127.0.0.1'],
    ['x-real-ip', '192.0.2.1', '127.0.0.1'],
  ] as const) {
    assert.equal(await seenBy(server, client, { [header]: text }), expected, text);
  }
  const both = { 'x-forwarded-for': '192.0.2.1', forwarded: 'for=192.0.2.9' };
  assert.equal(await seenBy(server, client, both), '127.0.0.1');
});

inEach(openFour.all, 'who is no trusted proxy is not believed', async (client) => {
  const headers = { 'x-forwarded-for': '192.0.2.1', forwarded: 'for=192.0.2.1' };
  assert.equal(await seenBy(open, client, headers), '127.0.0.1');
});

test('a header on several lines is one list', async () => {
  for (const [name, values] of [
    ['x-forwarded-for', ['192.0.2.9', '192.0.2.1, 10.0.0.7']],
    ['forwarded', ['for=192.0.2.9', 'for=192.0.2.1, for=10.0.0.7']],
  ] as const) {
    const lines = values.map((value) => `${name}: ${value}\r\n`).join('');
    const id = unique();
    const head = `GET /nowhere HTTP/1.1\r\nhost: a\r\nx-request-id: ${id}\r\nconnection: close\r\n`;
    assert.match((await talk(server.port, [`${head}${lines}\r\n`])).text, /^HTTP\/1.1 404 /);
    assert.equal((await lineOf(server.log, id)).remote, '192.0.2.1');
    const other = unique();
    const headers = { [name]: values, 'x-request-id': other } as unknown as Headers;
    assert.equal((await four.rest2.send('GET', '/nowhere', { headers })).status, 404);
    assert.equal((await lineOf(server.log, other)).remote, '192.0.2.1');
  }
});

test('requests that lead nowhere are logged with it as well', async () => {
  const headers = { 'x-forwarded-for': '192.0.2.1', 'x-request-id': 'nowhere' };
  assert.equal((await four.rest1.send('GET', '/nowhere', { headers })).status, 404);
  assert.equal((await lineOf(server.log, 'nowhere')).remote, '192.0.2.1');
});

test('those behind a proxy have each a budget of failed calls; an IPv6 user has one', async () => {
  await using scene = await Scene.start([...LOOPBACK, '--address-calls-max', '4']);
  const { all, grpc, web } = scene.four;
  const guess = async (client: Client, address: string) => {
    const failure = await failureOf(client.auth('psk_guess', '', from(address)));
    return [failure.code, figuresOf(failure.headers).remaining];
  };
  for (const [i, client] of all.entries()) {
    assert.deepEqual(await guess(client, `2001:db8:0:1::${i}:7`), [16, 3 - i], client.name);
  }
  for (const client of all) {
    assert.deepEqual(await guess(client, '2001:db8:0:1:ffff::'), [8, 0], client.name);
  }
  assert.deepEqual(await guess(grpc, '2001:db8:0:2::7'), [16, 3]);
  assert.deepEqual(await guess(grpc, '192.0.2.1'), [16, 3]);
  assert.deepEqual(await guess(web, '::ffff:192.0.2.1'), [16, 2]);
  // Whoever has a key goes on, wherever they are.
  for (const client of all) {
    assert.ok(await client.auth(scene.server.secret, '', from('2001:db8:0:1::7')), client.name);
  }
});

test('guesses from very many addresses take no room from those who have a key', async () => {
  await using scene = await Scene.start([...LOOPBACK, '--callers-max', '2']);
  const { all, rest1 } = scene.four;
  const codeOf = async (address: string) =>
    (await failureOf(rest1.auth('psk_guess', '', from(address)))).code;
  assert.deepEqual(await Promise.all(['192.0.2.1', '192.0.2.2'].map(codeOf)), [16, 16]);
  assert.equal(await codeOf('192.0.2.3'), 14);
  for (const client of all) assert.ok(await client.auth(scene.server.secret));
});

/** How many of so many connections the server keeps. */
async function kept(port: number, connections: number): Promise<number> {
  const sockets = Array.from({ length: connections }, () => net.connect(port, '127.0.0.1'));
  let closed = 0;
  for (const socket of sockets) socket.on('error', () => {}).on('close', () => closed++);
  const answered = sockets.map(
    (socket) =>
      new Promise<void>((resolve) => {
        socket.once('data', () => resolve()).once('close', () => resolve());
        socket.write('GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n');
      }),
  );
  await Promise.all(answered);
  const left = connections - closed;
  for (const socket of sockets) socket.destroy();
  await until('the end of all', () => closed === connections);
  return left;
}

test('an address has so many connections, a trusted proxy as many as there are', async () => {
  const flags = ['--connections-per-address-max', '3'];
  await using strict = await startHere(flags);
  assert.equal(await kept(strict.port, 8), 3);
  await using trusting = await startHere([...flags, ...LOOPBACK]);
  assert.equal(await kept(trusting.port, 8), 8);
});
