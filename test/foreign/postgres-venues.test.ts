/** Paper venues of several nodes on one PostgreSQL database. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { systemClock, systemRandom } from '../../src/domain/clock.ts';
import { type OrderState, OrderStatus, TimeInForce } from '../../src/domain/order.ts';
import { openPostgres } from '../../src/store/postgres/postgres.ts';
import { PaperVenue } from '../../src/venue/paper.ts';
import { limit, SYMBOL } from '../../src/venue/paper-samples.ts';
import { answerOf, checkStore } from '../../src/venue/test-paper-checks.ts';
import { PostgresServer } from './postgres-server.ts';

const { GOOD_TILL_CANCEL } = TimeInForce;

const NODES = 4;
/** Traders on each node, and what each of them does. */
const TRADERS = 3;
const ORDERS = 5;

let server: PostgresServer;
before(async () => {
  server = await PostgresServer.start();
});
after(() => server.kill());

test('every order has one life, whichever nodes place, cancel and fill it at the same time', async (t) => {
  const url = await server.database('venues');
  const stores = await Promise.all(Array.from({ length: NODES }, () => openPostgres(url)));
  const open = (store: (typeof stores)[number]) =>
    PaperVenue.open({ store, clock: systemClock, random: systemRandom });
  const venues = await Promise.all(stores.map(open));
  t.after(async () => {
    await Promise.all(venues.map((venue) => venue.close()));
    await Promise.all(stores.map((store) => store.close()));
  });
  const counts = { placed: 0, canceled: 0, beaten: 0 };
  /** Places over one node, at once cancels over the next, and sets a price over a third. */
  async function trade(node: number, trader: number): Promise<void> {
    const at = (offset: number) => venues[(node + offset) % NODES] as PaperVenue;
    for (let i = 0; i < ORDERS; i++) {
      const account = { accountId: `a${1 + (trader % 2)}` };
      const order = limit(String(1 + (i % 3)), { ...account, timeInForce: GOOD_TILL_CANCEL });
      const [one, again] = await Promise.all([at(0).place(order), at(1).place(order)]);
      assert.deepEqual(again, one, 'a retry elsewhere is answered as the first');
      counts.placed += 1;
      if (trader === 0) await at(2).setPrice(SYMBOL, String(1 + ((i + node) % 4)));
      const asked = [1, 3].map((offset) =>
        answerOf(at(offset).cancel(order.accountId, one.orderId)),
      );
      const answers = await Promise.all(asked);
      const canceled = answers.filter((answer): answer is OrderState => typeof answer !== 'string');
      assert.ok(canceled.length <= 1);
      for (const answer of answers) {
        if (typeof answer === 'string') assert.equal(answer, 'ORDER_NOT_ACTIVE');
        else assert.equal(answer.status, OrderStatus.CANCELED);
      }
      counts.canceled += canceled.length;
      counts.beaten += 2 - canceled.length;
    }
  }
  const traders = Array.from({ length: NODES * TRADERS }, (_, i) =>
    trade(i % NODES, Math.floor(i / NODES)),
  );
  await Promise.all(traders);
  const states = [...(await checkStore(stores[0] as (typeof stores)[number])).values()];
  assert.equal(states.length, counts.placed);
  const ended = (status: OrderStatus) => states.filter((state) => state.status === status).length;
  assert.equal(ended(OrderStatus.CANCELED), counts.canceled);
  assert.equal(ended(OrderStatus.FILLED), counts.placed - counts.canceled);
  t.diagnostic(JSON.stringify(counts));
});
