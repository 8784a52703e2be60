/** CORS: what a browser needs to let the pages of configured origins in, and no others. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Four } from './clients/four.ts';
import type { RestAnswer, RestClient } from './clients/rest.ts';
import { startHere } from './start.ts';

const ORIGINS = ['https://trade.example.org', 'http://localhost:3000'];
const server = await startHere(ORIGINS.flatMap((origin) => ['--cors-origin', origin]));
const four = new Four(server);
after(async () => {
  await four[Symbol.asyncDispose]();
  await server.stop();
});

const SESSIONS = '/v1/sessions';
const BODY = JSON.stringify({ secret: server.secret });

function both(what: string, check: (client: RestClient) => Promise<void>): void {
  for (const client of [four.rest1, four.rest2])
    test(`${what}, ${client.name}`, () => check(client));
}

function words(header: string | undefined): string[] {
  return (header ?? '').split(',').map((word) => word.trim().toLowerCase());
}

function corsHeaders({ headers }: RestAnswer): string[] {
  return Object.keys(headers).filter((name) => name.startsWith('access-control-'));
}

function preflight(client: RestClient, origin: string, path = SESSIONS): Promise<RestAnswer> {
  const headers = {
    origin,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'content-type,x-grpc-web',
  };
  return client.send('OPTIONS', path, { headers });
}

both('a preflight from a configured origin is answered', async (client) => {
  for (const origin of ORIGINS) {
    for (const path of [SESSIONS, '/grpc.tradeapi.v1.auth.AuthService/Auth']) {
      const answer = await preflight(client, origin, path);
      assert.equal(answer.status, 204);
      assert.equal(answer.text, '');
      assert.equal(answer.headers['access-control-allow-origin'], origin);
      assert.ok(words(answer.headers.vary).includes('origin'));
      const verbs = words(answer.headers['access-control-allow-methods']);
      for (const verb of ['get', 'post', 'put', 'patch', 'delete']) assert.ok(verbs.includes(verb));
      // What browsers send for REST, and what connect-web sends for gRPC-Web.
      const allowed = words(answer.headers['access-control-allow-headers']);
      for (const name of [
        'authorization',
        'content-type',
        'x-grpc-web',
        'x-user-agent',
        'grpc-timeout',
        'traceparent',
        'tracestate',
      ]) {
        assert.ok(allowed.includes(name), name);
      }
      assert.ok(Number(answer.headers['access-control-max-age']) > 0);
    }
  }
});

both('an answer tells the origin, and exposes what clients read', async (client) => {
  const [origin = ''] = ORIGINS;
  for (const body of [BODY, '{"secret":"x"}', '{']) {
    const answer = await client.send('POST', SESSIONS, { headers: { origin }, body });
    assert.equal(answer.headers['access-control-allow-origin'], origin);
    assert.ok(words(answer.headers.vary).includes('origin'));
    const exposed = words(answer.headers['access-control-expose-headers']);
    for (const name of [
      'grpc-status',
      'grpc-message',
      'grpc-status-details-bin',
      'x-request-id',
      'retry-after',
    ]) {
      assert.ok(exposed.includes(name), name);
    }
  }
});

both('credentials are never allowed, and the origin is never a star', async (client) => {
  for (const origin of [...ORIGINS, 'https://evil.example']) {
    for (const answer of [
      await preflight(client, origin),
      await client.send('POST', SESSIONS, { headers: { origin }, body: BODY }),
      await client.send('GET', '/healthz', { headers: { origin } }),
    ]) {
      assert.equal(answer.headers['access-control-allow-credentials'], undefined);
      assert.notEqual(answer.headers['access-control-allow-origin'], '*');
    }
  }
});

both('another origin is answered without a word of permission', async (client) => {
  for (const origin of [
    'https://evil.example',
    'http://trade.example.org',
    'https://trade.example.org:8443',
    'https://sub.trade.example.org',
    'https://trade.example.org.evil.example',
    'https://TRADE.example.org',
    'https://trade.example.org/',
    'null',
    '*',
  ]) {
    const answer = await client.send('POST', SESSIONS, { headers: { origin }, body: BODY });
    assert.equal(answer.status, 200);
    assert.deepEqual(corsHeaders(answer), []);
    assert.ok(words(answer.headers.vary).includes('origin'), 'caches must keep them apart');
    const refused = await preflight(client, origin);
    assert.equal(refused.status, 405);
    assert.deepEqual(corsHeaders(refused), []);
  }
});

both('a request without an origin is as ever', async (client) => {
  const answer = await client.send('POST', SESSIONS, { body: BODY });
  assert.deepEqual(corsHeaders(answer), []);
});

both('OPTIONS that is no preflight is a verb like others', async (client) => {
  const [origin = ''] = ORIGINS;
  const answer = await client.send('OPTIONS', SESSIONS, { headers: { origin } });
  assert.equal(answer.status, 405);
  assert.equal(answer.headers['access-control-allow-origin'], origin);
});

test('without configured origins nobody is let in', async () => {
  await using closed = await startHere();
  await using clients = new Four(closed);
  for (const client of [clients.rest1, clients.rest2]) {
    const answer = await preflight(client, ORIGINS[0] ?? '');
    assert.equal(answer.status, 405);
    assert.deepEqual(corsHeaders(answer), []);
  }
});
