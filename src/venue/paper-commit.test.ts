/** The paper venue when what it records is not recorded, or nobody knows whether it is. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { AppError } from '../domain/errors.ts';
import { OrderStatus } from '../domain/order.ts';
import { refused } from '../store/contract-checks.ts';
import { placed } from '../store/contract-samples.ts';
import { openSqlite } from '../store/sqlite/sqlite.ts';
import type { Store } from '../store/store.ts';
import type { FaultyStore } from './faulty-store.ts';
import { PaperVenue } from './paper.ts';
import { HOUR_MS, limit, market, openVenue, SYMBOL } from './paper-samples.ts';

const { NEW, FILLED, EXPIRED } = OrderStatus;

/** A venue over a store in memory. */
const setup = async (t: TestContext) => openVenue(t, await openSqlite('sqlite::memory:'));

async function statusesOf(store: Store, accountId = 'a1'): Promise<OrderStatus[]> {
  const { orders } = await store.orders(accountId, 100);
  return orders.map(({ status }) => status);
}

/** Keeps recordings waiting until the returned function is called. */
function hold(faults: FaultyStore): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  faults.gate = promise;
  return resolve;
}

test('what is not recorded is not so: all of the round fails, and the next one is done', async (t) => {
  const { store, faults, venue } = await setup(t);
  const before = await venue.place(limit('100'));
  faults.fates.push('refused');
  const order = limit('50');
  const failing = [
    venue.place(order),
    // Refused by what this round did, which is not so in the end.
    venue.place({ ...order, limitPrice: '51' }),
    venue.cancel('a1', before.orderId),
    venue.setPrice(SYMBOL, '75'),
  ];
  for (const promise of failing) await refused(promise, 'UNAVAILABLE');
  assert.deepEqual(await statusesOf(store), [NEW]);
  const waits = await venue.place(market());
  assert.equal((await store.order('a1', waits.orderId))?.status, NEW, 'there is no price');
  await venue.place(order);
  await venue.setPrice(SYMBOL, '75');
  assert.deepEqual(await statusesOf(store), [FILLED, FILLED, NEW]);
});

test('what was recorded is so, although nobody was told: a retry places nothing twice', async (t) => {
  const { store, faults, venue } = await setup(t);
  const order = limit('100');
  faults.fates.push('lost');
  await refused(venue.place(order), 'UNAVAILABLE');
  const again = await venue.place(order);
  assert.deepEqual(await store.placedOrder('a1', order.clientOrderId), again);
  assert.equal((await store.orderChanges('a1', 0, 10)).length, 1);
  faults.fates.push('lost');
  await refused(venue.setPrice(SYMBOL, '99'), 'UNAVAILABLE');
  await refused(venue.cancel('a1', again.orderId), 'ORDER_NOT_ACTIVE', /filled/);
  const next = await venue.place(market());
  assert.equal((await store.order('a1', next.orderId))?.status, FILLED, 'the price is set');
  assert.equal((await store.trades('a1', 0, 10)).length, 2);
});

test('a doubt stays until the store can be asked', async (t) => {
  const { store, faults, venue } = await setup(t);
  faults.fates.push('lost');
  await refused(venue.place(limit('100')), 'UNAVAILABLE');
  faults.isUnreadable = true;
  for (let i = 0; i < 3; i++) await refused(venue.setPrice(SYMBOL, '99'), 'UNAVAILABLE');
  faults.isUnreadable = false;
  await venue.setPrice(SYMBOL, '98');
  assert.deepEqual(await statusesOf(store), [FILLED]);
  assert.equal((await store.trades('a1', 0, 10))[0]?.price, '98');
});

test('an order that somebody else recorded meanwhile is the one that is answered', async (t) => {
  const { store, faults, venue } = await setup(t);
  const release = hold(faults);
  const order = limit('100', { clientOrderId: 'mine' });
  const answers = [venue.place(order), venue.place(limit('100'))];
  while (faults.recordings.length === 0) await nextTurn();
  const other = placed('elsewhere', order);
  await store.recordOrders([other], []);
  release();
  const [found, own] = await Promise.all(answers);
  assert.deepEqual(found, other);
  assert.deepEqual(await venue.place(order), other);
  const { orders } = await store.orders('a1', 10);
  const ids = orders.map(({ orderId }) => orderId);
  assert.deepEqual(ids, ['elsewhere', own?.orderId]);
});

