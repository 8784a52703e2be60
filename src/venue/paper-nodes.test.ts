/** Paper venues of several nodes over one store. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { systemRandom } from '../domain/clock.ts';
import { isFinal, type OrderState, OrderStatus } from '../domain/order.ts';
import { refused } from '../store/contract-checks.ts';
import { openSqlite } from '../store/sqlite/sqlite.ts';
import type { Store } from '../store/store.ts';
import { type Fate, faulty } from './faulty-store.ts';
import { effectOf } from './order-life.ts';
import { PaperVenue, type PaperVenueOptions } from './paper.ts';
import { HOUR_MS, limit, market, openVenue, SetClock, SYMBOL, statusOf } from './paper-samples.ts';
import { answerOf, checkStore, pages } from './test-paper-checks.ts';
import { ACCOUNTS, type Step, step } from './test-paper-steps.ts';

const { NEW, FILLED, CANCELED, EXPIRED } = OrderStatus;

/** Two venues over a store in memory; the faults are of the first alone. */
async function setup(t: TestContext, more: Partial<PaperVenueOptions> = {}) {
  const made = await openVenue(t, await openSqlite('sqlite::memory:'), more);
  const other = await PaperVenue.open({ ...made.options, store: made.store });
  t.after(() => other.close());
  return { ...made, other };
}

/** Asks some turns later: whose round comes first depends on how many each has to go. */
async function later<R>(turns: number, ask: () => Promise<R>): Promise<R> {
  for (let i = 0; i < turns; i++) await nextTurn();
  return ask();
}

test('what one venue does, the others know at once', async (t) => {
  const { store, venue, other } = await setup(t);
  const placed = await venue.place(limit('100'));
  const canceled = await other.cancel('a1', placed.orderId);
  assert.equal(canceled.status, CANCELED);
  await refused(venue.cancel('a1', placed.orderId), 'ORDER_NOT_ACTIVE', /canceled/);
  assert.deepEqual(await other.place(placed.order), placed, 'a retry elsewhere');
  const taken = { ...placed.order, quantity: '11' };
  await refused(other.place(taken), 'CLIENT_ORDER_ID_TAKEN');
  const waits = await venue.place(limit('100'));
  await other.setPrice(SYMBOL, '99');
  assert.equal(await statusOf(store, waits), FILLED);
  await refused(venue.cancel('a1', waits.orderId), 'ORDER_NOT_ACTIVE', /filled/);
  const next = await venue.place(market());
  assert.equal(await statusOf(store, next), FILLED, 'at the price that the other was given');
  await refused(other.cancel('a2', next.orderId), 'ORDER_NOT_FOUND');
});

test('a venue refuses nothing by what it has not heard of', async (t) => {
  const limits = { accountOpenOrdersMax: 2, openOrdersMax: 3, pricesMax: 1 };
  const { venue, other } = await setup(t, limits);
  const place = (of: PaperVenue, accountId = 'a1') => of.place(limit('1', { accountId }));
  const [first, second] = await Promise.all([place(venue), place(venue)]);
  await refused(place(other), 'ORDERS_FULL');
  await other.cancel('a1', first.orderId);
  const third = await place(venue);
  await place(other, 'a2');
  await refused(place(venue, 'a2'), 'UNAVAILABLE', /3 open orders of all accounts/);
  await other.cancel('a1', second.orderId);
  await other.cancel('a1', third.orderId);
  await Promise.all([place(venue), place(venue)]);
  await venue.setPrice('A@MISX', '1');
  await refused(other.setPrice('B@MISX', '1'), 'INVALID_REQUEST', /1 that have a price/);
  await other.setPrice('A@MISX', '2');
});

test('of venues that cancel, fill or place the same at the same time, one does', async (t) => {
  const { store, venue, other } = await setup(t);
  const counts = { canceled: 0, filled: 0 };
  for (let i = 0; i < 40; i++) {
    const symbol = `S${i}@MISX`;
    const placed = await venue.place(limit('100', { symbol }));
    const twin = limit('100', { symbol: 'TWIN@MISX', clientOrderId: `twin-${i}` });
    const [cancel, cancelToo, , one, same] = await Promise.all([
      answerOf(later(i % 4, () => venue.cancel('a1', placed.orderId))),
      answerOf(later(i % 3, () => other.cancel('a1', placed.orderId))),
      later(i % 5, () => other.setPrice(symbol, '99')),
      venue.place(twin),
      other.place(twin),
    ]);
    assert.deepEqual(one, same);
    const status = await statusOf(store, placed);
    const done = [cancel, cancelToo].filter((answer) => answer !== 'ORDER_NOT_ACTIVE');
    assert.equal(done.length, status === CANCELED ? 1 : 0);
    assert.equal((await store.orderChanges('a1', 0, 10_000)).length, 3 * (i + 1));
    if (status === CANCELED) counts.canceled += 1;
    else counts.filled += 1;
  }
  assert.equal((await store.trades('a1', 0, 100)).length, counts.filled);
  assert.ok(counts.canceled > 0 && counts.filled > 0, JSON.stringify(counts));
});

