/** The JSON rules of the contract, one by one, over HTTP/1.1 and HTTP/2. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Four } from './clients/four.ts';
import {
  failureOfAnswer,
  type RestAnswer,
  type RestClient,
  type RestRequest,
} from './clients/rest.ts';
import { startHere } from './start.ts';
import { claimsOf } from './steps.ts';
import { lineOf } from './wait.ts';

const server = await startHere(['--body-bytes-max', '2000']);
const four = new Four(server);
after(async () => {
  await four[Symbol.asyncDispose]();
  await server.stop();
});

const SESSIONS = '/v1/sessions';
const DETAILS = '/v1/sessions/details';
const GOOD = JSON.stringify({ secret: server.secret });

function both(what: string, check: (client: RestClient) => Promise<void>): void {
  for (const client of [four.rest1, four.rest2])
    test(`${what}, ${client.name}`, () => check(client));
}

function signIn(client: RestClient, body: RestRequest['body'], headers = {}): Promise<RestAnswer> {
  return client.send('POST', SESSIONS, { body, headers });
}

/** The session token of a sign-in that must succeed. */
function tokenOf({ status, text }: RestAnswer): string {
  assert.equal(status, 200, text);
  const json = JSON.parse(text);
  assert.deepEqual(Object.keys(json), ['token']);
  return json.token;
}

/** An error as it must be: a google.rpc.Status in JSON, named in the log. */
async function assertRefused(answer: RestAnswer, httpStatus: number, code: number, reason: string) {
  const failure = failureOfAnswer(answer);
  assert.equal(answer.status, httpStatus, answer.text);
  assert.equal(failure.code, code);
  assert.equal(failure.reason, reason);
  assert.equal(answer.headers['content-type'], 'application/json');
  const line = await lineOf(server.log, answer.headers['x-request-id']);
  assert.equal(line.protocol, 'rest');
  return failure;
}

both('names are read in snake_case and camelCase', async (client) => {
  for (const name of ['source_app_id', 'sourceAppId']) {
    const body = JSON.stringify({ secret: server.secret, [name]: `by ${name}` });
    const { jti } = claimsOf(tokenOf(await signIn(client, body)));
    const session = await server.server.store.session(jti);
    assert.equal(session?.sourceAppId, `by ${name}`);
  }
});

both('unknown fields are ignored, whatever they hold', async (client) => {
  const unknown = { more: [{ a: [null, 1e300, 'x'] }], 'a.b': {}, '': true, Secret: 'no' };
  tokenOf(await signIn(client, JSON.stringify({ ...unknown, secret: server.secret })));
});

both('null is the same as nothing', async (client) => {
  const body = JSON.stringify({ secret: server.secret, source_app_id: null });
  tokenOf(await signIn(client, body));
  await assertRefused(await signIn(client, '{"secret":null}'), 401, 16, 'SECRET_INVALID');
});

both('an empty body is {}', async (client) => {
  for (const body of [undefined, '', ' ', '\r\n\t', '{}']) {
    await assertRefused(await signIn(client, body), 401, 16, 'SECRET_INVALID');
    const details = await client.send('POST', DETAILS, { body });
    await assertRefused(details, 401, 16, 'TOKEN_INVALID');
  }
});

both('any Content-Type is read as JSON', async (client) => {
  for (const type of [
    'application/json',
    'application/json; charset=utf-8',
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/octet-stream',
    'multipart/form-data; boundary=x',
    'nonsense',
  ]) {
    tokenOf(await signIn(client, GOOD, { 'content-type': type }));
  }
  // Bytes, so that fetch adds no Content-Type of its own.
  tokenOf(await signIn(client, new TextEncoder().encode(GOOD)));
});

both('white space and escapes are JSON as well', async (client) => {
  const escaped = [...server.secret]
    .map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
  tokenOf(await signIn(client, `\n {\t"s\\u0065cret" :\r\n "${escaped}" } \n`));
});

both('a body that is not JSON', async (client) => {
  for (const body of [
    '{',
    '{"secret":',
    '{"secret":"x"',
    '{"secret":"x",}',
    "{'secret':'x'}",
    '{secret:"x"}',
    'secret=x',
    `${GOOD}x`,
    `${GOOD}${GOOD}`,
    '{"secret":"\n"}',
    '{"secret":"\\x41"}',
    '{"a":01}',
    '{"a":NaN}',
    'undefined',
    '<xml/>',
  ]) {
    const failure = await assertRefused(await signIn(client, body), 400, 3, 'INVALID_REQUEST');
    assert.match(failure.message, /not JSON/, body);
  }
});

both('a body that is JSON, but no object', async (client) => {
  for (const body of ['[]', '"x"', '1', 'true', 'null', '[{}]']) {
    await assertRefused(await signIn(client, body), 400, 3, 'INVALID_REQUEST');
  }
});

both('a body that is not UTF-8', async (client) => {
  for (const bytes of [
    Buffer.from([0xff]),
    Buffer.from('{"secret":"\xe9"}', 'latin1'),
    Buffer.from([0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d]),
    Buffer.from([0xed, 0xa0, 0x80]),
    Buffer.from('{"secret":"x"}', 'utf16le'),
  ]) {
    const answer = await signIn(client, Uint8Array.from(bytes));
    await assertRefused(answer, 400, 3, 'INVALID_REQUEST');
  }
});

both('a wrong type names its field', async (client) => {
  for (const [field, body] of [
    ['secret', '{"secret":1}'],
    ['secret', '{"secret":true}'],
    ['secret', '{"secret":["x"]}'],
    ['secret', '{"secret":{"0":"x"}}'],
    ['source_app_id', '{"secret":"x","source_app_id":1.5}'],
    ['source_app_id', '{"secret":"x","sourceAppId":{}}'],
    ['secret', '{"secret":"\\ud800"}'],
  ] as const) {
    const failure = await assertRefused(await signIn(client, body), 400, 3, 'INVALID_REQUEST');
    const violations = failure.detail('BadRequest')?.field_violations;
    assert.deepEqual(violations, [{ field, description: 'takes string', reason: '' }], body);
  }
});