test('days that end are tried again when they could not be recorded', async (t) => {
  const { store, faults, venue, clock } = await setup(t);
  await venue.place(limit('100'));
  clock.ms += 12 * HOUR_MS;
  faults.fates.push('refused', 'lost');
  await refused(venue.setPrice(SYMBOL, '99'), 'UNAVAILABLE');
  assert.deepEqual(await statusesOf(store), [NEW]);
  await refused(venue.setPrice(SYMBOL, '99'), 'UNAVAILABLE');
  await venue.setPrice(SYMBOL, '99');
  assert.deepEqual(await statusesOf(store), [EXPIRED]);
  assert.equal((await store.orderChanges('a1', 0, 10)).length, 2);
});

test('a venue that cannot make up for what it missed does not open', async (t) => {
  const { faults, venue, clock, options } = await setup(t);
  await venue.place(limit('100'));
  await venue.close();
  clock.ms += 12 * HOUR_MS;
  faults.fates.push('refused');
  await refused(PaperVenue.open(options), 'UNAVAILABLE');
});

test('nothing is answered before it is recorded; what waits meanwhile shares the next commit', async (t) => {
  const { store, faults, venue } = await setup(t);
  const release = hold(faults);
  let answered = 0;
  const place = () => venue.place(limit('100')).finally(() => answered++);
  const first = [place(), place()];
  while (faults.recordings.length === 0) await nextTurn();
  const then = Array.from({ length: 20 }, place);
  for (let i = 0; i < 5; i++) await nextTurn();
  assert.equal(answered, 0);
  assert.deepEqual(await store.openOrders(), []);
  release();
  await Promise.all([...first, ...then]);
  assert.deepEqual(faults.recordings, [2, 20]);
});

test('what nobody waits for any more is not begun', async (t) => {
  const { store, faults, venue } = await setup(t);
  const release = hold(faults);
  const first = venue.place(limit('100'));
  while (faults.recordings.length === 0) await nextTurn();
  const gone = new AbortController();
  const late = venue.place(limit('100', { clientOrderId: 'late' }), gone.signal);
  const wanted = venue.place(limit('100', { clientOrderId: 'wanted' }));
  const reason = new AppError('DEADLINE_EXCEEDED', 'too late');
  gone.abort(reason);
  release();
  await assert.rejects(late, reason);
  await first;
  const { orderId } = await wanted;
  assert.equal(await store.placedOrder('a1', 'late'), undefined);
  assert.equal((await store.orders('a1', 10)).orders.length, 2);
  await assert.rejects(venue.cancel('a1', orderId, gone.signal), reason);
  assert.equal((await store.order('a1', orderId))?.status, NEW);
});

test('only so many operations wait; the others are told at once', async (t) => {
  const { faults, venue } = await setup(t);
  const release = hold(faults);
  const first = venue.place(limit('100'));
  while (faults.recordings.length === 0) await nextTurn();
  const waiting = Array.from({ length: 8_192 }, () => venue.cancel('a1', 'no-such'));
  await refused(venue.place(limit('100')), 'UNAVAILABLE', /8192 operations/);
  release();
  await first;
  for (const promise of waiting) await refused(promise, 'ORDER_NOT_FOUND');
  await venue.place(limit('100'));
});

test('a fault of ours in one operation leaves nothing of its round behind', async (t) => {
  const { store, venue } = await setup(t);
  const broken = { ...limit('100'), limitPrice: 'no decimal' };
  await venue.setPrice(SYMBOL, '150');
  const answers = await Promise.allSettled([venue.place(limit('100')), venue.place(broken)]);
  assert.deepEqual(
    answers.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  assert.deepEqual(await store.openOrders(), []);
  await venue.place(limit('100'));
  assert.deepEqual(await statusesOf(store), [NEW]);
});