test('a round that others beat again and again is given up, and nothing of it is so', async (t) => {
  const { store, faults, venue, other } = await setup(t);
  const order = limit('100');
  faults.fates.push(...Array<'beaten'>(99).fill('beaten'));
  const placed = await venue.place(order);
  assert.equal(faults.recordings.length, 100);
  faults.fates.push(...Array<'beaten'>(100).fill('beaten'));
  await refused(venue.cancel('a1', placed.orderId), 'UNAVAILABLE', /other nodes/);
  assert.equal(await statusOf(store, placed), NEW);
  await other.cancel('a1', placed.orderId);
  await refused(venue.cancel('a1', placed.orderId), 'ORDER_NOT_ACTIVE');
});

test('a commit whose end nobody heard of, and what others did on it, is taken up', async (t) => {
  const { store, faults, venue, other } = await setup(t);
  const order = limit('100');
  faults.fates.push('lost');
  await refused(venue.place(order), 'UNAVAILABLE');
  const placed = await other.place(order);
  await other.cancel('a1', placed.orderId);
  await venue.setPrice(SYMBOL, '99');
  assert.deepEqual(await store.trades('a1', 0, 10), []);
  await refused(venue.cancel('a1', placed.orderId), 'ORDER_NOT_ACTIVE', /canceled/);
  assert.deepEqual(await venue.place(order), placed);
});

test('a venue that cannot read what others did answers nothing by what it knows', async (t) => {
  const { store, faults, venue, other } = await setup(t);
  const placed = await venue.place(limit('100'));
  await other.setPrice(SYMBOL, '99');
  faults.isUnreadable = true;
  await refused(venue.cancel('a1', placed.orderId), 'UNAVAILABLE');
  await refused(venue.cancel('a1', 'no-such'), 'UNAVAILABLE');
  faults.isUnreadable = false;
  await refused(venue.cancel('a1', placed.orderId), 'ORDER_NOT_ACTIVE', /filled/);
  assert.equal((await store.orderChanges('a1', 0, 10)).length, 2);
});

test('an idle venue asks the store for nothing, and knows all when it is asked', async (t) => {
  const asked: string[] = [];
  const { store, options, venue } = await openVenue(t, await openSqlite('sqlite::memory:'));
  const heard = new Proxy(store, {
    get(target, name: keyof Store) {
      asked.push(name);
      return (target[name] as () => unknown).bind(target);
    },
  });
  const idle = await PaperVenue.open({ ...options, store: heard, dayCheckEveryMs: 1 });
  t.after(() => idle.close());
  asked.length = 0;
  await venue.setPrice(SYMBOL, '150');
  const orders = Array.from({ length: 1_200 }, (_, i) => limit('100', { accountId: `a${i % 2}` }));
  for (let i = 0; i < orders.length; i += 400) {
    const placed = await Promise.all(orders.slice(i, i + 400).map((each) => venue.place(each)));
    await Promise.all(
      placed.slice(0, -1).map(({ order, orderId }) => venue.cancel(order.accountId, orderId)),
    );
  }
  assert.deepEqual(asked, []);
  await idle.setPrice(SYMBOL, '100');
  assert.deepEqual(await store.openOrders(), []);
  assert.equal((await store.trades('a1', 0, 10)).length, 3, 'three were left open');
});

test('a venue far behind reads what is open anew', async (t) => {
  const { store, options, venue } = await openVenue(t, await openSqlite('sqlite::memory:'));
  const [before, done] = [await venue.place(limit('100')), await venue.place(limit('100'))];
  let pagesRead = 0;
  const heard = new Proxy(store, {
    get(target, name: keyof Store) {
      if (name === 'orderLog') pagesRead += 1;
      return (target[name] as () => unknown).bind(target);
    },
  });
  const idle = await PaperVenue.open({ ...options, store: heard });
  t.after(() => idle.close());
  await venue.cancel('a1', done.orderId);
  for (let i = 0; i < 30; i++) {
    const ids = Array.from({ length: 400 }, (_, k) => `x${i}-${k}`);
    const states = ids.map((id) => ({ ...before, orderId: id, execId: `${id}.` }));
    const placed = states.map((state) => ({
      ...state,
      order: { ...state.order, clientOrderId: state.orderId },
    }));
    const canceled = placed.map((state) => ({ ...state, status: CANCELED }));
    await store.recordOrders([...placed, ...canceled], []);
  }
  const waits = await venue.place(limit('50'));
  pagesRead = 0;
  const answers = await Promise.all([
    idle.cancel('a1', before.orderId),
    answerOf(idle.cancel('a1', done.orderId)),
    answerOf(idle.place({ ...before.order, clientOrderId: 'x29-0' })),
  ]);
  assert.equal(answers[0].status, CANCELED);
  assert.equal(answers[1], 'ORDER_NOT_ACTIVE');
  assert.equal(typeof answers[2] === 'string' ? '' : answers[2].orderId, 'x29-0');
  assert.ok(pagesRead < 24_000 / 1_000, `${pagesRead} pages`);
  assert.deepEqual(await store.openOrders(), [waits]);
});

