/** Orders over every protocol: placed, read, listed, cancelled, and refused. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { DescMethodUnary } from '@bufbuild/protobuf';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import {
  OrderStatus,
  OrdersService,
  OrderType,
  StopCondition,
  TimeInForce,
  ValidBefore,
} from '../src/gen/grpc/tradeapi/v1/orders/orders_service_pb.js';
import { Side } from '../src/gen/grpc/tradeapi/v1/side_pb.js';
import { type Client, endOf, failureOf } from './clients/client.ts';
import { Four, inEach } from './clients/four.ts';
import { METHODS, type OrderRequest, SYMBOL, secretOf, setPrice, Trader } from './orders.ts';
import { startHere, unique } from './start.ts';

const server = await startHere(['--limit', '100000']);
const four = new Four(server);
after(async () => {
  await four[Symbol.asyncDispose]();
  await server.stop();
});

const ACCOUNT = '1899011';
const COLON_ACCOUNT = 'TRQD05:146559';

function demo(client: Client): Promise<Trader> {
  return Trader.signIn(client, server.secret, ACCOUNT);
}

/** The fields that a refusal names, each once. */
async function badFields(trader: Trader, order: OrderRequest): Promise<string[]> {
  const failure = await failureOf(trader.placing(order));
  assert.equal(failure.code, 3, failure.message);
  assert.equal(failure.reason, 'INVALID_REQUEST');
  if (failure.httpStatus !== undefined) assert.equal(failure.httpStatus, 400);
  const found = failure.detail('BadRequest')?.field_violations as { field: string }[];
  return found.map(({ field }) => field).sort();
}

inEach(four.all, 'an order is placed, read back, listed and cancelled', async (client) => {
  const trader = await demo(client);
  const beforeMs = Date.now();
  const clientOrderId = unique();
  const placed = await trader.place({ clientOrderId, comment: 'я 🙂' });
  assert.match(placed.orderId, /./);
  assert.match(placed.execId, /./);
  assert.equal(placed.status, OrderStatus.NEW);
  const { order } = placed;
  assert.ok(order && placed.acceptAt && placed.transactAt);
  assert.equal(order.accountId, ACCOUNT);
  assert.equal(order.symbol, SYMBOL);
  assert.equal(order.side, Side.BUY);
  assert.equal(order.type, OrderType.LIMIT);
  assert.equal(order.limitPrice?.value, '250.5');
  assert.equal(order.clientOrderId, clientOrderId);
  assert.equal(order.comment, 'я 🙂');
  for (const unset of [order.stopPrice, placed.withdrawAt, placed.sltpOrder]) {
    assert.equal(unset, undefined);
  }
  assert.equal(order.stopCondition, StopCondition.UNSPECIFIED);
  assert.equal(placed.initialQuantity?.value, '10');
  assert.equal(placed.executedQuantity?.value, '0');
  assert.equal(placed.remainingQuantity?.value, '10');
  const acceptMs = timestampMs(placed.acceptAt);
  assert.ok(acceptMs >= beforeMs && acceptMs <= Date.now());

  assert.deepEqual(await trader.get(placed.orderId), placed);
  assert.deepEqual(
    (await trader.list()).find(({ orderId }) => orderId === placed.orderId),
    placed,
  );

  const cancelled = await trader.cancel(placed.orderId);
  assert.equal(cancelled.orderId, placed.orderId);
  assert.equal(cancelled.status, OrderStatus.CANCELED);
  assert.notEqual(cancelled.execId, placed.execId);
  assert.ok(cancelled.withdrawAt);
  assert.deepEqual(cancelled.order, placed.order);
  assert.deepEqual(await trader.get(placed.orderId), cancelled);
});

test('an order that one protocol placed is the same over all, and cancelled by any', async () => {
  const trader = await demo(four.grpc);
  const placed = await trader.place({
    type: OrderType.MULTI_LEG,
    limitPrice: undefined,
    legs: LEGS,
  });
  for (const client of four.all) {
    assert.deepEqual(await trader.over(client).get(placed.orderId), placed);
  }
  await trader.over(four.rest1).cancel(placed.orderId);
  const states = await Promise.all(four.all.map((c) => trader.over(c).get(placed.orderId)));
  for (const state of states) {
    assert.equal(state.status, OrderStatus.CANCELED);
    assert.deepEqual(state, states[0]);
  }
});

const LEGS = [
  { symbol: 'SBER@MISX', quantity: { value: '1' }, side: Side.BUY },
  { symbol: 'GAZP@MISX', quantity: { value: '2.5' }, side: Side.SELL },
];

