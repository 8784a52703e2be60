/**
 * Secrets and tokens planted wherever a client or a setting can put them, then looked for wherever
 * they must not be: the log, the output, the process list and the database. Each place has words of
 * its own, so that a failure says where the leak is.
 *
 * Two places are left out, since they exist to be kept: x-request-id and source_app_id.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createSecretKey, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { systemClock, systemRandom } from '../src/domain/clock.ts';
import { MasterKey, parseMasterKey } from '../src/domain/master-key.ts';
import { formatSecret } from '../src/domain/secret.ts';
import { signToken } from '../src/domain/token.ts';
import { openSigningKeys } from '../src/ops/signing-keys.ts';
import { openSqlite } from '../src/store/sqlite/sqlite.ts';
import { check, checkStream } from './access-scene.ts';
import { failureOf } from './clients/client.ts';
import { Four } from './clients/four.ts';
import { headersOf, PREFACE, pseudo } from './http2-frames.ts';
import { talk } from './raw.ts';
import { startDev } from './start.ts';
import { until } from './wait.ts';

const chosen = formatSecret(randomBytes(20));
const server = await startDev({ args: ['--secret', chosen, '--log-level', 'debug'] });
const four = new Four(server);
after(async () => {
  await four[Symbol.asyncDispose]();
  await server.stop('SIGKILL');
});
const banner = server.output.stdout;

/** What must be nowhere, by where it was planted. */
const planted = new Map<string, string>();

function plant(where: string, word: string): string {
  planted.set(where, word);
  return word;
}

/** A secret in our form that nobody has. */
function secret(where: string): string {
  const word = formatSecret(randomBytes(20));
  plant(`half a secret, ${where}`, word.slice(0, 20));
  return plant(`secret, ${where}`, word);
}

const foreignKey = { id: 'k', key: createSecretKey(randomBytes(32)) };

/** A token in our form that nobody signed. */
function token(where: string): string {
  const sessionId = randomBytes(16).toString('base64url');
  const claims = { clientId: 'c', sessionId, keyId: 'k', issuedAt: 1, expiresAt: 9_999_999_999 };
  return plant(`token, ${where}`, signToken(claims, foreignKey));
}

const both = [secret, token];
const SESSIONS = '/v1/sessions';
const DETAILS = '/v1/sessions/details';

test('successful calls', async () => {
  for (const client of four.all) {
    const good = plant(`a good token, ${client.name}`, await client.auth(chosen));
    plant(`its signature, ${client.name}`, good.split('.')[2] ?? '');
    assert.ok(await client.tokenDetails(good, { metadata: { authorization: `Bearer ${good}` } }));
  }
  for (const client of four.streaming) {
    const tokens = client.renewal(chosen);
    plant(`a renewed token, ${client.name}`, String((await tokens.next()).value));
    await tokens.return();
  }
});

test('refused calls, in their messages and metadata', async () => {
  for (const client of four.all) {
    for (const make of both) {
      const word = (where: string) => make(`${where}, ${client.name}`);
      const metadata = {
        authorization: `Bearer ${word('authorization')}`,
        'x-api-key': word('x-api-key'),
        cookie: `session=${word('cookie')}`,
        'x-custom-bin': Buffer.from(word('binary metadata')).toString('base64'),
      };
      await failureOf(client.auth(word('secret'), '', { metadata }));
      await failureOf(client.tokenDetails(word('token'), { metadata }));
      const tooLong = `${word('source_app_id')}${'x'.repeat(256)}`;
      await failureOf(client.auth(chosen, tooLong));
      for (const name of ['grpc-timeout', 'grpc-encoding']) {
        if (name === 'grpc-encoding' && client.protocol === 'rest') continue;
        await client.auth('x', '', { metadata: { [name]: word(name) } }).catch(() => {});
      }
    }
  }
  for (const client of four.streaming) {
    for (const make of both) {
      const word = (where: string) => make(`${where}, ${client.name}`);
      await failureOf(client.renewal(word('renewal')).next());
      await failureOf(client.check(word('health')));
    }
  }
});

