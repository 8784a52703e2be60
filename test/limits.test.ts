/** What passes in a window and what is told of it, to the millisecond: by clocks that the test moves. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { check } from './access-scene.ts';
import { AdministeredServer } from './administration.ts';
import { type Client, failureOf } from './clients/client.ts';
import { inEach } from './clients/four.ts';
import { type Figures, figuresOf, passing, Scene } from './limits-scene.ts';

/** What GetUsageMetrics tells of a method. */
async function usageOf(scene: Scene, client: Client, token: string, name: string) {
  const { message, headers } = await client.usage(token);
  const quota = message.quotas.find((each) => each.name === name);
  assert.ok(quota?.resetTime);
  const figures: Figures = {
    name,
    limit: Number(quota.limit),
    remaining: Number(quota.remaining),
    resetSeconds: Math.ceil((timestampMs(quota.resetTime) - scene.nowMs) / 1000),
  };
  return { figures, headers };
}

test('no 60 seconds hold more than 200, wherever they begin', async () => {
  await using scene = await Scene.start();
  const token = await scene.four.grpc.auth(scene.server.secret);
  // Bursts on both sides of a minute's edge, and at the instants at which places become free.
  const bursts = [
    { afterMs: 0, passed: 200 },
    { afterMs: 59_000, passed: 0 },
    { afterMs: 999.75, passed: 0 },
    { afterMs: 0.25, passed: 200 },
    { afterMs: 1, passed: 0 },
    { afterMs: 59_998.5, passed: 0 },
    { afterMs: 0.5, passed: 200 },
    { afterMs: 90_000, passed: 200 },
  ];
  for (const [i, { afterMs, passed }] of bursts.entries()) {
    scene.pass(afterMs);
    const count = await passing(scene, 250, (client) => client.tokenDetails(token));
    assert.equal(count, passed, `burst ${i}`);
  }
});

test('headers, metadata and GetUsageMetrics tell the same figures at each step', async () => {
  await using scene = await Scene.start(['--limit', 'TokenDetails=6']);
  const { four, server } = scene;
  const token = await four.rest1.auth(server.secret);
  for (const [i, client] of [...four.all, ...four.all].entries()) {
    const call = client.tokenDetails(token);
    const { headers } = i < 6 ? await call : await failureOf(call);
    const told = figuresOf(headers);
    assert.equal(told.name, 'TokenDetails');
    assert.deepEqual([told.limit, told.remaining], [6, Math.max(0, 5 - i)], client.name);
    for (const other of four.all) {
      const { figures, headers: own } = await usageOf(scene, other, token, 'TokenDetails');
      assert.deepEqual(figures, told, `${client.name}, ${other.name}`);
      assert.equal(figuresOf(own).name, 'GetUsageMetrics');
    }
    scene.pass(1_234.5);
  }
});

const ORDERS = [
  ...['PlaceOrder', 'CancelOrder', 'GetOrders', 'GetOrder', 'SubscribeOrders', 'SubscribeTrades'],
  // Not offered here, and counted where proxies ask about it.
  'PlaceSLTPOrder',
];

/** What proxies ask about. */
const ROUTES = [
  ...['ChangeAccount', 'GetAccount', 'Bars', 'LatestTrades', 'LastQuote', 'OrderBook'],
  ...['Assets', 'Exchanges'],
];

test('GetUsageMetrics tells every method that has a limit, its own call counted', async () => {
  await using scene = await Scene.start();
  const { four, server } = scene;
  const token = await four.rest1.auth(server.secret);
  const answer = await four.rest1.send('GET', '/v1/usage', {
    headers: { authorization: `Bearer ${token}` },
  });
  const now = new Date(scene.nowMs).toISOString();
  const soon = new Date(scene.nowMs + 60_000).toISOString();
  const quota = (name: string, remaining: string, reset_time: string) => ({
    ...{ name, limit: '200', remaining, reset_time },
  });
  assert.deepEqual(JSON.parse(answer.text), {
    quotas: [
      quota('Auth', '199', soon),
      quota('TokenDetails', '200', now),
      quota('SubscribeJwtRenewal', '200', now),
      ...ORDERS.map((name) => quota(name, '200', now)),
      quota('GetUsageMetrics', '199', soon),
      ...ROUTES.map((name) => quota(name, '200', now)),
    ].map((each) => ({ ...each, reset_time: each.reset_time.replace('.000Z', 'Z') })),
  });
});

