/** What proxies are answered that ask at /authz: each rule for each kind of token, and no other request. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { getOption, hasOption } from '@bufbuild/protobuf';
import { CONTRACT } from '../src/contract.ts';
import { http as httpOption } from '../src/gen/google/api/annotations_pb.js';
import {
  AuthzScene,
  ask,
  CLIENTS,
  KINDS,
  type Kind,
  outcomeOf,
  ROWS,
  type Row,
  statusOfOutcome,
} from './authz-scene.ts';
import type { Headers } from './clients/client.ts';
import { failureOfAnswer, Rest2Client, type RestAnswer, type RestClient } from './clients/rest.ts';
import { FrameType, frameOf, headersOf, PREFACE, pseudo } from './http2-frames.ts';
import { figuresOf } from './limits-scene.ts';
import { talk } from './raw.ts';
import { startServe } from './start.ts';
import { claimsOf } from './steps.ts';
import { lineOf } from './wait.ts';

const scene = await AuthzScene.open();
const rest2 = new Rest2Client(scene.server.url);
after(async () => {
  await rest2.close();
  await scene[Symbol.asyncDispose]();
});
const CLIENTS_OF_HTTP: readonly RestClient[] = [scene.rest, rest2];

function authorization(kind: Kind): Headers {
  return kind === 'none' ? {} : { authorization: scene.shown[kind] };
}

type Ask = (client: RestClient, row: Row, headers: Headers) => Promise<RestAnswer>;

const byHeaders: Ask = (client, { verb, uri }, headers) => ask(client, verb, uri, headers);
const byPost: Ask = (client, { verb, uri }, headers) =>
  client.send('POST', '/authz?what=ever', {
    headers: { ...headers, 'x-forwarded-method': verb, 'x-forwarded-uri': uri },
    body: 'whatever a proxy passes on',
  });
const byPath: Ask = (client, { verb, uri }, headers) =>
  client.send(verb, `/authz${uri}`, { headers });

/** The Status in the header, which must be the one of the body. */
function assertSaidTwice({ headers, text }: RestAnswer): void {
  const header = headers['x-propusk-error'] ?? '';
  assert.match(header, /^[\x20-\x7e]+$/);
  if (text !== '') assert.deepEqual(JSON.parse(header), JSON.parse(text));
}

for (const client of CLIENTS_OF_HTTP) {
  for (const [way, asking] of Object.entries({ byHeaders, byPost, byPath })) {
    test(`each rule for each kind of token, asked ${way} over ${client.name}`, async () => {
      for (const kind of KINDS) {
        for (const row of ROWS) {
          const what = `${kind}: ${row.verb} ${row.uri}`;
          // One call is what it has.
          if (kind === 'limited') await asking(client, row, authorization(kind));
          const answer = await asking(client, row, authorization(kind));
          const outcome = outcomeOf(row, kind);
          assert.equal(answer.status, statusOfOutcome(outcome), `${what}: ${answer.text}`);
          if (outcome === 'ok') {
            assert.equal(answer.text, '', what);
            assert.equal(answer.headers['x-propusk-error'], undefined);
            continue;
          }
          assertSaidTwice(answer);
          // An answer to HEAD has no body, also where HEAD asks about HEAD.
          const text = answer.headers['x-propusk-error'] ?? '';
          assert.equal(failureOfAnswer({ ...answer, text }).reason, outcome, what);
        }
      }
    });
  }
}

/** A refusal without how long to wait, which is less a moment later where a Valkey counts. */
function withoutWait(text: string): string {
  return text.replace(/in \d+ ms/, '').replace(/"retry_delay":"[\d.]+s"/, '');
}

/** Whole seconds; 0 where the caller need not wait. */
function retryAfter({ headers }: RestAnswer): number {
  return Number(headers['retry-after'] ?? 0);
}

test('where the public API has the route it refuses in the same words', async () => {
  let compared = 0;
  for (const kind of KINDS) {
    for (const row of ROWS.filter(({ isPublic }) => isPublic)) {
      if (outcomeOf(row, kind) === 'ok') continue;
      const headers = authorization(kind);
      for (const client of CLIENTS_OF_HTTP) {
        if (kind === 'limited') await byHeaders(client, row, headers);
        const asked = await byHeaders(client, row, headers);
        const direct = await client.send(row.verb, row.uri, { headers });
        assert.equal(asked.status, direct.status, `${kind}: ${row.verb} ${row.uri}`);
        assert.equal(withoutWait(asked.text), withoutWait(direct.text));
        assert.ok(Math.abs(retryAfter(asked) - retryAfter(direct)) <= 1);
        if (asked.headers.ratelimit !== undefined) {
          assert.equal(figuresOf(asked.headers).name, figuresOf(direct.headers).name);
        }
        compared++;
      }
    }
  }
  assert.ok(compared > 100, `${compared}`);
});

