/** When the day ends on the paper venue. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { OrderStatus, OrderType, TimeInForce, ValidBefore } from '../domain/order.ts';
import { refused } from '../store/contract-checks.ts';
import { openSqlite } from '../store/sqlite/sqlite.ts';
import { PaperVenue } from './paper.ts';
import {
  HOUR_MS,
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

const { NEW, FILLED, EXPIRED } = OrderStatus;
const { GOOD_TILL_CANCEL, GOOD_TILL_CROSSING, EXT, ON_OPEN, ON_CLOSE } = TimeInForce;

/** A venue over a store in memory. */
const setup = async (t: TestContext, more = {}) =>
  openVenue(t, await openSqlite('sqlite::memory:'), more);

test('orders for the day expire when it ends, before anything else happens', async (t) => {
  const { store, venue, clock } = await setup(t);
  const gtc = { timeInForce: GOOD_TILL_CANCEL };
  const stays = { validBefore: ValidBefore.GOOD_TILL_CANCEL };
  const ending = [limit('1'), limit('1', { timeInForce: EXT }), stop('500'), multiLeg()];
  ending.push(limit('1', { timeInForce: GOOD_TILL_CROSSING }), market({ timeInForce: ON_OPEN }));
  ending.push(limit('1', { timeInForce: ON_CLOSE }), stop('500', gtc));
  const lasting = [limit('1', gtc), stop('500', stays), multiLeg(gtc)];
  const place = (order: typeof ending) => Promise.all(order.map((each) => venue.place(each)));
  const [ended, lasted] = [await place(ending), await place(lasting)];
  clock.ms = NOON_MS + 12 * HOUR_MS - 1;
  await venue.setPrice(SYMBOL, '100');
  for (const state of ended) assert.equal(await statusOf(store, state), NEW);
  clock.ms += 1;
  await venue.setPrice(SYMBOL, '1');
  for (const placed of ended) {
    const state = await stateOf(store, placed);
    assert.deepEqual([state.status, state.withdrawAtMs], [EXPIRED, clock.ms]);
    assert.equal(state.remainingQuantity, '10.5');
    await refused(venue.cancel('a1', placed.orderId), 'ORDER_NOT_ACTIVE', /expired/);
  }
  const statuses = await Promise.all(lasted.map((state) => statusOf(store, state)));
  assert.deepEqual(statuses, [FILLED, NEW, NEW]);
});

test('a stop that was triggered stands for the day on which it was', async (t) => {
  const { store, venue, clock } = await setup(t);
  const order = stop('110', { type: OrderType.STOP_LIMIT, limitPrice: '50' });
  const placed = await venue.place({ ...order, validBefore: ValidBefore.GOOD_TILL_CANCEL });
  clock.ms += 36 * HOUR_MS;
  await venue.setPrice(SYMBOL, '110');
  assert.equal(await statusOf(store, placed), NEW);
  clock.ms += 24 * HOUR_MS;
  await refused(venue.cancel('a1', placed.orderId), 'ORDER_NOT_ACTIVE', /expired/);
  const { withdrawAtMs } = await stateOf(store, placed);
  assert.equal(withdrawAtMs, NOON_MS + 60 * HOUR_MS, 'when that day ended');
});

test('a day that ended while the venue was away is made up for at its start', async (t) => {
  const { store, venue, clock, options } = await setup(t);
  const placed = await venue.place(limit('100'));
  await venue.close();
  clock.ms += 100 * HOUR_MS;
  const next = await PaperVenue.open(options);
  const { status, withdrawAtMs } = await stateOf(store, placed);
  assert.deepEqual([status, withdrawAtMs], [EXPIRED, NOON_MS + 12 * HOUR_MS]);
  await next.close();
});

test('a day ends by itself when nothing else happens', async (t) => {
  const { store, venue, clock } = await setup(t, { dayCheckEveryMs: 1 });
  const placed = await venue.place(limit('100'));
  const events = new EventTarget();
  store.subscribe(() => events.dispatchEvent(new Event('change')));
  const changed = once(events, 'change');
  // The day check keeps no process alive, so something else must.
  const keepAlive = setInterval(() => {}, 1_000);
  t.after(async () => clearInterval(keepAlive));
  clock.ms += 12 * HOUR_MS;
  await changed;
  assert.equal(await statusOf(store, placed), EXPIRED);
});

test('an order’s times never run backwards, whatever the clock does', async (t) => {
  const { venue, clock } = await setup(t);
  const placed = await venue.place(limit('100'));
  clock.ms -= 5_000;
  const canceled = await venue.cancel('a1', placed.orderId);
  assert.equal(canceled.withdrawAtMs, placed.acceptAtMs);
});
