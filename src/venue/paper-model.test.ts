/** The paper venue with orders, cancels, prices, days, restarts and failures at random. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import Big from 'big.js';
import fc from 'fast-check';
import { systemRandom } from '../domain/clock.ts';
import { AppError } from '../domain/errors.ts';
import {
  isFinal,
  type Order,
  type OrderState,
  OrderStatus,
  OrderType,
  Side,
  StopCondition,
  TimeInForce,
  type Trade,
  ValidBefore,
} from '../domain/order.ts';
import { openSqlite } from '../store/sqlite/sqlite.ts';
import type { Store } from '../store/store.ts';
import { type Fate, type FaultyStore, faulty } from './faulty-store.ts';
import { PaperVenue } from './paper.ts';
import { type Expected, Model } from './paper-reference.ts';
import { HOUR_MS, market, multiLeg, SetClock } from './paper-samples.ts';

const { MARKET, LIMIT, STOP, STOP_LIMIT, MULTI_LEG } = OrderType;
const { NEW, FILLED, CANCELED, EXPIRED } = OrderStatus;
const { DAY, GOOD_TILL_CANCEL, EXT } = TimeInForce;

const folder = mkdtempSync(join(tmpdir(), 'propusk-venue-'));
after(() => rmSync(folder, { recursive: true }));

const ACCOUNTS = ['a1', 'a2'];
const SYMBOLS = ['SBER@MISX', 'GAZP@MISX'];
/** Few prices, so that they meet. */
const price = fc.constantFrom('1', '2', '2.5', '3', '4');
const waitingTimes = [DAY, GOOD_TILL_CANCEL, EXT];
const accountId = fc.constantFrom(...ACCOUNTS);
const symbol = fc.constantFrom(...SYMBOLS);

const order: fc.Arbitrary<Order> = fc
  .record({
    type: fc.constantFrom(MARKET, LIMIT, LIMIT, STOP, STOP_LIMIT, MULTI_LEG),
    common: fc.record(
      {
        accountId,
        symbol,
        quantity: fc.constantFrom('1', '0.1', '123456789012345678.000000000000000001'),
        side: fc.constantFrom(...Object.values(Side)),
        clientOrderId: fc.nat(40).map((n) => `id-${n}`),
        comment: fc.constantFrom('', 'text'),
      },
      { noNullPrototype: true },
    ),
    time: fc.constantFrom(...Object.values(TimeInForce)),
    waitingTime: fc.constantFrom(...waitingTimes),
    limitPrice: price,
    stopPrice: price,
    stopCondition: fc.constantFrom(...Object.values(StopCondition)),
    validBefore: fc.constantFrom(...Object.values(ValidBefore)),
  })
  .map(({ type, common, time, waitingTime, ...prices }) => {
    const { limitPrice, stopPrice, stopCondition, validBefore } = prices;
    const isAtOnce = type === MARKET || type === LIMIT;
    const limit = type === LIMIT || type === STOP_LIMIT ? { limitPrice } : {};
    const isStop = type === STOP || type === STOP_LIMIT;
    const waiting = isStop ? { stopPrice, stopCondition, validBefore } : {};
    const bare = type === MULTI_LEG ? multiLeg() : market();
    const timeInForce = isAtOnce ? time : waitingTime;
    return { ...bare, ...common, type, timeInForce, ...limit, ...waiting };
  });

type Step =
  | { readonly do: 'place'; readonly order: Order }
  | { readonly do: 'retry'; readonly which: number; readonly changes: boolean }
  | { readonly do: 'cancel'; readonly which: number; readonly byOther: boolean }
  | { readonly do: 'price'; readonly symbol: string; readonly price: string };

const which = fc.nat(1_000);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('place' as const), order }) },
  fc.record({ do: fc.constant('retry' as const), which, changes: fc.boolean() }),
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('cancel' as const),
      which,
      byOther: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('price' as const), symbol, price }) },
);

/** What is asked at once, and what happens before it. */
interface Turn {
  readonly steps: readonly Step[];
  readonly hours: number;
  readonly restarts: boolean;
  readonly fates: readonly Fate[];
}