test('orders of a venue that is gone end with their day, on the venues that are left', async (t) => {
  const { store, venue, other, clock, options } = await setup(t, { dayCheckEveryMs: 1_000_000 });
  const watch = await PaperVenue.open({ ...options, store, dayCheckEveryMs: 1 });
  t.after(() => watch.close());
  const placed = await venue.place(limit('100'));
  await venue.close();
  const { promise: changed, resolve } = Promise.withResolvers<void>();
  store.subscribe(() => resolve());
  // The day check keeps no process alive, so something else must.
  const keepAlive = setInterval(() => {}, 1_000);
  t.after(async () => clearInterval(keepAlive));
  clock.ms += 12 * HOUR_MS;
  await changed;
  assert.equal(await statusOf(store, placed), EXPIRED);
  await refused(other.cancel('a1', placed.orderId), 'ORDER_NOT_ACTIVE', /expired/);
});

/** Bounds that a few orders reach. */
const BOUNDS = { accountOpenOrdersMax: 3, openOrdersMax: 5, pricesMax: 2 };

/** Steps, each asked of one of the venues, some turns after it could be. */
const asks = fc.array(
  fc.record({
    node: fc.nat(3),
    turns: fc.nat(6),
    step,
    fate: fc.constantFrom<Fate>('done', 'done', 'done', 'refused', 'lost', 'beaten'),
  }),
  { minLength: 4, maxLength: 40 },
);

/** Asks for one step; `placed` are the orders that were answered so far. */
async function askOne(venue: PaperVenue, each: Step, placed: OrderState[]): Promise<void> {
  if (each.do === 'price') {
    await answerOf(venue.setPrice(each.symbol, each.price));
  } else if (each.do === 'place') {
    const answer = await answerOf(venue.place(each.order));
    if (typeof answer !== 'string') placed.push(answer);
  } else if (each.do === 'cancel') {
    const target = placed[each.which % placed.length];
    if (target === undefined) return;
    const answer = await answerOf(venue.cancel(target.order.accountId, target.orderId));
    if (typeof answer !== 'string') assert.equal(answer.status, CANCELED);
    else assert.ok(['ORDER_NOT_ACTIVE', 'UNAVAILABLE'].includes(answer), answer);
  }
}

/** No order is open beside its bounds at any time, and none that the last price would touch. */
async function checkBounds(store: Store): Promise<void> {
  const open = new Map<string, string>();
  for (const { orderId, order, status } of await pages((from, max) => store.orderLog(from, max))) {
    if (isFinal(status)) open.delete(orderId);
    else open.set(orderId, order.accountId);
    assert.ok(open.size <= BOUNDS.openOrdersMax);
    for (const account of ACCOUNTS) {
      const count = [...open.values()].filter((id) => id === account).length;
      assert.ok(count <= BOUNDS.accountOpenOrdersMax);
    }
  }
  const prices = await store.prices(0, 100);
  for (const state of await store.openOrders()) {
    const last = prices.find(({ symbol }) => symbol === state.order.symbol);
    if (last !== undefined) assert.equal(effectOf(state, last.price), 'nothing');
  }
}

test('whatever several venues are asked at once, each order has one life within all bounds', async () => {
  let conflicts = 0;
  const property = fc.asyncProperty(asks, async (asked) => {
    const behind = await openSqlite('sqlite::memory:');
    const faults = faulty(behind);
    const store = new Proxy(faults.store, {
      get(target, name: keyof Store) {
        if (name !== 'recordOrders') return target[name];
        return async (...args: Parameters<Store['recordOrders']>) => {
          const position = await target.recordOrders(...args);
          if (position === undefined) conflicts += 1;
          return position;
        };
      },
    });
    const options = { store, clock: new SetClock(), random: systemRandom, ...BOUNDS };
    const venues = await Promise.all([0, 1, 2, 3].map(() => PaperVenue.open(options)));
    const placed: OrderState[] = [];
    faults.fates.push(...asked.map(({ fate }) => fate));
    await Promise.all(
      asked.map(({ node, turns, step: each }, i) =>
        later(turns + (i >> 2), () => askOne(venues[node] as PaperVenue, each, placed)),
      ),
    );
    const states = await checkStore(behind);
    for (const first of placed) {
      const { accountId, clientOrderId } = first.order;
      assert.ok(states.has(first.orderId));
      assert.deepEqual(await behind.placedOrder(accountId, clientOrderId), first);
    }
    await checkBounds(behind);
    for (const venue of venues) await venue.close();
    await behind.close();
  });
  await fc.assert(property, { numRuns: 100 });
  assert.ok(conflicts > 100, `${conflicts} rounds were done again`);
});
