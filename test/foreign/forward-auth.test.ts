/**
 * Real proxies before a backend that knows nothing of tokens: what the rules say is what clients get, and
 * what is passed on is what was checked.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { oneMeaning, type Try, tries } from '../authz-paths.ts';
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
} from '../authz-scene.ts';
import type { Headers } from '../clients/client.ts';
import { talk } from '../raw.ts';
import { unique } from '../start.ts';
import { claimsOf } from '../steps.ts';
import { until } from '../wait.ts';
import { AskingProxy, Backend, type Echo } from './proxies.ts';

/** What a client may say of itself, and nobody may believe. */
const LIES: Headers = {
  'x-propusk-client': 'liar',
  'x-propusk-account': 'liar',
  'x-propusk-session': 'liar',
  'x-propusk-readonly': 'liar',
  'x-propusk-quote-level': 'liar',
  'x-propusk-delay-minutes': 'liar',
  'x-propusk-error': 'liar',
  'x-forwarded-uri': '/free',
  'x-forwarded-method': 'GET',
};

const CONFIGS = { nginx: 'nginx.conf', caddy: 'Caddyfile' } as const;

let scene: AuthzScene;
let backend: Backend;

before(async () => {
  scene = await AuthzScene.open();
  backend = await Backend.start();
});

after(async () => {
  await backend[Symbol.asyncDispose]();
  await scene[Symbol.asyncDispose]();
});

function authorization(kind: Kind): Headers {
  return kind === 'none' ? {} : { authorization: scene.shown[kind] };
}

/** What the backend must hear of the caller. */
function assertTold(kind: Kind, { uri }: Row, { caller }: Echo): void {
  const values = Object.values(caller);
  assert.ok(!values.includes('liar'), JSON.stringify(caller));
  if (caller['x-propusk-client'] === undefined) {
    // Where nobody is asked who they are.
    assert.deepEqual(values, [], uri);
    return;
  }
  assert.equal(caller['x-propusk-client'], CLIENTS[kind]);
  assert.equal(caller['x-propusk-session'], claimsOf(scene.shown[kind]).jti);
  const account = /^\/v1\/accounts\/([^/?]+)/.exec(uri)?.[1];
  if (!uri.endsWith('/open') && account !== undefined) {
    assert.equal(caller['x-propusk-account'], decodeURIComponent(account));
  }
  const isMarketData = caller['x-propusk-quote-level'] !== undefined;
  assert.equal(isMarketData, /instruments|books/.test(uri), uri);
}

async function assertRow(proxy: AskingProxy, kind: Kind, row: Row): Promise<void> {
  const what = `${kind}: ${row.verb} ${row.uri}`;
  const headers = authorization(kind);
  const send = () => proxy.rest.send(row.verb, row.uri, { headers: { ...headers, ...LIES } });
  // One call is what it has.
  if (kind === 'limited') await send();
  const answer = await send();
  const outcome = outcomeOf(row, kind);
  assert.equal(answer.status, statusOfOutcome(outcome), `${what}: ${answer.text}`);
  if (outcome === 'ok') {
    // An answer to HEAD has no body.
    if (row.verb === 'HEAD') return;
    const echo: Echo = JSON.parse(answer.text);
    assert.deepEqual([echo.method, echo.url], [row.verb, row.uri], what);
    assertTold(kind, row, echo);
    return;
  }
  const direct = await ask(scene.rest, row.verb, row.uri, headers);
  assert.equal(answer.status, direct.status, what);
  if (row.verb !== 'HEAD') assert.deepEqual(JSON.parse(answer.text), JSON.parse(direct.text), what);
  assert.equal(answer.headers['content-type'], 'application/json');
  for (const name of ['retry-after', 'allow', 'ratelimit-policy']) {
    assert.equal(answer.headers[name], direct.headers[name], `${what}: ${name}`);
  }
}

/** Reads the log as it grows: the rule by the request id. */
class Rules {
  readonly #rules = new Map<string, string>();
  #read = 0;