/** The headers about the caller, without their prefix. */
function told({ headers }: RestAnswer): Record<string, string> {
  const entries = Object.entries(headers).filter(([name]) => name.startsWith('x-propusk-'));
  return Object.fromEntries(entries.map(([name, value]) => [name.slice(10), value]));
}

async function toldOf(kind: Kind, verb: string, uri: string): Promise<Record<string, string>> {
  const answer = await byHeaders(rest2, { verb, uri } as Row, authorization(kind));
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers['cache-control'], 'no-store');
  return told(answer);
}

test('who is let in is told to those who answer', async () => {
  const who = (kind: Kind, readonly: 'true' | 'false') => ({
    client: CLIENTS[kind],
    session: claimsOf(scene.shown[kind]).jti,
    readonly,
  });
  assert.deepEqual(await toldOf('good', 'POST', '/v1/accounts/1899011/orders'), {
    ...who('good', 'false'),
    account: '1899011',
  });
  assert.deepEqual(await toldOf('readonly', 'GET', '/v1/accounts/1899011'), {
    ...who('readonly', 'true'),
    account: '1899011',
  });
  assert.deepEqual(await toldOf('levels', 'GET', '/v1/accounts/TRQD05%3A146559/x'), {
    ...who('levels', 'false'),
    account: 'TRQD05:146559',
  });
  // An account that was not looked at is not told.
  assert.deepEqual(
    await toldOf('mixed', 'GET', '/v1/accounts/1899011/open'),
    who('mixed', 'false'),
  );
  assert.deepEqual(await toldOf('good', 'POST', '/v1/sessions'), {});
  assert.deepEqual(await toldOf('none', 'GET', '/free'), {});
  const market = (level: string, minutes: string) => ({
    ...who('levels', 'false'),
    'quote-level': `QUOTE_LEVEL_${level}`,
    'delay-minutes': minutes,
  });
  const seen: readonly (readonly [string, string, string])[] = [
    ['AAPL@XNAS/bars', 'DEPTH_OF_BOOK', '0'],
    ['SBER%40MISX/bars', 'DEPTH_OF_MARKET', '0'],
    ['SHEL@XLON/bars', 'BEST_BID_OFFER', '15'],
    ['T@XNYS/bars', 'LAST_PRICE', '20'],
  ];
  for (const [uri, level, minutes] of seen) {
    const found = await toldOf('levels', 'GET', `/v1/instruments/${uri}`);
    assert.deepEqual(found, market(level, minutes), uri);
  }
});

test('every route of the contract can be asked about', async () => {
  const methods = CONTRACT.flatMap((service) => service.methods);
  const routes = methods.filter((method) => hasOption(method, httpOption));
  assert.ok(routes.length >= 8);
  for (const method of routes) {
    const { pattern } = getOption(method, httpOption);
    const uri = String(pattern.value).replace(/\{\w+\}/g, 'x');
    const row = { verb: pattern.case?.toUpperCase(), uri } as Row;
    const { status } = await byHeaders(scene.rest, row, { authorization: scene.shown.good });
    // One that is the contract's alone names an account that nobody has.
    assert.equal(status, uri.includes('/accounts/') ? 404 : 200, `${method}`);
    const { headers, status: bare } = await byHeaders(scene.rest, row, {});
    const isPassed = ['/v1/sessions', '/v1/sessions/details'].includes(uri);
    assert.equal(bare, isPassed ? 200 : 401, String(headers['x-propusk-error']));
  }
});

