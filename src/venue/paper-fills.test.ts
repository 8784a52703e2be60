/** What prices do to orders on the paper venue. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { OrderStatus, OrderType, Side, StopCondition, TimeInForce } from '../domain/order.ts';
import { openSqlite } from '../store/sqlite/sqlite.ts';
import { PaperVenue } from './paper.ts';
import {
  limit,
  market,
  multiLeg,
  NOON_MS,
  openVenue,
  SYMBOL,
  stateOf,
  statusOf,
  stop,
} from './paper-samples.ts';

const { NEW, FILLED, CANCELED } = OrderStatus;
const { IOC, FOK, ON_OPEN, ON_CLOSE } = TimeInForce;
const { LAST_UP, LAST_DOWN } = StopCondition;

/** A venue over a store in memory. */
const setup = async (t: TestContext, more = {}) =>
  openVenue(t, await openSqlite('sqlite::memory:'), more);

test('an order without a price stands as NEW, whole and with its times', async (t) => {
  const { store, venue } = await setup(t);
  const order = market();
  const placed = await venue.place(order);
  const { orderId, execId, ...rest } = placed;
  assert.deepEqual(rest, {
    status: NEW,
    order,
    transactAtMs: NOON_MS,
    acceptAtMs: NOON_MS,
    withdrawAtMs: null,
    triggeredAtMs: null,
    initialQuantity: '10.5',
    executedQuantity: '0',
    remainingQuantity: '10.5',
  });
  assert.notEqual(orderId, execId);
  assert.deepEqual(await stateOf(store, placed), placed);
});

test('a market order fills at the price, and makes a trade', async (t) => {
  const { store, venue, clock } = await setup(t);
  await venue.setPrice(SYMBOL, '0300.50');
  clock.ms += 5;
  const placed = await venue.place(market({ side: Side.SELL }));
  assert.equal(placed.status, NEW, 'it is answered as it was taken');
  const { execId, ...state } = await stateOf(store, placed);
  assert.notEqual(execId, placed.execId);
  assert.deepEqual(state, {
    ...{ orderId: placed.orderId, order: placed.order, initialQuantity: '10.5' },
    ...{ status: FILLED, executedQuantity: '10.5', remainingQuantity: '0' },
    ...{ acceptAtMs: NOON_MS + 5, transactAtMs: NOON_MS + 5 },
    ...{ withdrawAtMs: null, triggeredAtMs: null },
  });
  const [trade, ...others] = await store.trades('a1', 0, 10);
  assert.ok(trade !== undefined && others.length === 0);
  const { tradeId, sequence, ...told } = trade;
  assert.ok(tradeId !== '' && sequence > 0);
  assert.deepEqual(told, {
    ...{ orderId: placed.orderId, accountId: 'a1', symbol: SYMBOL, side: Side.SELL },
    ...{ price: '300.5', size: '10.5', atMs: NOON_MS + 5, comment: placed.order.comment },
  });
});

test('a market order that waits for a price takes the first one', async (t) => {
  const { store, venue } = await setup(t);
  const placed = await venue.place(market());
  await venue.setPrice('GAZP@MISX', '1');
  assert.equal(await statusOf(store, placed), NEW);
  await venue.setPrice(SYMBOL, '7');
  assert.equal(await statusOf(store, placed), FILLED);
  await venue.setPrice(SYMBOL, '8');
  const trades = await store.trades('a1', 0, 10);
  assert.deepEqual(
    trades.map(({ price }) => price),
    ['7'],
  );
});

test('a limit order fills at the price as soon as that is as good as its limit', async (t) => {
  const { store, venue } = await setup(t);
  const cases: readonly [Side, readonly [price: string, fills: boolean][]][] = [
    [
      Side.BUY,
      [
        ['100.01', false],
        ['100', true],
        ['99.99', true],
      ],
    ],
    [
      Side.SELL,
      [
        ['99.99', false],
        ['100', true],
        ['100.01', true],
      ],
    ],
  ];
  for (const [side, prices] of cases) {
    for (const [price, fills] of prices) {
      await venue.setPrice(SYMBOL, price);
      const atOnce = await venue.place(limit('100', { side }));
      assert.equal(await statusOf(store, atOnce), fills ? FILLED : NEW, `${side} at ${price}`);
      const far = side === Side.BUY ? '1000' : '1';
      await venue.setPrice(SYMBOL, far);
      const waits = await venue.place(limit('100', { side }));
      assert.equal(await statusOf(store, waits), NEW);
      await venue.setPrice(SYMBOL, price);
      assert.equal(await statusOf(store, waits), fills ? FILLED : NEW, `${side} until ${price}`);
      await venue.setPrice(SYMBOL, side === Side.BUY ? '1' : '1000');
    }
  }
  for (const { price, side } of await store.trades('a1', 0, 100)) {
    assert.ok(side === Side.BUY ? Number(price) <= 100 : Number(price) >= 100, `${side} ${price}`);
  }
});