test('checks of tokens, answered and refused', async () => {
  const operator = plant('the operator token', /pop_\w{26,}/.exec(banner)?.[0] ?? assert.fail());
  for (const client of four.all) {
    const good = plant(`a good token that is checked, ${client.name}`, await client.auth(chosen));
    assert.ok((await check(client, operator, { token: good })).allowed);
    for (const make of both) {
      const word = (where: string) => make(`${where} of a check, ${client.name}`);
      const answer = await check(client, operator, { token: word('token') });
      assert.equal(answer.refusal, 'TOKEN_INVALID');
      await failureOf(check(client, word('operator'), { token: good }));
      await failureOf(check(client, operator, { token: good, mic: word('mic') }));
      await failureOf(check(client, operator, { token: good, accountId: ` ${word('account')}` }));
      if (!client.hasStreams) continue;
      await Array.fromAsync(checkStream(client, operator, { token: word('token of a stream') }));
    }
  }
});

test('REST bodies that are wrong', async () => {
  for (const client of [four.rest1, four.rest2]) {
    for (const make of both) {
      const word = (where: string) => make(`${where}, ${client.name}`);
      for (const body of [
        `{"secret":"${word('JSON that breaks off')}`,
        `{"secret":"${word('JSON that goes wrong')}",}`,
        `${word('no JSON')}`,
        `secret=${word('a form')}`,
        `"${word('a string')}"`,
        `["${word('a list')}"]`,
        `{"secret":["${word('a list in a field')}"]}`,
        `{"secret":{"${word('a key in a field')}":1}}`,
        `{"token":{"a":"${word('an object in a field')}"}}`,
        `{"source_app_id":1,"secret":"${word('beside a wrong type')}"}`,
        `{"secret":"${word('twice')}","secret":"${word('twice, again')}"}`,
        repeated(word('a key that is twice')),
        `{"${word('an unknown key')}":{"a":"${word('in an unknown key')}"}}`,
        `{"secret":"\ud800${word('beside broken text')}"}`,
      ]) {
        for (const route of [SESSIONS, DETAILS]) {
          const answer = await client.send('POST', route, { body });
          assert.ok([400, 401].includes(answer.status), body);
        }
      }
      const bytes = Buffer.concat([Buffer.from([0xff]), Buffer.from(word('not UTF-8'))]);
      await client.send('POST', SESSIONS, { body: new Uint8Array(bytes) });
      const large = `{"secret":"${word('a large body').repeat(50_000)}"}`;
      assert.equal((await client.send('POST', SESSIONS, { body: large })).status, 413);
    }
  }
});

function repeated(key: string): string {
  return `{"${key}":1,"${key}":2}`;
}

test('REST paths, queries, verbs and headers', async () => {
  for (const client of [four.rest1, four.rest2]) {
    for (const make of both) {
      const word = (where: string) => make(`${where}, ${client.name}`);
      await client.send('GET', `/${word('a path')}`);
      await client.send('GET', `${DETAILS}/${word('below a path')}?a=b`);
      await client.send('POST', `${SESSIONS}?secret=${word('a query')}`, { body: '{}' });
      await client.send('GET', `${SESSIONS}?token=${word('a query of a wrong verb')}`);
      await client.send('DELETE', `/nothing?token=${word('a query of nothing')}#x`);
      await client.send('GET', `/%zz/${word('a broken path')}`);
      const headers = {
        origin: `https://${word('an origin')}`,
        referer: `https://x/?token=${word('a referer')}`,
        'user-agent': word('a user agent'),
        'content-type': word('a content type'),
        accept: word('an accept'),
      };
      await client.send('POST', SESSIONS, { body: '{}', headers });
      await client.send('POST', '/nothing', { body: '{}', headers });
    }
  }
});

test('gRPC paths', async () => {
  for (const make of both) {
    const name = `/grpc.tradeapi.v1.auth.AuthService/${make('a method')}`;
    const service = `/${make('a service')}/Auth`;
    const headers = { 'content-type': 'application/grpc-web+proto' };
    for (const target of [name, service]) {
      await four.rest1.send('POST', target, { headers, body: 'x' });
      await four.rest2.send('POST', target, { headers, body: 'x' });
    }
  }
});

test('frames that are wrong', async () => {
  const framed = (flags: number, data: Buffer) => {
    const prefix = Buffer.alloc(5);
    prefix[0] = flags;
    prefix.writeUInt32BE(data.length, 1);
    return new Uint8Array(Buffer.concat([prefix, data]));
  };
  const headers = { 'content-type': 'application/grpc-web+proto' };
  for (const make of both) {
    for (const [what, flags, before] of [
      ['a wrong wire type', 0, Buffer.from([0x0d])],
      ['text that is not UTF-8', 0, Buffer.from([0x0a, 0xf0, 0x02, 0xff])],
      ['a length too long', 0, Buffer.from([0x0a, 0xff, 0x7f])],
      ['no message', 0, Buffer.alloc(0)],
      ['odd flags', 6, Buffer.alloc(0)],
      ['no gzip', 1, Buffer.alloc(0)],
    ] as const) {
      const body = framed(flags, Buffer.concat([before, Buffer.from(make(`a frame, ${what}`))]));
      for (const more of [{}, { 'grpc-encoding': 'gzip' }]) {
        for (const client of [four.rest1, four.rest2]) {
          for (const name of ['Auth', 'TokenDetails', 'SubscribeJwtRenewal']) {
            const target = `/grpc.tradeapi.v1.auth.AuthService/${name}`;
            await client.send('POST', target, { headers: { ...headers, ...more }, body });
          }
        }
      }
    }
  }
});