const turns = (fate: fc.Arbitrary<Fate>): fc.Arbitrary<Turn[]> =>
  fc.array(
    fc.record({
      steps: fc.array(step, { minLength: 1, maxLength: 6 }),
      hours: fc.constantFrom(0, 0, 0, 1, 5, 24),
      restarts: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
      fates: fc.array(fate, { maxLength: 1 }),
    }),
    { minLength: 1, maxLength: 25 },
  );

/** Where a venue can be opened again and again over what it has recorded. */
interface Place {
  readonly faults: FaultyStore;
  readonly clock: SetClock;
  venue: PaperVenue;
  reopen(): Promise<void>;
  close(): Promise<void>;
}

let files = 0;

async function openPlace(isFile: boolean): Promise<Place> {
  files += 1;
  const url = isFile ? `sqlite:${join(folder, `${files}.db`)}` : 'sqlite::memory:';
  const clock = new SetClock();
  const open = async (behind: Store) => {
    const faults = faulty(behind);
    const venue = await PaperVenue.open({ store: faults.store, clock, random: systemRandom });
    return { faults, venue };
  };
  const place: Place = {
    clock,
    ...(await open(await openSqlite(url))),
    async reopen() {
      await place.venue.close();
      if (isFile) await place.faults.store.close();
      const store = isFile ? await openSqlite(url) : place.faults.store;
      Object.assign(place, await open(store));
    },
    async close() {
      await place.venue.close();
      await place.faults.store.close();
    },
  };
  return place;
}

/** What a step answered: a state, nothing, or why not. */
async function answerOf(asked: Promise<OrderState> | Promise<void>): Promise<OrderState | string> {
  try {
    return (await asked) ?? 'done';
  } catch (error) {
    if (error instanceof AppError) return error.reason;
    throw error;
  }
}

/** Everything of a log, read in pages, each going on from the last. */
async function pages<T extends { readonly sequence: number }>(
  read: (afterSequence: number, limit: number) => Promise<T[]>,
): Promise<T[]> {
  const all: T[] = [];
  for (;;) {
    const last = all.at(-1)?.sequence ?? 0;
    const page = await read(last, 3);
    if (page.length === 0) return all;
    const sequences = [last, ...page.map(({ sequence }) => sequence)];
    assert.ok(sequences.every((sequence, i) => sequence > (sequences[i - 1] ?? -1)));
    all.push(...page);
  }
}

/** One order through all its changes. */
function checkLife(changes: readonly OrderState[], trades: readonly Trade[]): void {
  const [first] = changes;
  const last = changes.at(-1);
  assert.ok(first !== undefined && last !== undefined);
  assert.deepEqual([first.status, first.executedQuantity], [NEW, '0']);
  assert.equal(new Set(changes.map(({ execId }) => execId)).size, changes.length);
  for (const [i, state] of changes.entries()) {
    const { initialQuantity, executedQuantity, remainingQuantity, status } = state;
    assert.ok(new Big(executedQuantity).plus(remainingQuantity).eq(initialQuantity));
    assert.equal(initialQuantity, first.order.quantity);
    assert.deepEqual(state.order, first.order);
    assert.equal(state.acceptAtMs, first.acceptAtMs);
    assert.equal(state.withdrawAtMs !== null, status === CANCELED || status === EXPIRED);
    assert.equal(status === FILLED, remainingQuantity === '0');
    const before = changes[i - 1];
    if (before === undefined) continue;
    assert.ok(!isFinal(before.status), 'no order leaves a final status');
    assert.ok(state.transactAtMs >= before.transactAtMs);
  }
  const traded = trades.reduce((sum, { size }) => sum.plus(size), new Big(0));
  assert.ok(traded.eq(last.executedQuantity), 'the trades are what was executed');
  for (const { price, side, comment, symbol } of trades) {
    const { order }: OrderState = first;
    assert.deepEqual([side, comment, symbol], [order.side, order.comment, order.symbol]);
    const above = new Big(price).cmp(order.limitPrice ?? price);
    assert.ok(side === Side.BUY ? above <= 0 : above >= 0, 'never worse than the limit');
  }
}

