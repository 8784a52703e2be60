/** 200 calls of a method by one key in any 60 seconds, told alike in every protocol. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { type Client, failureOf } from './clients/client.ts';
import { inEach } from './clients/four.ts';
import { type Figures, figuresOf, Scene } from './limits-scene.ts';
import { writeKey } from './steps.ts';

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

/** How many of so many calls at once are answered; the others must be refused by the limit. */
async function passing(scene: Scene, calls: number, call: (client: Client) => Promise<unknown>) {
  const { all } = scene.four;
  const results = await Promise.all(
    Array.from({ length: calls }, (_, i) =>
      call(all[i % all.length] as Client).then(
        () => 'passed',
        (error) => error.reason,
      ),
    ),
  );
  const counts = Map.groupBy(results, (result) => result);
  assert.deepEqual(
    [...counts.keys()].filter((key) => !['passed', 'RATE_LIMITED'].includes(key)),
    [],
  );
  return counts.get('passed')?.length ?? 0;
}

test('of 1,000 concurrent calls of one key over all protocols, exactly 200 pass', async () => {
  await using scene = await Scene.start();
  const { four, server } = scene;
  assert.equal(await passing(scene, 1000, (client) => client.auth(server.secret)), 200);
  // Another method has a limit of its own, and so has another key.
  const token = await four.grpc.auth(scene.secretOf('readonly'));
  assert.equal(await passing(scene, 1000, (client) => client.tokenDetails(token)), 200);
  await four.rest1.auth(scene.secretOf('every quote level'));
});

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

test('a key may have limits of its own', async () => {
  await using scene = await Scene.start();
  const { store } = scene.server.server;
  await writeKey(store, 'demo-levels', { callsMax: { Auth: 3, TokenDetails: 1000 } });
  const secret = scene.secretOf('every quote level');
  const token = await scene.four.grpc.auth(secret);
  assert.equal(await passing(scene, 20, (client) => client.auth(secret)), 2);
  assert.equal(await passing(scene, 300, (client) => client.tokenDetails(token)), 300);
});

test('a renewal stream counts once, when it is subscribed to', async () => {
  await using scene = await Scene.start(['--limit', 'SubscribeJwtRenewal=2']);
  const { four, server } = scene;
  for (const client of four.streaming) {
    for await (const token of client.renewal(server.secret)) {
      assert.ok(token);
      break;
    }
  }
  const failure = await failureOf(Array.fromAsync(four.grpc.renewal(server.secret)));
  assert.equal(failure.reason, 'RATE_LIMITED');
  assert.equal(figuresOf(failure.headers).name, 'SubscribeJwtRenewal');
});

test('guesses count for their address, and honest callers from there go on', async () => {
  await using scene = await Scene.start(['--address-calls-max', '8']);
  const { four, server } = scene;
  const guesses: ((client: Client) => Promise<unknown>)[] = [
    (client) => client.auth('psk_guess'),
    (client) => client.tokenDetails('a.b.c'),
    (client) => client.usage('a.b.c'),
  ];
  let left = 8;
  for (const [i, guess] of [...guesses, ...guesses, ...guesses].entries()) {
    const client = four.all[i % 4] as Client;
    const failure = await failureOf(guess(client));
    left = Math.max(0, left - 1);
    assert.equal(failure.code, i < 8 ? 16 : 8, `guess ${i}`);
    const { name, limit, remaining } = figuresOf(failure.headers);
    assert.deepEqual([name, limit, remaining], ['address', 8, left]);
  }
  // Broken requests cannot be tied to a key either.
  const broken = await four.rest1.send('POST', '/v1/sessions', { body: '{' });
  assert.equal(broken.status, 429);
  const token = await four.web.auth(server.secret);
  await four.grpc.tokenDetails(token);
  scene.pass(60_000);
  assert.equal((await four.rest1.send('POST', '/v1/sessions', { body: '{' })).status, 400);
});

test('who held a good token hears that it is over, whatever others of the address guess', async () => {
  await using scene = await Scene.start(['--address-calls-max', '3', '--limit', 'TokenDetails=5']);
  const { four, server } = scene;
  const token = await four.rest1.auth(server.secret);
  scene.pass(16 * 60_000);
  const ask = async (client: Client, text: string) => {
    const { code, headers } = await failureOf(client.tokenDetails(text));
    const { name, remaining } = figuresOf(headers);
    return [code, name, remaining];
  };
  // What was good once and what never was look alike.
  assert.deepEqual(await ask(four.grpc, token), [16, 'address', 2]);
  assert.deepEqual(await ask(four.grpc, 'a.b.c'), [16, 'address', 1]);
  assert.deepEqual(await ask(four.web, 'a.b.c'), [16, 'address', 0]);
  assert.deepEqual(await ask(four.web, 'a.b.c'), [8, 'address', 0]);
  for (let i = 0; i < 5; i++) {
    assert.deepEqual(await ask(four.all[i % 4] as Client, token), [16, 'address', 0]);
  }
  // Such calls count for the key.
  assert.deepEqual(await ask(four.rest2, token), [8, 'address', 0]);
  assert.ok(await four.rest1.auth(server.secret));
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