  async of(requestId: string): Promise<string> {
    const { log } = scene.server;
    await until(`a log line of ${requestId}`, () => {
      for (; this.#read < log.length; this.#read++) {
        const { requestId: id, protocol, method } = JSON.parse(log[this.#read] ?? '');
        if (protocol === 'forward-auth') this.#rules.set(id, method);
      }
      return this.#rules.has(requestId);
    });
    return this.#rules.get(requestId) ?? '';
  }
}

/** Sends a request whose target is whatever it is; the head and the body of the answer. */
async function sendRaw(port: number, { verb, uri }: Try, requestId: string, hops = 'close') {
  const lines = [`${verb} ${uri} HTTP/1.1`, 'Host: 127.0.0.1', `Connection: ${hops}`];
  lines.push(`Authorization: ${scene.shown.good}`, `X-Request-Id: ${requestId}`);
  if (hops !== 'close') lines.push(...Object.entries(LIES).map((entry) => entry.join(': ')));
  const { text } = await talk(port, [`${lines.join('\r\n')}\r\n\r\n`]);
  const status = Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0);
  return { status, body: /\{.*\}/s.exec(text)?.[0] ?? '' };
}

for (const [name, config] of Object.entries(CONFIGS) as [keyof typeof CONFIGS, string][]) {
  describe(name, () => {
    let proxy: AskingProxy;

    before(async () => {
      proxy = await AskingProxy.start(name, config, scene.server.port, backend);
    });

    after(() => proxy[Symbol.asyncDispose]());

    for (const kind of KINDS) {
      test(`each rule for a token that is: ${kind}`, async () => {
        for (const row of ROWS) await assertRow(proxy, kind, row);
      });
    }

    test('headers by which a backend takes a request for another are refused', async () => {
      const headers = authorization('good');
      const uri = '/v1/assets';
      assert.equal((await proxy.rest.send('GET', uri, { headers })).status, 200);
      for (const header of ['X-HTTP-Method-Override', 'X-Original-URL', 'X-Rewrite-URL']) {
        const answer = await proxy.rest.send('GET', uri, {
          headers: { ...headers, [header]: '/a' },
        });
        assert.equal(answer.status, 400, header);
        assert.match(answer.text, /"INVALID_REQUEST"/);
      }
    });

    test('what a client says to be for the next hop alone changes nothing of what is asked or told', async () => {
      const hops = ['close', ...Object.keys(LIES)].join(', ');
      const verb = 'GET';
      const own = { verb, uri: '/v1/accounts/1899011/orders' };
      const { status, body } = await sendRaw(proxy.port, own, unique(), hops);
      assert.equal(status, 200);
      const { url, caller }: Echo = JSON.parse(body);
      assert.equal(url, own.uri);
      assert.deepEqual(caller, {
        'x-propusk-client': CLIENTS.good,
        'x-propusk-account': '1899011',
        'x-propusk-session': claimsOf(scene.shown.good).jti,
        'x-propusk-readonly': 'false',
      });
      const others = { verb, uri: '/v1/accounts/2100001/orders' };
      assert.equal((await sendRaw(proxy.port, others, unique(), hops)).status, 404);
      const without = await sendRaw(proxy.port, own, unique(), `${hops}, authorization`);
      assert.ok(without.status === 200 || without.status === 401, `${without.status}`);
    });

    test('what the backend gets is what was checked, whatever the path', async () => {
      const rules = new Rules();
      let passed = 0;
      await fc.assert(
        fc.asyncProperty(tries, async (one) => {
          const requestId = unique();
          const { status, body } = await sendRaw(proxy.port, one, requestId);
          if (status !== 200) return;
          const { method, url, caller }: Echo = JSON.parse(body);
          const meaning = oneMeaning({ verb: method, uri: url });
          assert.ok(meaning, `${one.verb} ${one.uri}: ${method} ${url} was passed on`);
          assert.equal(method, one.verb);
          assert.equal(await rules.of(requestId), meaning.rule, url);
          const account = caller['x-propusk-account'];
          if (account !== undefined) assert.equal(account, meaning.named, url);
          passed++;
        }),
        { numRuns: 1500 },
      );
      assert.ok(passed > 100, `${passed} were passed on`);
    });

    test('a key that is revoked under load is refused from the next request on', async () => {
      const send = async (headers: Headers) => {
        const request = { headers, body: '{}' };
        return (await proxy.rest.send('POST', '/v1/accounts/1899011/orders', request)).status;
      };
      await scene.revokeUnderLoad(Array.from({ length: 8 }, () => send));
    });

    test('without an answer nobody is let in', async () => {
      // A server that is not there.
      await using lonely = await AskingProxy.start(name, config, 9, backend);
      for (const uri of ['/free', '/v1/accounts/1899011']) {
        const answer = await lonely.rest.send('GET', uri, { headers: authorization('good') });
        assert.ok([502, 503].includes(answer.status), `${answer.status}`);
        assert.ok(!answer.text.includes('"caller"'));
      }
    });
  });
}
