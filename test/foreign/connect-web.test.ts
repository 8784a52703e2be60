/** gRPC-Web by @connectrpc/connect-web, which the official JavaScript client is built on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createGrpcWebTransport } from '@connectrpc/connect-web';
import { AuthService } from '../../src/gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { type InChild, startDev } from '../start.ts';
import { restart } from './tools.ts';

const FLAGS = ['--session-ttl', '6s'];
const RECONNECT_MS = 200;

function clientOf(server: InChild) {
  return createClient(AuthService, createGrpcWebTransport({ baseUrl: server.url }));
}

/** How long a token still lives, by what it says itself. */
function msLeft(token: string): number {
  const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString();
  return JSON.parse(payload).exp * 1000 - Date.now();
}

test('signs in, asks for the details, and reads the reason of an error', async () => {
  await using server = await startDev();
  const client = clientOf(server);
  const { token } = await client.auth({ secret: server.secret });
  const details = await client.tokenDetails({ token });
  assert.deepEqual(details.accountIds, ['1899011']);
  await assert.rejects(client.tokenDetails({ token: 'x' }), (error) => {
    assert.ok(error instanceof ConnectError);
    assert.equal(error.code, Code.Unauthenticated);
    assert.equal(error.details.length, 2);
    return true;
  });
});

test('a renewal stream with a reconnect loop keeps its token across restarts', async (t) => {
  let server = await startDev({ args: FLAGS });
  const client = clientOf(server);
  const { secret } = server;
  const stopped = new AbortController();
  const tokens: string[] = [];
  const ends: Code[] = [];
  let leastMsLeft = Number.POSITIVE_INFINITY;
  const keepFresh = async () => {
    while (!stopped.signal.aborted) {
      try {
        const stream = client.subscribeJwtRenewal({ secret }, { signal: stopped.signal });
        for await (const { token } of stream) tokens.push(token);
        assert.fail('the stream ended with OK');
      } catch (error) {
        ends.push(ConnectError.from(error).code);
        await sleep(RECONNECT_MS);
      }
    }
  };
  const watch = setInterval(() => {
    const current = tokens.at(-1);
    if (current !== undefined) leastMsLeft = Math.min(leastMsLeft, msLeft(current));
  }, 50);
  const more = async (count: number) => {
    const wanted = tokens.length + count;
    while (tokens.length < wanted) await sleep(20);
  };
  const fresh = keepFresh();
  try {
    // The one that the stream sends at once, and one renewed in time.
    await more(2);
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      server = await restart(server, FLAGS, signal);
      await more(2);
      const { accountIds } = await client.tokenDetails({ token: tokens.at(-1) ?? '' });
      assert.deepEqual(accountIds, ['1899011']);
    }
  } finally {
    clearInterval(watch);
    stopped.abort();
    await fresh;
    await server.stop('SIGKILL');
  }
  assert.equal(new Set(tokens).size, tokens.length);
  assert.equal(ends[0], Code.Unavailable);
  t.diagnostic(`${tokens.length} tokens, at least ${leastMsLeft} ms were left`);
  assert.ok(leastMsLeft > 0, `${leastMsLeft} ms`);
});