const refused = await Scene.start(['--limit', 'TokenDetails=2', '--limit', '7']);
after(() => refused[Symbol.asyncDispose]());
let turn = 0;

inEach(refused.four.all, 'one call too many is told when the next will pass', async (client) => {
  // Each protocol has a minute of its own.
  refused.pass(100_000 * ++turn);
  const token = await client.auth(refused.server.secret);
  await client.tokenDetails(token);
  refused.pass(17_000.4);
  await client.tokenDetails(token);
  refused.pass(20_000);
  const failure = await failureOf(client.tokenDetails(token));
  assert.equal(failure.reason, 'RATE_LIMITED');
  assert.match(failure.message, /at most 2 calls of TokenDetails in any 60 s; .* 23000 ms/);
  assert.deepEqual(failure.localized, {
    locale: 'ru',
    message: 'Слишком много запросов. Доступный лимит - 2 запросов в минуту',
  });
  assert.deepEqual(failure.detail('RetryInfo')?.retry_delay, '23s');
  const violation = failure.detail('QuotaFailure')?.violations;
  assert.match(JSON.stringify(violation), /"quota_value":"2"/);
  const { headers } = failure;
  assert.deepEqual(figuresOf(headers), {
    name: 'TokenDetails',
    limit: 2,
    remaining: 0,
    resetSeconds: 23,
  });
  if (client.protocol === 'rest') assert.equal(headers['retry-after'], '23');
  else assert.equal(headers['grpc-retry-pushback-ms'], '23000');
  // A step of the wall clock changes nothing, and what was refused was not counted.
  refused.step(300_000);
  refused.pass(22_999);
  assert.equal((await failureOf(client.tokenDetails(token))).reason, 'RATE_LIMITED');
  refused.pass(1);
  await client.tokenDetails(token);
});

test('with callersMax callers at a time a new one hears 503, and nobody is forgotten', async () => {
  await using scene = await Scene.start(['--callers-max', '2', '--limit', 'Auth=1']);
  const { four, server } = scene;
  await four.rest1.auth(server.secret);
  await four.rest1.auth(scene.secretOf('readonly'));
  for (const client of four.all) {
    const failure = await failureOf(client.auth(scene.secretOf('every quote level')));
    assert.equal(failure.reason, 'UNAVAILABLE');
    assert.equal((await failureOf(client.auth(server.secret))).reason, 'RATE_LIMITED');
  }
  scene.pass(60_000);
  await four.rest1.auth(scene.secretOf('every quote level'));
});

test('calls that no key can be found for are taken again in the next window', async () => {
  await using scene = await Scene.start(['--address-calls-max', '1']);
  const broken = () => scene.four.rest1.send('POST', '/v1/sessions', { body: '{' });
  assert.equal((await broken()).status, 400);
  assert.equal((await broken()).status, 429);
  scene.pass(60_000);
  assert.equal((await broken()).status, 400);
});

test('and so are those of a service credential that has a budget', async () => {
  const state = { wallMs: Date.now(), monotonicMs: 1e6 };
  const clock = { now: () => state.wallMs, monotonic: () => state.monotonicMs };
  await using scene = await AdministeredServer.startWith({ clock }, '--service-calls-max=2');
  const { inside, operators } = scene;
  const ask = () => check(inside.grpc, operators.service.token, { token: 'x' });
  await ask();
  await ask();
  for (const passMs of [59_999.5, 0.5]) {
    assert.equal((await failureOf(ask())).reason, 'RATE_LIMITED');
    state.monotonicMs += passMs;
  }
  await ask();
});
