/** Who may do what on the paper venue, how often, and how much. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { AppError } from '../domain/errors.ts';
import { OrderStatus } from '../domain/order.ts';
import { refused } from '../store/contract-checks.ts';
import { openSqlite } from '../store/sqlite/sqlite.ts';
import { PaperVenue } from './paper.ts';
import { limit, market, NOON_MS, openVenue, SYMBOL, stateOf, statusOf } from './paper-samples.ts';

const { FILLED, CANCELED } = OrderStatus;

/** A venue over a store in memory. */
const setup = async (t: TestContext, more = {}) =>
  openVenue(t, await openSqlite('sqlite::memory:'), more);

test('what is cancelled is withdrawn, once, and by its own account alone', async (t) => {
  const { store, venue, clock } = await setup(t);
  const placed = await venue.place(limit('100'));
  await refused(venue.cancel('a2', placed.orderId), 'ORDER_NOT_FOUND');
  await refused(venue.cancel('a1', 'no-such'), 'ORDER_NOT_FOUND', /a1 has no order no-such/);
  clock.ms += 7;
  const canceled = await venue.cancel('a1', placed.orderId);
  assert.equal(canceled.withdrawAtMs, NOON_MS + 7);
  assert.equal(canceled.transactAtMs, NOON_MS + 7);
  assert.deepEqual([canceled.status, canceled.remainingQuantity], [CANCELED, '10.5']);
  assert.deepEqual(await stateOf(store, placed), canceled);
  await venue.setPrice(SYMBOL, '1');
  await refused(venue.cancel('a1', placed.orderId), 'ORDER_NOT_ACTIVE', /canceled/);
  await refused(venue.cancel('a2', placed.orderId), 'ORDER_NOT_FOUND');
  const filled = await venue.place(market());
  await refused(venue.cancel('a1', filled.orderId), 'ORDER_NOT_ACTIVE', /filled/);
  const twice = await venue.place(limit('0.5'));
  const answers = await Promise.allSettled([
    venue.cancel('a1', twice.orderId),
    venue.cancel('a1', twice.orderId),
  ]);
  assert.deepEqual(
    answers.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  );
});

test('the same order again gets the first answer again, however long ago', async (t) => {
  const { store, venue, options, clock } = await setup(t);
  await venue.setPrice(SYMBOL, '100');
  const order = market({ clientOrderId: 'mine' });
  const first = await venue.place(order);
  assert.equal(await statusOf(store, first), FILLED);
  clock.ms += 1;
  assert.deepEqual(await venue.place({ ...order }), first);
  const other = { ...order, quantity: '11' };
  await refused(venue.place(other), 'CLIENT_ORDER_ID_TAKEN', /client_order_id mine/);
  const elsewhere = await venue.place({ ...order, accountId: 'a2' });
  assert.notEqual(elsewhere.orderId, first.orderId);
  await venue.close();
  const next = await PaperVenue.open(options);
  assert.deepEqual(await next.place({ ...order }), first);
  await refused(next.place(other), 'CLIENT_ORDER_ID_TAKEN');
  await next.close();
  assert.equal((await store.orders('a1', 10)).orders.length, 1);
});

test('orders at the same time under one client order id are one order', async (t) => {
  const { store, venue } = await setup(t);
  const order = limit('100', { clientOrderId: 'mine' });
  const answers = await Promise.allSettled([
    venue.place(order),
    venue.place({ ...order, limitPrice: '101' }),
    venue.place({ ...order }),
    venue.place({ ...order, accountId: 'a2' }),
  ]);
  const [first, other, again, elsewhere] = answers;
  assert.ok(first.status === 'fulfilled' && again.status === 'fulfilled');
  assert.deepEqual(again.value, first.value);
  assert.ok(other.status === 'rejected');
  await refused(Promise.reject(other.reason), 'CLIENT_ORDER_ID_TAKEN');
  assert.equal(elsewhere.status, 'fulfilled');
  assert.equal((await store.orderChanges('a1', 0, 10)).length, 1);
});

test('there is no more room than there is, and room again when an order is done', async (t) => {
  const { venue } = await setup(t, { accountOpenOrdersMax: 2, openOrdersMax: 3, pricesMax: 2 });
  const place = (accountId: string) => venue.place(limit('1', { accountId }));
  const [first] = await Promise.all([place('a1'), place('a1')]);
  await refused(place('a1'), 'ORDERS_FULL', /a1 has 2 open orders/);
  await place('a2');
  await refused(place('a2'), 'ORDERS_FULL', /3 open orders of all accounts/);
  const answers = await Promise.allSettled([
    venue.cancel('a1', first.orderId),
    place('a1'),
    place('a1'),
  ]);
  assert.deepEqual(
    answers.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected'],
  );
  await Promise.all([venue.setPrice('A@MISX', '1'), venue.setPrice('B@MISX', '1')]);
  await refused(venue.setPrice('C@MISX', '1'), 'INVALID_REQUEST', /2 that have a price/);
  await venue.setPrice('A@MISX', '2');
});

test('a price is one of a symbol, and a positive decimal', async (t) => {
  const { venue } = await setup(t);
  await assert.rejects(venue.setPrice('SBER', '-1'), (error) => {
    assert.ok(error instanceof AppError);
    assert.equal(error.reason, 'INVALID_REQUEST');
    assert.deepEqual(
      error.options.violations?.map(({ field }) => field),
      ['symbol', 'price'],
    );
    return true;
  });
});

test('close finishes what was asked, and refuses what comes after', async (t) => {
  const { store, venue } = await setup(t);
  const asked = [venue.place(limit('1')), venue.place(limit('1'))];
  const closing = venue.close();
  await refused(venue.place(limit('1')), 'UNAVAILABLE', /closed/);
  await refused(venue.setPrice(SYMBOL, '1'), 'UNAVAILABLE');
  await closing;
  await Promise.all(asked);
  assert.equal((await store.openOrders()).length, 2);
});