test('what is no HTTP', async () => {
  for (const make of both) {
    await talk(server.port, [`${make('garbage')}\r\n\r\n`]);
    await talk(server.port, [
      `GET /${make('HTTP/1.1 without Host')} HTTP/1.1\r\nConnection: close\r\n\r\n`,
    ]);
    await talk(server.port, [`GET / HTTP/1.1\r\nHost: x\r\n${make('a bad header')}\r\n\r\n`]);
    const verb = headersOf(1, pseudo(make('a verb'), SESSIONS));
    const unknown = headersOf(3, pseudo('GET', `/${make('a path in a frame')}`));
    await talk(server.port, [PREFACE, headersOf(5, []), verb, unknown], { giveUpMs: 50 });
    const frames = [PREFACE, Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]), verb, unknown];
    await talk(server.port, frames, { giveUpMs: 50 });
  }
});

/** Where a word is, in text or bytes. */
function assertClean(what: string, found: string | Buffer, words: ReadonlyMap<string, string>) {
  const leaks = [...words].filter(([, word]) => found.includes(word)).map(([where]) => where);
  assert.deepEqual(leaks, [], `${what} has them`);
}

/** A key in all the ways in which it could be written. */
function spellings(name: string, key: Buffer): [string, string | Buffer][] {
  return [
    [`${name} in hex`, key.toString('hex')],
    [`${name} in base64`, key.toString('base64')],
    [`${name} in base64url`, key.toString('base64url')],
    [`${name} in bytes`, key],
  ];
}

/** The signing key and the master key, read as the server itself does. */
async function keysOf(folder: string): Promise<[string, string | Buffer][]> {
  const master = parseMasterKey(readFileSync(path.join(folder, 'master.key'), 'utf8'));
  assert.ok(master);
  const store = await openSqlite(`sqlite:${path.join(folder, 'propusk.db')}`);
  const keys = await openSigningKeys(store, new MasterKey(master), systemClock, systemRandom);
  await store.close();
  return [
    ...spellings('master key', master),
    ...keys.flatMap(({ key }) => spellings('signing key', key.export())),
  ];
}

function databaseFiles(folder: string): Buffer {
  const names = readdirSync(folder).filter((name) => name.startsWith('propusk.db'));
  assert.ok(names.length > 0);
  return Buffer.concat(names.map((name) => readFileSync(path.join(folder, name))));
}

test('none of it is anywhere', async () => {
  const { pid } = server.child;
  const isLinux = process.platform === 'linux';
  const title = isLinux
    ? readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    : execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' });
  assert.ok(!title.includes(chosen), 'the process list has the chosen secret');

  const printed = [...banner.matchAll(/psk_\w{33}/g)].map(([word]) => word);
  assert.ok(new Set(printed).size === 5, 'the banner prints the five demo secrets');
  for (const [i, word] of printed.entries()) plant(`demo secret ${i}`, word);
  assert.ok(planted.size > 200);
  await until('the log', () => server.output.stderr.split('\n').length > 300);

  // With the log of what was not yet moved into the database, and after.
  assertClean('the database', databaseFiles(server.folder), planted);
  await server.stop('SIGTERM');
  const database = databaseFiles(server.folder);
  assertClean('the database', database, planted);
  const log = server.output.stderr;
  assertClean('the log', log, planted);
  assert.equal(server.output.stdout, banner, 'nothing is printed but the banner');
  for (const [what, key] of await keysOf(server.folder)) {
    assert.ok(!database.includes(key), `the database has the ${what}`);
    assert.ok(!log.includes(key.toString()), `the log has the ${what}`);
    assert.ok(!banner.includes(key.toString()), `the banner has the ${what}`);
  }
  for (const line of log.trimEnd().split('\n')) {
    assert.equal(typeof JSON.parse(line).requestId, 'string', line);
  }
});