test('every type of order is taken with what it needs, and says it again', async () => {
  const trader = await demo(four.web);
  const stop = { stopPrice: { value: '260' }, stopCondition: StopCondition.LAST_UP };
  const none = { limitPrice: undefined };
  for (const change of [
    { ...none, type: OrderType.MARKET, timeInForce: TimeInForce.DAY },
    { type: OrderType.LIMIT, timeInForce: TimeInForce.GOOD_TILL_CANCEL },
    { ...none, ...stop, type: OrderType.STOP, validBefore: ValidBefore.GOOD_TILL_CANCEL },
    { ...stop, type: OrderType.STOP_LIMIT, validBefore: ValidBefore.END_OF_DAY },
    { ...none, type: OrderType.MULTI_LEG, legs: LEGS },
  ] satisfies OrderRequest[]) {
    // Nobody has set a price of it.
    const { status, order } = await trader.place({ symbol: 'TYPES@MISX', ...change });
    assert.equal(status, OrderStatus.NEW, OrderType[change.type]);
    assert.ok(order);
    assert.equal(order.type, change.type);
    if ('validBefore' in change) assert.equal(order.validBefore, change.validBefore);
    if ('stopPrice' in change) {
      assert.equal(order.stopPrice?.value, '260');
      assert.equal(order.stopCondition, StopCondition.LAST_UP);
    }
    const legs = order.legs.map((leg) => [leg.symbol, leg.quantity?.value, leg.side]);
    const expected = LEGS.map((leg) => [leg.symbol, leg.quantity.value, leg.side]);
    assert.deepEqual(legs, 'legs' in change ? expected : []);
  }
});

inEach(
  four.all,
  'every field that is wrong is named, in the words of the contract',
  async (client) => {
    const trader = await demo(client);
    const placeholders = {
      symbol: 'string',
      quantity: { value: 'string' },
      side: Side.UNSPECIFIED,
      type: OrderType.UNSPECIFIED,
      timeInForce: TimeInForce.UNSPECIFIED,
      limitPrice: { value: 'string' },
      stopPrice: { value: 'string' },
      stopCondition: StopCondition.UNSPECIFIED,
      legs: [{ symbol: 'string', quantity: { value: 'string' }, side: Side.UNSPECIFIED }],
      clientOrderId: 'string',
      validBefore: ValidBefore.UNSPECIFIED,
      comment: 'string',
    };
    assert.deepEqual(await badFields(trader, placeholders), [
      'legs[0].quantity',
      'legs[0].side',
      'legs[0].symbol',
      'limit_price',
      'quantity',
      'side',
      'stop_price',
      'symbol',
      'type',
    ]);
    const cases: [OrderRequest, string[]][] = [
      [{ limitPrice: undefined }, ['limit_price']],
      [{ quantity: { value: '1e3' }, limitPrice: { value: '0' } }, ['limit_price', 'quantity']],
      [{ quantity: { value: '-1' } }, ['quantity']],
      [{ stopPrice: { value: '1' }, stopCondition: StopCondition.LAST_DOWN }, STOP_FIELDS],
      [{ type: OrderType.STOP, limitPrice: undefined }, STOP_FIELDS],
      [{ type: OrderType.MULTI_LEG, limitPrice: undefined }, ['legs']],
      [{ clientOrderId: 'x'.repeat(21), comment: 'x'.repeat(129) }, ['client_order_id', 'comment']],
      [{ validBefore: ValidBefore.END_OF_DAY }, ['valid_before']],
    ];
    for (const [change, fields] of cases) assert.deepEqual(await badFields(trader, change), fields);
  },
);

const STOP_FIELDS = ['stop_condition', 'stop_price'];

test('a number of an enum that the contract does not know is wrong, not nothing', async () => {
  const trader = await demo(four.grpc);
  const change = { side: 9 as Side, type: 99 as OrderType, timeInForce: 77 as TimeInForce };
  assert.deepEqual(await badFields(trader, change), ['side', 'time_in_force', 'type']);
});

inEach(four.all, 'the same order under its client order id is placed once', async (client) => {
  const trader = await demo(client);
  const clientOrderId = unique();
  const first = await trader.place({ clientOrderId });
  assert.deepEqual(await trader.place({ clientOrderId }), first);
  for (const other of four.all) {
    assert.deepEqual(await trader.over(other).place({ clientOrderId }), first);
  }
  // Told as it was the first time, whatever has become of it.
  await trader.cancel(first.orderId);
  assert.deepEqual(await trader.place({ clientOrderId }), first);

  const failure = await failureOf(trader.placing({ clientOrderId, quantity: { value: '11' } }));
  assert.equal(failure.code, 6);
  assert.equal(failure.reason, 'CLIENT_ORDER_ID_TAKEN');
  if (failure.httpStatus !== undefined) assert.equal(failure.httpStatus, 409);
  const ours = (await trader.list()).filter(({ order }) => order?.clientOrderId === clientOrderId);
  assert.equal(ours.length, 1);
});

test('at the same time and over different protocols it is placed once as well', async () => {
  const trader = await demo(four.rest1);
  for (let round = 0; round < 10; round++) {
    const clientOrderId = unique();
    const asked = [...four.all, ...four.all].map((client) => trader.over(client));
    const states = await Promise.all(asked.map((each) => each.place({ clientOrderId })));
    for (const state of states) assert.deepEqual(state, states[0]);
    const isOurs = (each: { order?: { clientOrderId: string } | undefined }) =>
      each.order?.clientOrderId === clientOrderId;
    assert.equal((await trader.list()).filter(isOurs).length, 1);
  }
});

