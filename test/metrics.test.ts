/** What /metrics tells, and where it is told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DescMethodUnary } from '@bufbuild/protobuf';
import { failureOf } from './clients/client.ts';
import { Four } from './clients/four.ts';
import { echoMethod } from './echo-contract.ts';
import { echoService } from './echo-service.ts';
import { HAS_SHARED_ENGINES } from './engines.ts';
import { figuresAt } from './figures.ts';
import { startHere, startServe } from './start.ts';
import { until } from './wait.ts';

test('calls are counted by method, protocol and code, and their time is measured', async () => {
  await using server = await startHere(['--limit', 'TokenDetails=3']);
  await using four = new Four(server);
  const token = await four.rest1.auth(server.secret);
  for (const client of [four.rest1, four.grpc, four.web]) await client.tokenDetails(token);
  await failureOf(four.rest2.tokenDetails(token));
  await failureOf(four.grpc.auth('wrong'));
  await fetch(`${server.url}/made/up`);
  const figures = await figuresAt(server.url);
  const requests = (method: string, protocol: string, code: string) =>
    figures.get(`propusk_requests_total{method="${method}",protocol="${protocol}",code="${code}"}`);
  assert.equal(requests('AuthService/Auth', 'rest', 'OK'), 1);
  assert.equal(requests('AuthService/Auth', 'grpc', 'UNAUTHENTICATED'), 1);
  assert.equal(requests('AuthService/TokenDetails', 'rest', 'OK'), 1);
  assert.equal(requests('AuthService/TokenDetails', 'grpc', 'OK'), 1);
  assert.equal(requests('AuthService/TokenDetails', 'grpc-web', 'OK'), 1);
  assert.equal(requests('AuthService/TokenDetails', 'rest', 'RESOURCE_EXHAUSTED'), 1);
  assert.equal(requests('none', 'rest', 'NOT_FOUND'), 1);
  assert.equal(figures.get('propusk_requests_limited_total{method="AuthService/TokenDetails"}'), 1);
  const labels = 'method="AuthService/TokenDetails",protocol="rest"';
  assert.equal(figures.get(`propusk_request_duration_seconds_count{${labels}}`), 2);
  assert.equal(figures.get(`propusk_request_duration_seconds_bucket{le="+Inf",${labels}}`), 2);
  assert.equal(figures.get('propusk_callers{kind="key"}'), 2);
  assert.equal(figures.get('propusk_callers{kind="address"}'), 1);
  assert.ok((figures.get('propusk_commit_batch_size_count') ?? 0) >= 1);
  const lookups = (cache: string, result: string) =>
    figures.get(`propusk_cache_lookups_total{cache="${cache}",result="${result}"}`) ?? 0;
  assert.equal(lookups('tokens', 'miss'), 1);
  assert.equal(lookups('tokens', 'hit'), 3);
  assert.ok(lookups('grants', 'hit') > 0);
  assert.equal(lookups('grants', 'miss'), 1);
  assert.ok(figures.has('nodejs_eventloop_lag_p99_seconds'));
  assert.equal(figures.get('propusk_buffered_request_bytes'), 0);
  // Where there is nobody to share with, nobody is to be warned.
  assert.equal(figures.get('propusk_counters_shared'), HAS_SHARED_ENGINES ? 1 : undefined);
  // What callers send makes no series: neither paths nor tokens are labels.
  assert.doesNotMatch([...figures.keys()].join(), /made|wrong/);
});

test('open streams are told while they are open', async () => {
  await using server = await startHere();
  await using four = new Four(server);
  const open = async () =>
    (await figuresAt(server.url)).get(
      'propusk_open_streams{method="AuthService/SubscribeJwtRenewal"}',
    ) ?? 0;
  for (const client of [four.grpc, four.web]) {
    for await (const _ of client.renewal(server.secret)) {
      assert.equal(await open(), 1);
      break;
    }
    await until('its end', async () => (await open()) === 0);
  }
});

test('calls that are shed are counted', async () => {
  const echo = echoService();
  await using server = await startHere(['--calls-max', '1'], {
    extraServices: [echo.registration],
  });
  await using four = new Four(server);
  const gone = new AbortController();
  const silent = echoMethod('silent') as DescMethodUnary;
  const held = four.grpc.call(silent, {}, { signal: gone.signal }).catch(() => {});
  await until('the call', () => echo.calls.length === 1);
  for (const client of four.all) await failureOf(client.auth(server.secret));
  const figures = await figuresAt(server.url);
  assert.equal(figures.get('propusk_requests_shed_total{method="AuthService/Auth"}'), 4);
  gone.abort();
  await held;
});

test('serve tells them on the internal port alone, which has nothing of the contract', async () => {
  const server = await startServe();
  try {
    const outside = `http://127.0.0.1:${server.port}`;
    const inside = `http://127.0.0.1:${server.internalPort}`;
    assert.equal((await fetch(`${outside}/metrics`)).status, 404);
    assert.equal((await fetch(`${outside}/v1/sessions`, { method: 'POST' })).status, 401);
    assert.equal((await fetch(`${inside}/v1/sessions`, { method: 'POST' })).status, 404);
    assert.equal((await fetch(`${inside}/readyz`)).status, 200);
    const figures = await figuresAt(inside);
    assert.equal(
      figures.get(
        'propusk_requests_total{method="AuthService/Auth",protocol="rest",code="UNAUTHENTICATED"}',
      ),
      1,
    );
  } finally {
    await server.stop();
  }
});

test('an internal port that is taken is told at the start, and nothing stays open', async () => {
  const first = await startServe();
  try {
    await assert.rejects(startServe(`--internal-listen=127.0.0.1:${first.internalPort}`), {
      message: /^--internal-listen 127\.0\.0\.1:\d+: the port is taken/,
    });
  } finally {
    await first.stop();
  }
});