both('a key that is there twice is refused, at any depth', async (client) => {
  for (const body of [
    '{"secret":"a","secret":"b"}',
    '{"secret":"a","secret":"a"}',
    '{"secret":"a","s\\u0065cret":"b"}',
    '{"source_app_id":"a","sourceAppId":"b"}',
    '{"more":1,"more":1}',
    '{"more":{"a":1,"a":2}}',
    '{"more":[[{"a":{"b":1,"b":2}}]]}',
    '{"__proto__":1,"__proto__":2}',
  ]) {
    const answer = await signIn(client, body);
    const failure = await assertRefused(answer, 400, 3, 'INVALID_REQUEST');
    assert.match(failure.message, /more than once/, body);
  }
});

both('__proto__ and its like are unknown fields', async (client) => {
  for (const name of ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty']) {
    const body = `{"${name}":{"secret":"x","polluted":true},"secret":"${server.secret}"}`;
    tokenOf(await signIn(client, body));
    const alone = `{"${name}":{"secret":"${server.secret}"}}`;
    await assertRefused(await signIn(client, alone), 401, 16, 'SECRET_INVALID');
  }
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
});

both('a body that nests deep is refused or read, not fatal', async (client) => {
  for (const [open, close] of [
    ['[', ']'],
    ['{"a":', '}'],
  ] as const) {
    const deep = `{"secret":"x","a":${open.repeat(300)}1${close.repeat(300)}}`;
    const { status } = await signIn(client, deep);
    assert.ok([400, 401].includes(status), `${status}`);
    assert.equal((await signIn(client, open.repeat(300))).status, 400);
  }
});

both('a body over the limit', async (client) => {
  const room = 2000 - GOOD.length;
  tokenOf(await signIn(client, GOOD + ' '.repeat(room)));
  for (const size of [room + 1, 50_000, 3_000_000]) {
    const answer = await signIn(client, GOOD + ' '.repeat(size));
    const failure = await assertRefused(answer, 413, 8, 'BODY_TOO_LARGE');
    assert.equal(answer.headers['retry-after'], undefined);
    assert.equal(failure.detail('RetryInfo'), undefined);
  }
});

both('an unknown path', async (client) => {
  for (const path of [
    '/',
    '/v1',
    '/v1/sessions/',
    '/v1/sessions/details/',
    '/V1/sessions',
    '//v1/sessions',
    '/v1/sessions/x',
    '/v1/sessions/../sessions2',
    '/v1/sessions%2Fdetails',
    '/.env',
    '/%',
    '/%ff',
  ]) {
    for (const verb of ['GET', 'POST', 'DELETE']) {
      const answer = await client.send(verb, path);
      const failure = await assertRefused(answer, 404, 5, 'ROUTE_NOT_FOUND');
      assert.equal(failure.httpStatus, 404);
      assert.equal(answer.headers.allow, undefined);
    }
  }
});

both('a query does not make another path', async (client) => {
  tokenOf(await client.send('POST', `${SESSIONS}?secret=x&a=b`, { body: GOOD }));
  const query = `${SESSIONS}?secret=${server.secret}`;
  await assertRefused(await client.send('POST', query), 401, 16, 'SECRET_INVALID');
});

both('a known path with another verb', async (client) => {
  for (const verb of ['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND']) {
    for (const path of [SESSIONS, DETAILS, `${SESSIONS}?a=b`]) {
      const answer = await client.send(verb, path);
      await assertRefused(answer, 405, 12, 'VERB_NOT_ALLOWED');
      assert.equal(answer.headers.allow, 'POST');
    }
  }
});

both('HEAD is answered without a body', async (client) => {
  const known = await client.send('HEAD', SESSIONS);
  assert.deepEqual([known.status, known.text, known.headers.allow], [405, '', 'POST']);
  const unknown = await client.send('HEAD', '/nothing');
  assert.deepEqual([unknown.status, unknown.text], [404, '']);
  const page = await client.send('HEAD', '/healthz');
  assert.deepEqual([page.status, page.text], [200, '']);
});

both('pages take GET and HEAD alone', async (client) => {
  for (const path of ['/healthz', '/readyz', '/openapi.json']) {
    const page = await client.send('GET', path);
    assert.equal(page.status, 200);
    assert.equal(page.headers['content-type'], 'application/json');
    JSON.parse(page.text);
    const answer = await client.send('POST', path, { body: '{}' });
    await assertRefused(answer, 405, 12, 'VERB_NOT_ALLOWED');
    assert.equal(answer.headers.allow, 'GET, HEAD');
  }
});

both("gRPC's own paths are no REST routes", async (client) => {
  const path = '/grpc.tradeapi.v1.auth.AuthService/Auth';
  const answer = await client.send('POST', path, { body: GOOD });
  const failure = await assertRefused(answer, 415, 12, 'CONTENT_TYPE_UNSUPPORTED');
  assert.match(failure.message, /application\/grpc/);
});

test('gRPC over HTTP/1.1 is told what to do instead', async () => {
  const headers = { 'content-type': 'application/grpc' };
  const path = '/grpc.tradeapi.v1.auth.AuthService/Auth';
  const answer = await four.rest1.send('POST', path, { headers, body: '' });
  const failure = await assertRefused(answer, 501, 12, 'ENCODING_UNSUPPORTED');
  assert.match(failure.message, /HTTP\/2/);
});