/** Checks all that must hold whatever happened. Answers the states of all orders by their ids. */
async function checkStore(store: Store): Promise<Map<string, OrderState>> {
  const all = new Map<string, OrderState>();
  const open: string[] = [];
  for (const account of ACCOUNTS) {
    const changes = await pages((from, max) => store.orderChanges(account, from, max));
    const trades = await pages((from, max) => store.trades(account, from, max));
    assert.ok(changes.every((state) => state.order.accountId === account));
    assert.ok(trades.every((trade) => trade.accountId === account));
    const ids = [...new Set(changes.map(({ orderId }) => orderId))];
    const states: OrderState[] = [];
    for (const id of ids) {
      assert.ok(!all.has(id), 'no other account has it');
      const own = changes.filter(({ orderId }) => orderId === id);
      checkLife(
        own,
        trades.filter(({ orderId }) => orderId === id),
      );
      const state = await store.order(account, id);
      assert.ok(state !== undefined);
      const { sequence: _, ...newest } = own.at(-1) ?? { sequence: 0 };
      assert.deepEqual(newest, state);
      for (const other of ACCOUNTS) {
        if (other !== account) assert.equal(await store.order(other, id), undefined);
      }
      states.push(state);
      all.set(id, state);
    }
    const snapshot = await store.orders(account, 1_000);
    assert.deepEqual(snapshot.orders, states);
    assert.equal(snapshot.sequence, changes.at(-1)?.sequence ?? 0);
    open.push(...states.filter(({ status }) => !isFinal(status)).map(({ orderId }) => orderId));
    const clientIds = states.map(({ order }) => order.clientOrderId);
    assert.equal(new Set(clientIds).size, clientIds.length);
    assert.ok(trades.every(({ orderId }) => ids.includes(orderId)));
  }
  const listed = (await store.openOrders()).map(({ orderId }) => orderId);
  assert.deepEqual(listed.toSorted(), open.sort());
  return all;
}

/** Asks for all steps at once; what each should answer is worked out by `model` in their order. */
function ask(place: Place, model: Model, steps: readonly Step[]) {
  const { venue } = place;
  const answered = model.orders.filter(({ orderId }) => orderId !== undefined);
  const asked: { expected: Expected | string; answer: Promise<OrderState | string> }[] = [];
  for (const each of steps) {
    const target = 'which' in each ? answered[each.which % answered.length] : undefined;
    if (each.do === 'price') {
      model.setPrice(each.symbol, each.price);
      asked.push({ expected: 'done', answer: answerOf(venue.setPrice(each.symbol, each.price)) });
    } else if (each.do === 'cancel') {
      const orderId = target?.orderId ?? 'no-such';
      const owner = target?.order.accountId ?? 'a1';
      const by = each.byOther ? ACCOUNTS.find((id) => id !== owner) : owner;
      const isFound = target !== undefined && !each.byOther;
      const isOpen = target?.status === NEW;
      const expected = isFound ? (isOpen ? target : 'ORDER_NOT_ACTIVE') : 'ORDER_NOT_FOUND';
      if (isFound && isOpen) target.status = CANCELED;
      asked.push({ expected, answer: answerOf(venue.cancel(by ?? owner, orderId)) });
    } else if (each.do === 'place' || target !== undefined) {
      const base = each.do === 'place' ? each.order : (target?.order ?? market());
      const changes = each.do === 'retry' && each.changes;
      const order: Order = changes ? { ...base, comment: `${base.comment}!` } : { ...base };
      const expected = model.place(order) ?? 'CLIENT_ORDER_ID_TAKEN';
      asked.push({ expected, answer: answerOf(venue.place(order)) });
    }
  }
  return asked;
}

