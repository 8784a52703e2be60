/** Paper venues over one store, with orders, cancels, prices, days, restarts and failures at random. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { systemRandom } from '../domain/clock.ts';
import { type Order, type OrderState, OrderStatus } from '../domain/order.ts';
import { openSqlite } from '../store/sqlite/sqlite.ts';
import { type Fate, type FaultyStore, faulty } from './faulty-store.ts';
import { PaperVenue } from './paper.ts';
import { type Expected, Model } from './paper-reference.ts';
import { HOUR_MS, market, SetClock } from './paper-samples.ts';
import { answerOf, checkStore } from './test-paper-checks.ts';
import { ACCOUNTS, type Step, step } from './test-paper-steps.ts';

const { NEW, CANCELED } = OrderStatus;

const folder = mkdtempSync(join(tmpdir(), 'propusk-venue-'));
after(() => rmSync(folder, { recursive: true }));

/** Venues over one store. */
const NODES = 3;

/** What is asked at once of one venue, and what happens before it. */
interface Turn {
  readonly node: number;
  readonly steps: readonly Step[];
  readonly hours: number;
  readonly restarts: boolean;
  readonly fates: readonly Fate[];
}

const turns = (fate: fc.Arbitrary<Fate>): fc.Arbitrary<Turn[]> =>
  fc.array(
    fc.record({
      node: fc.nat(NODES - 1),
      steps: fc.array(step, { minLength: 1, maxLength: 6 }),
      hours: fc.constantFrom(0, 0, 0, 1, 5, 24),
      restarts: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
      fates: fc.array(fate, { maxLength: 1 }),
    }),
    { minLength: 1, maxLength: 25 },
  );

/** Where venues can be opened again and again over what they have recorded. */
interface Place {
  readonly faults: FaultyStore;
  readonly clock: SetClock;
  readonly venues: readonly PaperVenue[];
  /** Opens one venue again; in a file, all of them and the file. */
  reopen(node: number): Promise<void>;
  close(): Promise<void>;
}

let files = 0;

async function openPlace(isFile: boolean): Promise<Place> {
  files += 1;
  const url = isFile ? `sqlite:${join(folder, `${files}.db`)}` : 'sqlite::memory:';
  const clock = new SetClock();
  let faults = faulty(await openSqlite(url));
  const open = () => PaperVenue.open({ store: faults.store, clock, random: systemRandom });
  const venues: PaperVenue[] = [];
  for (let i = 0; i < NODES; i++) venues.push(await open());
  const close = async () => {
    for (const venue of venues) await venue.close();
    await faults.store.close();
  };
  return {
    get faults() {
      return faults;
    },
    clock,
    venues,
    async reopen(node) {
      await venues[node]?.close();
      if (!isFile) {
        venues[node] = await open();
        return;
      }
      await close();
      faults = faulty(await openSqlite(url));
      for (let i = 0; i < NODES; i++) venues[i] = await open();
    },
    close,
  };
}

/** Asks for all steps at once; what each should answer is worked out by `model` in their order. */
function ask(venue: PaperVenue, model: Model, steps: readonly Step[]) {
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

/** Does what a turn begins with; answers the venue that it asks. */
async function begin(place: Place, { node, hours, restarts }: Turn): Promise<PaperVenue> {
  place.clock.ms += hours * HOUR_MS;
  if (restarts) await place.reopen(node);
  const venue = place.venues[node];
  assert.ok(venue);
  return venue;
}

async function playByModel(isFile: boolean, played: readonly Turn[]): Promise<void> {
  const place = await openPlace(isFile);
  const model = new Model(place.clock);
  const firsts = new Map<string, OrderState>();
  for (const turn of played) {
    const venue = await begin(place, turn);
    model.expire();
    for (const { expected, answer } of ask(venue, model, turn.steps)) {
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
  await place.reopen(0);
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
  // What fails here, the test before makes smaller in less time.
  await fc.assert(property, { numRuns: 5, endOnFailure: true });
});

/** More than there are failures in a turn. */
const RETRIES_MAX = 10;

/** Asks for all steps at once, and again for the orders that were not answered. */
async function insist(venue: PaperVenue, steps: readonly Step[], answers: Map<string, OrderState>) {
  let retries = 0;
  await Promise.all(
    steps.map(async (each) => {
      if (each.do === 'price') await answerOf(venue.setPrice(each.symbol, each.price));
      if (each.do !== 'place') return;
      let answer = await answerOf(venue.place(each.order));
      for (let i = 0; answer === 'UNAVAILABLE' && i < RETRIES_MAX; i++) {
        retries += 1;
        answer = await answerOf(venue.place(each.order));
      }
      if (typeof answer === 'string') assert.equal(answer, 'CLIENT_ORDER_ID_TAKEN');
      else answers.set(answer.orderId, answer);
    }),
  );
  return retries;
}

test('whatever fails meanwhile, what was answered is so, and a retry places nothing twice', async () => {
  let retries = 0;
  const fate = fc.constantFrom<Fate>('done', 'refused', 'lost', 'beaten');
  const property = fc.asyncProperty(turns(fate), async (played) => {
    const place = await openPlace(false);
    const answers = new Map<string, OrderState>();
    for (const turn of played) {
      const venue = await begin(place, turn);
      place.faults.fates.push(...turn.fates);
      retries += await insist(venue, turn.steps, answers);
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
    await place.reopen(0);
    assert.equal((await checkStore(place.faults.store)).size, answers.size);
    await place.close();
  });
  await fc.assert(property, { numRuns: 60 });
  assert.ok(retries > 50, `${retries} orders were retried`);
});