test('a stop waits for its price and is a market order then', async (t) => {
  const { store, venue, clock } = await setup(t);
  const up = await venue.place(stop('110', { stopCondition: LAST_UP, side: Side.BUY }));
  const down = await venue.place(stop('90', { stopCondition: LAST_DOWN, side: Side.SELL }));
  await venue.setPrice(SYMBOL, '109.99');
  await venue.setPrice(SYMBOL, '90.01');
  assert.deepEqual([await statusOf(store, up), await statusOf(store, down)], [NEW, NEW]);
  clock.ms += 1_000;
  await venue.setPrice(SYMBOL, '110');
  await venue.setPrice(SYMBOL, '89');
  for (const placed of [up, down]) {
    const state = await stateOf(store, placed);
    assert.deepEqual([state.status, state.triggeredAtMs], [FILLED, NOON_MS + 1_000]);
  }
  const trades = await store.trades('a1', 0, 10);
  assert.deepEqual(
    trades.map(({ price }) => price),
    ['110', '89'],
  );
  const late = await venue.place(stop('50', { stopCondition: LAST_UP }));
  assert.equal(await statusOf(store, late), FILLED, 'a price that is past it already triggers it');
});

test('a stop-limit order is a limit order once its price was there, after a restart too', async (t) => {
  const { store, venue, options } = await setup(t);
  const order = stop('110', { type: OrderType.STOP_LIMIT, limitPrice: '105' });
  const placed = await venue.place(order);
  await venue.setPrice(SYMBOL, '100');
  assert.equal(await statusOf(store, placed), NEW, 'its limit alone does not count');
  await venue.setPrice(SYMBOL, '110');
  const state = await stateOf(store, placed);
  assert.deepEqual([state.status, state.triggeredAtMs], [NEW, NOON_MS]);
  await venue.close();
  const next = await PaperVenue.open(options);
  await next.setPrice(SYMBOL, '106');
  assert.equal(await statusOf(store, placed), NEW);
  await next.setPrice(SYMBOL, '104');
  assert.equal(await statusOf(store, placed), FILLED);
  const atOnce = await next.place({ ...order, clientOrderId: 'other', stopPrice: '104' });
  assert.equal(await statusOf(store, atOnce), FILLED, 'both prices at once');
  const changes = await store.orderChanges('a1', 0, 10);
  assert.deepEqual(
    changes.map(({ status }) => status),
    [NEW, NEW, FILLED, NEW, FILLED],
  );
  await next.close();
});

test('IOC and FOK are done at once or not at all', async (t) => {
  const { store, venue } = await setup(t);
  for (const timeInForce of [IOC, FOK]) {
    const symbol = timeInForce === IOC ? 'IOC@MISX' : 'FOK@MISX';
    const place = async (order = market({ symbol, timeInForce })) =>
      stateOf(store, await venue.place(order));
    const unpriced = await place();
    assert.deepEqual([unpriced.status, unpriced.withdrawAtMs], [CANCELED, NOON_MS]);
    assert.deepEqual([unpriced.executedQuantity, unpriced.remainingQuantity], ['0', '10.5']);
    await venue.setPrice(symbol, '100');
    assert.equal((await place()).status, FILLED);
    assert.equal((await place(limit('99', { symbol, timeInForce }))).status, CANCELED);
    assert.equal((await place(limit('101', { symbol, timeInForce }))).status, FILLED);
  }
  assert.deepEqual(await store.openOrders(), []);
});

test('orders with several legs, or for an auction, stand whatever the price', async (t) => {
  const { store, venue } = await setup(t);
  await venue.setPrice(SYMBOL, '100');
  const orders = [multiLeg(), market({ timeInForce: ON_OPEN })];
  orders.push(limit('1000', { timeInForce: ON_CLOSE }));
  const placed = await Promise.all(orders.map((order) => venue.place(order)));
  await venue.setPrice(SYMBOL, '99');
  for (const state of placed) assert.equal(await statusOf(store, state), NEW);
  const [legs] = placed;
  assert.ok(legs);
  const canceled = await venue.cancel('a1', legs.orderId);
  assert.deepEqual(canceled.order, legs.order);
  assert.equal(canceled.status, CANCELED);
});

test('of several orders the one placed first is first', async (t) => {
  const { store, venue } = await setup(t);
  const placed = [];
  for (const price of ['100', '102', '101']) placed.push(await venue.place(limit(price)));
  await venue.setPrice(SYMBOL, '99');
  const trades = await store.trades('a1', 0, 10);
  assert.deepEqual(
    trades.map(({ orderId }) => orderId),
    placed.map(({ orderId }) => orderId),
  );
});

test('a price stays until another is set, also when the venue is opened again', async (t) => {
  const { store, venue, options } = await setup(t);
  await venue.setPrice(SYMBOL, '100');
  const before = await venue.place(market());
  await venue.close();
  const next = await PaperVenue.open(options);
  const after = await next.place(market());
  const other = await next.place(market({ symbol: 'GAZP@MISX' }));
  const placed = [before, after, other];
  const statuses = await Promise.all(placed.map((each) => statusOf(store, each)));
  assert.deepEqual(statuses, [FILLED, FILLED, NEW]);
  await next.close();
});
