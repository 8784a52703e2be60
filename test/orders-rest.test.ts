/** What REST alone has of orders: paths, the JSON of requests and answers, and the document. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Four } from './clients/four.ts';
import type { RestClient } from './clients/rest.ts';
import { secretOf } from './orders.ts';
import { startHere, unique } from './start.ts';

const server = await startHere(['--limit', '100000']);
const four = new Four(server);
after(async () => {
  await four[Symbol.asyncDispose]();
  await server.stop();
});

const ACCOUNT = 'TRQD05:146559';
const authorization = `Bearer ${await four.rest1.auth(secretOf(server, 'demo-levels'))}`;

/** Sends JSON as it stands, and reads the answer's. */
async function send(client: RestClient, verb: string, target: string, body?: string) {
  const answer = await client.send(verb, target, { headers: { authorization }, body });
  return { status: answer.status, json: JSON.parse(answer.text) };
}

const LIMIT = {
  symbol: 'SBER@MISX',
  quantity: { value: '10.50' },
  side: 'SIDE_SELL',
  type: 'ORDER_TYPE_LIMIT',
  limit_price: { value: '250' },
};

for (const client of [four.rest1, four.rest2]) {
  test(`an account with a colon, as it is and escaped, over ${client.name}`, async () => {
    for (const name of [ACCOUNT, encodeURIComponent(ACCOUNT)]) {
      const orders = `/v1/accounts/${name}/orders`;
      const placed = await send(client, 'POST', orders, JSON.stringify(LIMIT));
      assert.equal(placed.status, 200, JSON.stringify(placed.json));
      assert.equal(placed.json.order.account_id, ACCOUNT);
      const order = `${orders}/${placed.json.order_id}`;
      assert.deepEqual((await send(client, 'GET', order)).json, placed.json);
      const { orders: listed } = (await send(client, 'GET', orders)).json;
      assert.deepEqual(listed.at(-1), placed.json);
      const cancelled = await send(client, 'DELETE', order);
      assert.equal(cancelled.json.status, 'ORDER_STATUS_CANCELED');
    }
  });
}

const ORDERS = `/v1/accounts/${ACCOUNT}/orders`;

test('an answer has zero values, names of enums, decimals as texts, and nothing that is unset', async () => {
  const client_order_id = unique();
  const body = JSON.stringify({ ...LIMIT, client_order_id });
  const { json } = await send(four.rest1, 'POST', ORDERS, body);
  const { order_id, exec_id, transact_at, accept_at, ...rest } = json;
  for (const id of [order_id, exec_id]) assert.match(id, /^[\w-]+$/);
  for (const at of [transact_at, accept_at]) assert.match(at, /^\d{4}-.*Z$/);
  assert.deepEqual(rest, {
    status: 'ORDER_STATUS_NEW',
    order: {
      account_id: ACCOUNT,
      symbol: 'SBER@MISX',
      quantity: { value: '10.5' },
      side: 'SIDE_SELL',
      type: 'ORDER_TYPE_LIMIT',
      time_in_force: 'TIME_IN_FORCE_DAY',
      limit_price: { value: '250' },
      stop_condition: 'STOP_CONDITION_UNSPECIFIED',
      legs: [],
      client_order_id,
      valid_before: 'VALID_BEFORE_UNSPECIFIED',
      comment: '',
    },
    initial_quantity: { value: '10.5' },
    executed_quantity: { value: '0' },
    remaining_quantity: { value: '10.5' },
    triggered_order_id: '',
  });
});

test('legs are a list, or an object with the keys "0" to "n-1", as the Python sample sends them', async () => {
  const leg = (symbol: string) => ({ symbol, quantity: { value: '1' }, side: 'SIDE_BUY' });
  const legs = [leg('SBER@MISX'), leg('GAZP@MISX')];
  const order = { ...LIMIT, type: 'ORDER_TYPE_MULTI_LEG', limit_price: { value: '' } };
  for (const form of [legs, { ...legs }]) {
    const { status, json } = await send(
      four.rest1,
      'POST',
      ORDERS,
      JSON.stringify({ ...order, legs: form }),
    );
    assert.equal(status, 200, JSON.stringify(json));
    assert.deepEqual(json.order.legs, legs);
  }
  const bad = { '0': { ...legs[0], side: 'SIDE_UNSPECIFIED' } };
  const { json } = await send(four.rest1, 'POST', ORDERS, JSON.stringify({ ...order, legs: bad }));
  assert.match(JSON.stringify(json.details), /legs\[0\]\.side/);
});