/** Questions that do not say which request they are about. */
const UNCLEAR: readonly (readonly [string, string, Headers])[] = [
  ['GET', '/authz', {}],
  ['GET', '/authz', { 'x-forwarded-method': 'GET' }],
  ['GET', '/authz', { 'x-forwarded-uri': '/free' }],
  ['GET', '/authz', { 'x-forwarded-method': '', 'x-forwarded-uri': '/free' }],
  ['GET', '/authz', { 'x-forwarded-method': 'get', 'x-forwarded-uri': '/free' }],
  ['GET', '/authz', { 'x-forwarded-method': 'GET, GET', 'x-forwarded-uri': '/free' }],
  ['GET', '/authz', { 'x-forwarded-method': 'GET', 'x-forwarded-uri': '' }],
  ['GET', '/authz', { 'x-forwarded-method': 'GET', 'x-forwarded-uri': 'http://a/free' }],
  ['GET', '/authz/free', { 'x-forwarded-method': 'GET' }],
  ['GET', '/authz/free', { 'x-forwarded-uri': '/free' }],
  ['GET', '/authz//free', {}],
  ['GET', '/authz/', { 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/free' }],
  ...[
    ...['x-http-method-override', 'x-method-override', 'x-http-method', 'x_http_method_override'],
    ...['x-original-url', 'x-original-uri', 'x-rewrite-url', 'x-original-method'],
    ...['x-forwarded-prefix', 'x-script-name', 'script_name', 'path-info'],
  ].flatMap(
    (name) =>
      [
        ['GET', '/authz/free', { [name]: 'GET' }],
        ['GET', '/authz', { [name]: 'a', 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/free' }],
      ] as const,
  ),
];

test('a question that does not say which request it is about is refused', async () => {
  for (const [verb, target, headers] of UNCLEAR) {
    for (const client of CLIENTS_OF_HTTP) {
      const answer = await client.send(verb, target, { headers });
      const what = `${verb} ${target} ${JSON.stringify(headers)}: ${answer.text}`;
      // The bare root of a backend is a path that there is, and nobody knows.
      const isRoot = target === '/authz/' && !('x-forwarded-uri' in headers);
      assert.equal(answer.status, isRoot ? 404 : 400, what);
      assertSaidTwice(answer);
    }
  }
  const good = { 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/free' };
  const answer = await scene.rest.send('PUT', '/authz', { headers: good });
  assert.deepEqual([answer.status, answer.headers.allow], [405, 'GET, POST']);
});

test('a header that is there twice is refused, whichever of the two is good', async () => {
  const head = (...lines: string[]) =>
    `GET /authz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${lines.join('\r\n')}\r\n\r\n`;
  const method = 'X-Forwarded-Method: GET';
  const uri = 'X-Forwarded-Uri: /news/a';
  const good = `Authorization: ${scene.shown.good}`;
  const statusOf = async (...lines: string[]) =>
    Number((await talk(scene.server.port, [head(...lines)])).text.split(' ')[1]);
  assert.equal(await statusOf(method, uri, good), 200);
  assert.equal(await statusOf(method, method, uri, good), 400);
  assert.equal(await statusOf(method, uri, 'x-forwarded-uri: /free', good), 400);
  assert.equal(await statusOf(method, 'x-forwarded-uri: /free', uri, good), 400);
  assert.equal(await statusOf(method, uri, good, 'authorization: x'), 400);
  assert.equal(await statusOf(method, uri, 'authorization: x', good), 400);
  // Over HTTP/2 Node keeps one of two as well, and no client of its would send them.
  const names: [string, string][] = [
    ['authorization', scene.shown.good],
    ['x-forwarded-method', 'GET'],
    ['x-forwarded-uri', '/news/a'],
  ];
  for (const [name, value] of names) {
    const headers = [...pseudo('GET', '/authz'), ...names, [name, value] as const];
    const bytes = [PREFACE, frameOf(FrameType.SETTINGS, 0, 0), headersOf(1, headers)];
    const enough = (received: Buffer) => received.includes('ErrorInfo');
    const { text } = await talk(scene.server.port, [Buffer.concat(bytes)], { enough });
    assert.ok(text.includes(`"message":"${name} is there twice"`), text);
  }
});

test('the log and the metrics tell of questions, and no path that a caller made up', async () => {
  const headers = { 'x-request-id': 'asked.1', authorization: scene.shown.good };
  await byHeaders(scene.rest, { verb: 'GET', uri: '/v1/assets/x' } as Row, headers);
  const { protocol, method, code } = await lineOf(scene.server.log, 'asked.1');
  assert.deepEqual([protocol, method, code], ['forward-auth', 'Assets', 'OK']);
  const unknown = { ...headers, 'x-request-id': 'asked.2' };
  await byHeaders(scene.rest, { verb: 'GET', uri: '/v1/made-up/x?y' } as Row, unknown);
  const line = await lineOf(scene.server.log, 'asked.2');
  assert.deepEqual([line.protocol, line.path], ['forward-auth', '/v1/*/*']);
  const { text } = await scene.rest.send('GET', '/metrics');
  const labels = 'method="AssetRoutesService/Assets",protocol="forward-auth",code="OK"';
  assert.ok(text.includes(`propusk_requests_total{${labels}} `));
});

test('in serve only the internal port answers proxies, without an order of its own to place', async () => {
  const server = await startServe();
  const outside = new Rest2Client(`http://127.0.0.1:${server.port}`);
  const inside = new Rest2Client(`http://127.0.0.1:${server.internalPort}`);
  const orders = { verb: 'GET', uri: '/v1/accounts/1/orders' } as Row;
  assert.equal((await byHeaders(outside, orders, {})).status, 404);
  assert.equal((await byPath(outside, orders, {})).status, 404);
  assert.equal((await byHeaders(inside, orders, {})).status, 401);
  assert.equal((await byPath(inside, orders, {})).status, 401);
  await outside.close();
  await inside.close();
  await server.stop();
});

test('a key that is revoked under load is refused from the next question on', async () => {
  const row = { verb: 'POST', uri: '/v1/accounts/1899011/orders' } as Row;
  const callers = CLIENTS_OF_HTTP.map(
    (client) => async (headers: Headers) => (await byHeaders(client, row, headers)).status,
  );
  for (let round = 0; round < 10; round++) {
    await scene.revokeUnderLoad([...callers, ...callers, ...callers]);
  }
});