async function checkModel(place: Place, model: Model): Promise<void> {
  const states = await checkStore(place.faults.store);
  assert.equal(states.size, model.orders.length);
  const trades: string[] = [];
  for (const account of ACCOUNTS) {
    const all = await place.faults.store.trades(account, 0, 1_000);
    trades.push(...all.map((trade) => `${trade.orderId} at ${trade.price}`));
  }
  for (const { order, orderId = '', status, isTriggered, tradedAt } of model.orders) {
    const state = states.get(orderId);
    assert.deepEqual(state?.order, order);
    assert.equal(state?.status, status);
    assert.equal(state?.triggeredAtMs !== null, isTriggered);
    assert.equal(trades.includes(`${orderId} at ${tradedAt}`), tradedAt !== undefined);
  }
}

/** Does what a turn begins with. */
async function begin(place: Place, { hours, restarts }: Turn): Promise<void> {
  place.clock.ms += hours * HOUR_MS;
  if (restarts) await place.reopen();
}

async function playByModel(isFile: boolean, played: readonly Turn[]): Promise<void> {
  const place = await openPlace(isFile);
  const model = new Model(place.clock);
  const firsts = new Map<string, OrderState>();
  for (const turn of played) {
    await begin(place, turn);
    if (turn.restarts) model.prices = {};
    model.expire();
    for (const { expected, answer } of ask(place, model, turn.steps)) {
      const answered = await answer;
      if (typeof expected === 'string' || typeof answered === 'string') {
        assert.equal(answered, expected);
        continue;
      }
      expected.orderId ??= answered.orderId;
      assert.equal(answered.orderId, expected.orderId);
      if (answered.status === CANCELED) continue;
      // A retry gets the very first answer.
      const first = firsts.get(answered.orderId) ?? answered;
      assert.deepEqual(answered, first);
      firsts.set(answered.orderId, first);
    }
    await checkModel(place, model);
  }
  await place.reopen();
  model.expire();
  await checkModel(place, model);
  await place.close();
}

test('whatever is asked in whatever order, orders do what the contract says', async () => {
  const property = fc.asyncProperty(turns(fc.constant('done')), (played) =>
    playByModel(false, played),
  );
  await fc.assert(property, { numRuns: 60 });
});

test('and they do so when the file is closed and opened again', async () => {
  const property = fc.asyncProperty(turns(fc.constant('done')), (played) =>
    playByModel(true, played),
  );
  await fc.assert(property, { numRuns: 5 });
});

/** Asks for all steps at once, and again for the orders that were not answered. */
async function insist(place: Place, steps: readonly Step[], answers: Map<string, OrderState>) {
  let retries = 0;
  await Promise.all(
    steps.map(async (each) => {
      if (each.do === 'price') await answerOf(place.venue.setPrice(each.symbol, each.price));
      if (each.do !== 'place') return;
      let answer = await answerOf(place.venue.place(each.order));
      for (; answer === 'UNAVAILABLE'; retries++) {
        answer = await answerOf(place.venue.place(each.order));
      }
      if (typeof answer === 'string') assert.equal(answer, 'CLIENT_ORDER_ID_TAKEN');
      else answers.set(answer.orderId, answer);
    }),
  );
  return retries;
}

test('whatever fails meanwhile, what was answered is so, and a retry places nothing twice', async () => {
  let retries = 0;
  const fate = fc.constantFrom<Fate>('done', 'refused', 'lost');
  const property = fc.asyncProperty(turns(fate), async (played) => {
    const place = await openPlace(false);
    const answers = new Map<string, OrderState>();
    for (const turn of played) {
      await begin(place, turn);
      place.faults.fates.push(...turn.fates);
      retries += await insist(place, turn.steps, answers);
      place.faults.fates.length = 0;
      const { store } = place.faults;
      const states = await checkStore(store);
      assert.equal(states.size, answers.size, 'every order was answered in the end, and once');
      for (const [orderId, answer] of answers) {
        const { accountId, clientOrderId } = answer.order;
        assert.ok(states.has(orderId));
        assert.deepEqual(await store.placedOrder(accountId, clientOrderId), answer);
      }
    }
    await place.reopen();
    assert.equal((await checkStore(place.faults.store)).size, answers.size);
    await place.close();
  });
  await fc.assert(property, { numRuns: 60 });
  assert.ok(retries > 50, `${retries} orders were retried`);
});