test('the path beats the body; camelCase is read, and what is not known ignored', async () => {
  const { limit_price, ...rest } = LIMIT;
  const body = { ...rest, limitPrice: limit_price, accountId: '1899011', unknown: [1] };
  const { status, json } = await send(four.rest1, 'POST', ORDERS, JSON.stringify(body));
  assert.equal(status, 200, JSON.stringify(json));
  assert.equal(json.order.account_id, ACCOUNT);
  assert.deepEqual(json.order.limit_price, limit_price);
});

test('a number in the place of a decimal names its field, as all that is wrong in kind', async () => {
  const body = { ...LIMIT, quantity: 10, limit_price: { value: 250.5 }, legs: 'none' };
  const { status, json } = await send(four.rest1, 'POST', ORDERS, JSON.stringify(body));
  assert.equal(status, 400);
  const request = json.details.find((each: { '@type': string }) =>
    each['@type'].endsWith('BadRequest'),
  );
  const fields = request.field_violations.map(({ field }: { field: string }) => field);
  assert.deepEqual(fields.sort(), ['legs', 'limit_price.value', 'quantity']);
});

test('another verb is told which there are', async () => {
  const answer = await four.rest1.send('PUT', ORDERS, { headers: { authorization }, body: '{}' });
  assert.equal(answer.status, 405);
  assert.equal(answer.headers.allow, 'GET, POST');
});

test('the document has every route, what it needs and how it fails', async () => {
  const { paths } = (await send(four.rest1, 'GET', '/openapi.json')).json;
  const order = '/v1/accounts/{account_id}/orders/{order_id}';
  for (const [path, verb, statuses] of [
    ['/v1/accounts/{account_id}/orders', 'post', [400, 401, 403, 404, 409, 429, 501]],
    ['/v1/accounts/{account_id}/orders', 'get', [400, 401, 404, 429, 501]],
    [order, 'get', [400, 401, 404, 429, 501]],
    [order, 'delete', [400, 401, 403, 404, 429, 501]],
    ['/v1/accounts/{account_id}/sltp-orders', 'post', [400, 401, 403, 404, 429, 501]],
  ] as const) {
    const operation = paths[path]?.[verb];
    assert.ok(operation, `${verb} ${path}`);
    assert.deepEqual(operation.security, [{ token: [] }]);
    const told = Object.keys(operation.responses);
    for (const status of statuses) assert.ok(told.includes(String(status)), `${path} ${status}`);
  }
  assert.ok(paths['/v1/simulation/prices'].post, 'dev has the simulation');
});

test('errors on purpose: by code, by status and by reason', async () => {
  const faults = ['PlaceOrder=READONLY_ACCOUNT', 'CancelOrder=NOT_FOUND', 'PlaceSLTPOrder=503'];
  await assert.rejects(startHere(['--fault', 'GetOrders=403']), /GetOrders does not answer 403/);
  await using other = await startHere(faults.flatMap((fault) => ['--fault', fault]));
  await using clients = new Four(other);
  const token = await clients.rest1.auth(other.secret);
  const ask = async (verb: string, target: string) => {
    const request = { headers: { authorization: token }, ...(verb === 'POST' && { body: '{}' }) };
    const { status, text } = await clients.rest1.send(verb, target, request);
    return [status, JSON.parse(text).details[0].reason];
  };
  const orders = '/v1/accounts/1899011/orders';
  assert.deepEqual(await ask('POST', orders), [403, 'READONLY_ACCOUNT']);
  assert.deepEqual(await ask('DELETE', `${orders}/x`), [404, 'ACCOUNT_NOT_IN_TOKEN']);
  assert.deepEqual(await ask('POST', '/v1/accounts/1899011/sltp-orders'), [503, 'UNAVAILABLE']);
});
