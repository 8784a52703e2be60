/** Whom and what a question at /authz counts for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AdministeredServer, makeClient, makeKey } from './administration.ts';
import { ask } from './authz-scene.ts';
import { Rest2Client } from './clients/rest.ts';
import { figuresOf } from './limits-scene.ts';
import { startHere } from './start.ts';

test('the limits of a rule are told, and set like those of a method', async () => {
  await using server = await startHere(['--limit', 'Bars=3', '--limit', 'GetOrders=2']);
  const client = new Rest2Client(server.url);
  const headers = { authorization: await client.auth(server.secret) };
  const get = (uri: string) => ask(client, 'GET', uri, headers);
  const bars = '/v1/instruments/AAPL%40%23RBRD/bars';
  for (const remaining of [2, 1, 0]) {
    const { name, limit, remaining: left } = figuresOf((await get(bars)).headers);
    assert.deepEqual([name, limit, left], ['Bars', 3, remaining]);
  }
  assert.equal((await get(bars)).status, 429);
  // What the public API counts and what is asked about here is one limit.
  assert.equal((await get('/v1/accounts/1899011/orders')).status, 200);
  const direct = () => client.send('GET', '/v1/accounts/1899011/orders', { headers });
  assert.equal((await direct()).status, 200);
  assert.equal((await direct()).status, 429);
  const refused = await get('/v1/accounts/1899011/orders');
  assert.equal(refused.status, 429);
  assert.match(refused.headers['retry-after'] ?? '', /^\d+$/);
  const { quotas } = (await client.usage(headers.authorization)).message;
  const quota = quotas.find(({ name }) => name === 'Bars');
  assert.deepEqual([quota?.limit, quota?.remaining], [3n, 0n]);
  await client.close();
});

test('a key may have limits of its own for rules', async () => {
  await using administered = await AdministeredServer.start();
  const operator = administered.as('operator');
  const client = await makeClient(operator);
  const callsPerMinute = { GetAccount: 2 };
  const { secret } = await makeKey(operator, client.id, { callsPerMinute });
  const headers = { authorization: await administered.outside.rest1.auth(secret) };
  const uri = `/v1/accounts/${client.account}/trades`;
  const statuses: number[] = [];
  for (let i = 0; i < 3; i++) {
    statuses.push((await ask(administered.inside.rest1, 'GET', uri, headers)).status);
  }
  assert.deepEqual(statuses, [200, 200, 429]);
});

test('asking first spends none of what Propusk counts itself', async () => {
  await using server = await startHere();
  const client = new Rest2Client(server.url);
  const token = await client.auth(server.secret);
  const headers = { authorization: token };
  for (let i = 0; i < 500; i++) {
    const uri = ['/v1/sessions', '/v1/sessions/details'][i % 2] ?? '';
    assert.equal((await ask(client, 'POST', uri, headers)).status, 200);
    await ask(client, 'GET', '/v1/usage', headers);
  }
  const { quotas } = (await client.usage(token)).message;
  const left = Object.fromEntries(quotas.map(({ name, remaining }) => [name, remaining]));
  assert.deepEqual(
    [left.Auth, left.TokenDetails, left.GetUsageMetrics, left.GetOrders],
    [199n, 200n, 199n, 200n],
  );
  await client.close();
});

test('failures count for the address that the proxy names', async () => {
  const flags = ['--address-calls-max', '2', '--trusted-proxy', '127.0.0.1'];
  await using server = await startHere(flags);
  const client = new Rest2Client(server.url);
  const guess = async (from: string, uri = '/v1/assets') => {
    const headers = { authorization: 'x', 'x-forwarded-for': from };
    return (await ask(client, 'GET', uri, headers)).status;
  };
  assert.deepEqual(
    [await guess('192.0.2.1'), await guess('192.0.2.1'), await guess('192.0.2.1')],
    [401, 401, 429],
  );
  assert.equal(await guess('192.0.2.2'), 401);
  // Also where calls are not counted here: whoever is refused is not passed on to where they are.
  const usage = () => guess('192.0.2.3', '/v1/usage');
  assert.deepEqual([await usage(), await usage(), await usage()], [401, 401, 429]);
  await client.close();
});