test('of two different orders under one id, at the same time, one is placed', async () => {
  const trader = await demo(four.rest2);
  for (let round = 0; round < 10; round++) {
    const clientOrderId = unique();
    const outcomes = await Promise.allSettled(
      four.all.map((client, i) =>
        trader.over(client).place({ clientOrderId, quantity: { value: String(i + 1) } }),
      ),
    );
    const placed = outcomes.filter(({ status }) => status === 'fulfilled');
    assert.equal(placed.length, 1);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected')
        assert.equal(outcome.reason.reason, 'CLIENT_ORDER_ID_TAKEN');
    }
  }
});

test('an id is unique in its account alone', async () => {
  const clientOrderId = unique();
  const mine = await (await demo(four.grpc)).place({ clientOrderId });
  const levels = secretOf(server, 'demo-levels');
  const other = await Trader.signIn(four.grpc, levels, COLON_ACCOUNT);
  const theirs = await other.place({ clientOrderId, quantity: { value: '7' } });
  assert.notEqual(theirs.orderId, mine.orderId);
});

inEach(
  four.all,
  'an order that is not there is not found, nor is that of another',
  async (client) => {
    const trader = await demo(client);
    const { orderId } = await trader.place();
    const levels = secretOf(server, 'demo-levels');
    const stranger = await Trader.signIn(client, levels, COLON_ACCOUNT);
    for (const work of [
      () => trader.get('nothing'),
      () => trader.cancel('nothing'),
      () => stranger.get(orderId),
      () => stranger.cancel(orderId),
    ]) {
      const failure = await failureOf(work());
      assert.equal(failure.code, 5);
      assert.equal(failure.reason, 'ORDER_NOT_FOUND');
      assert.equal(failure.localized, undefined);
      if (failure.httpStatus !== undefined) assert.equal(failure.httpStatus, 404);
    }
    assert.equal((await trader.get(orderId)).status, OrderStatus.NEW);
  },
);

inEach(four.all, 'what is cancelled or filled cannot be cancelled', async (client) => {
  const trader = await demo(client);
  const { orderId } = await trader.place();
  await trader.cancel(orderId);
  await setPrice(client, 'FILLED@MISX', '100');
  const market = { type: OrderType.MARKET, limitPrice: undefined, symbol: 'FILLED@MISX' };
  const filled = await trader.place(market);
  for (const id of [orderId, filled.orderId]) {
    const failure = await failureOf(trader.cancel(id));
    assert.equal(failure.code, 9);
    assert.equal(failure.reason, 'ORDER_NOT_ACTIVE');
    if (failure.httpStatus !== undefined) assert.equal(failure.httpStatus, 400);
  }
  assert.equal((await trader.get(filled.orderId)).status, OrderStatus.FILLED);
});

test('a stop-loss order and the stream of wishes are not offered, whoever asks', async () => {
  const trader = await demo(four.grpc);
  for (const client of four.all) {
    for (const metadata of [{}, { authorization: trader.token }]) {
      const failure = await failureOf(
        client.call(METHODS.placeSLTPOrder, { accountId: ACCOUNT }, { metadata }),
      );
      assert.equal(failure.code, 12);
      assert.equal(failure.reason, 'NOT_OFFERED');
      assert.match(failure.message, /OrdersService\/PlaceSLTPOrder/);
      if (failure.httpStatus !== undefined) assert.equal(failure.httpStatus, 501);
    }
  }
  const failure = await endOf(four.grpc.stream(METHODS.subscribeOrderTrade, []));
  assert.equal(failure.reason, 'NOT_OFFERED');
});

inEach(four.streaming, "the API's other services are named as not there", async (client) => {
  const names = ['accounts.AccountsService', 'assets.AssetsService', 'reports.ReportsService'];
  for (const name of [...names, 'marketdata.MarketDataService']) {
    const unknown = {
      ...METHODS.getOrder,
      name: 'GetThing',
      parent: { ...OrdersService, typeName: `grpc.tradeapi.v1.${name}` },
    };
    const failure = await failureOf(client.call(unknown as unknown as DescMethodUnary, {}));
    assert.equal(failure.code, 12);
    assert.equal(failure.reason, 'METHOD_NOT_FOUND');
    assert.equal(failure.message, `nothing answers /grpc.tradeapi.v1.${name}/GetThing`);
  }
});

test('final orders are told up to 500, the newest; open ones all', async () => {
  await using other = await startHere(['--limit', '100000']);
  await using clients = new Four(other);
  const trader = await Trader.signIn(clients.grpc, other.secret, ACCOUNT);
  const open = await trader.place();
  const done: string[] = [];
  for (let i = 0; i < 26; i++) {
    const placed = await Promise.all(Array.from({ length: 20 }, () => trader.place()));
    await Promise.all(placed.map(({ orderId }) => trader.cancel(orderId)));
    done.push(...placed.map(({ orderId }) => orderId));
  }
  const last = await trader.place();
  const listed = (await trader.list()).map(({ orderId }) => orderId);
  assert.deepEqual(new Set(listed), new Set([open.orderId, ...done.slice(-500), last.orderId]));
  assert.equal(listed[0], open.orderId);
  assert.equal(listed.at(-1), last.orderId);
});
