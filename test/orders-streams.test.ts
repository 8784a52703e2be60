/** SubscribeOrders and SubscribeTrades: what is there first, then each change, without a gap. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type OrderState,
  OrderStatus,
  type SubscribeOrdersResponse,
} from '../src/gen/grpc/tradeapi/v1/orders/orders_service_pb.js';
import { Side } from '../src/gen/grpc/tradeapi/v1/side_pb.js';
import type { AccountTrade } from '../src/gen/grpc/tradeapi/v1/trade_pb.js';
import { type Client, failureOf } from './clients/client.ts';
import { Four, inEach } from './clients/four.ts';
import { next, secretOf, setPrice, Trader } from './orders.ts';
import { startHere } from './start.ts';
import { until } from './wait.ts';

/** Each test has a server of its own, and so an account without a past. */
async function scene() {
  const server = await startHere(['--limit', '1000000']);
  const four = new Four(server);
  return {
    server,
    four,
    trader: (client: Client) => Trader.signIn(client, server.secret, '1899011'),
    async [Symbol.asyncDispose]() {
      await four[Symbol.asyncDispose]();
      await server.stop();
    },
  };
}

/** All clients of this file that need no server of their own. */
const shared = await scene();
after(() => shared[Symbol.asyncDispose]());

/** What tells one change from another. */
function keyOf({ orderId, execId, status }: OrderState): string {
  return `${orderId} ${execId} ${OrderStatus[status]}`;
}

/** Reads answers until `isEnough`, which looks at all changes after the first answer. */
async function read(
  answers: AsyncIterator<SubscribeOrdersResponse, void>,
  isEnough: (changes: readonly OrderState[]) => boolean,
): Promise<{ first: OrderState[]; changes: OrderState[] }> {
  const { orders: first } = await next(answers);
  const changes: OrderState[] = [];
  while (!isEnough(changes)) changes.push(...(await next(answers)).orders);
  return { first, changes };
}

inEach(shared.four.streaming, 'an account without orders says so at once', async (client) => {
  const levels = secretOf(shared.server, 'demo-levels');
  const trader = await Trader.signIn(client, levels, 'TRQD05:146559');
  for (const answers of [trader.follow(), trader.followTrades()]) {
    const first = await next<object>(answers);
    assert.deepEqual('orders' in first ? first.orders : (first as { trades: unknown }).trades, []);
    await answers.return();
  }
});

for (const which of ['gRPC', 'gRPC-Web'] as const) {
  test(`the orders first, then each change of one, over ${which}`, async () => {
    await using here = await scene();
    const client = here.four.streaming.find(({ name }) => name === which);
    assert.ok(client);
    const trader = await here.trader(client);
    const one = await trader.place();
    const two = await trader.place();
    const cancelled = await trader.cancel(one.orderId);
    const answers = trader.follow();
    assert.deepEqual((await next(answers)).orders, [cancelled, two]);

    const three = await trader.over(here.four.rest1).place({ symbol: 'X@MISX' });
    assert.deepEqual((await next(answers)).orders, [three]);
    await setPrice(client, 'X@MISX', '250.4');
    const filled = await trader.get(three.orderId);
    assert.equal(filled.status, OrderStatus.FILLED);
    assert.deepEqual((await next(answers)).orders, [filled]);
    const withdrawn = await trader.cancel(two.orderId);
    assert.deepEqual((await next(answers)).orders, [withdrawn]);
    await answers.return();

    const trades = trader.followTrades();
    const [trade, ...others] = (await next(trades)).trades;
    assert.ok(trade);
    assert.equal(others.length, 0);
    assert.equal(trade.orderId, three.orderId);
    assert.equal(trade.accountId, '1899011');
    assert.equal(trade.symbol, 'X@MISX');
    assert.equal(trade.price?.value, '250.4');
    assert.equal(trade.size?.value, '10');
    assert.equal(trade.side, Side.BUY);
    assert.ok(trade.timestamp);
    assert.equal(trade.accruedInterest, undefined);
    const four = await trader.place({ symbol: 'X@MISX', comment: 'with a comment' });
    const more = (await next(trades)).trades;
    assert.deepEqual(
      more.map(({ orderId, comment }) => [orderId, comment]),
      [[four.orderId, 'with a comment']],
    );
    assert.notEqual(more[0]?.tradeId, trade.tradeId);
    await trades.return();
  });
}

test('while many place and cancel, each stream has every change after its first answer, once', async () => {
  await using here = await scene();
  const { four } = here;
  const trader = await here.trader(four.grpc);
  const PLACERS = 8;
  const EACH = 40;
  const total = PLACERS * EACH;
  let isOver = false;
  const placing = Promise.all(
    Array.from({ length: PLACERS }, async (_, i) => {
      const mine = trader.over(four.all[i % four.all.length] ?? four.grpc);
      for (let n = 0; n < EACH; n++) {
        const { orderId } = await mine.place({ comment: `${i} ${n}` });
        if (n % 2 === 0) await mine.cancel(orderId);
      }
    }),
  ).finally(() => {
    isOver = true;
  });
  const last = 'the last one';
  const isLast = (changes: readonly OrderState[]) => changes.at(-1)?.order?.comment === last;
  const streams: ReturnType<typeof read>[] = [];
  while (!isOver) {
    const client = four.streaming[streams.length % 2];
    assert.ok(client);
    if (streams.length < 40) streams.push(read(trader.over(client).follow(), isLast));
    await sleep(5);
  }
  await placing;
  await trader.place({ comment: last });

  const log = await here.server.server.store.orderChanges('1899011', 0, 10_000);
  assert.equal(log.length, total * 1.5 + 1);
  const keys = log.map((state) => `${state.orderId} ${state.execId} ${OrderStatus[state.status]}`);
  let began = 0;
  for (const { first, changes } of await Promise.all(streams)) {
    // The first answer holds everything up to some place in the log, the rest everything after it.
    const at = log.length - changes.length;
    assert.deepEqual(changes.map(keyOf), keys.slice(at));
    const newest = new Map(log.slice(0, at).map((state, i) => [state.orderId, keys[i]]));
    assert.deepEqual(new Set(first.map(keyOf)), new Set(newest.values()));
    if (at > 0 && at < log.length - 1) began++;
  }
  assert.ok(began > 0, 'no stream began in the midst');
});

test('who does not read holds up nobody, and misses nothing', async () => {
  await using here = await scene();
  const { four } = here;
  const trader = await here.trader(four.grpc);
  const slow = await Promise.all(
    four.streaming.map(async (client) => {
      const answers = trader.over(client).follow();
      assert.deepEqual((await next(answers)).orders, []);
      return answers;
    }),
  );
  const comment = 'я'.repeat(128);
  const placed: string[] = [];
  // More than the windows of a connection hold.
  for (let i = 0; i < 16; i++) {
    const states = await Promise.all(Array.from({ length: 50 }, () => trader.place({ comment })));
    placed.push(...states.map(({ orderId }) => orderId));
  }
  for (const answers of slow) {
    const seen: string[] = [];
    while (seen.length < placed.length) {
      seen.push(...(await next(answers)).orders.map(({ orderId }) => orderId));
    }
    assert.deepEqual(new Set(seen), new Set(placed));
    assert.equal(seen.length, placed.length);
    await answers.return();
  }
});

test('of the trades so far the 500 newest are told, then each', async () => {
  await using here = await scene();
  const trader = await here.trader(here.four.grpc);
  await setPrice(here.four.grpc, 'T@MISX', '1');
  const buy = { symbol: 'T@MISX' };
  for (let i = 0; i < 11; i++) {
    await Promise.all(Array.from({ length: 50 }, () => trader.place(buy)));
  }
  const log = await here.server.server.store.trades('1899011', 0, 10_000);
  assert.equal(log.length, 550);
  const trades = trader.followTrades();
  const idsOf = (all: readonly Pick<AccountTrade, 'tradeId'>[]) =>
    all.map(({ tradeId }) => tradeId);
  assert.deepEqual(idsOf((await next(trades)).trades), idsOf(log.slice(-500)));
  const { orderId } = await trader.place(buy);
  assert.deepEqual(
    (await next(trades)).trades.map((trade) => trade.orderId),
    [orderId],
  );
  await trades.return();
});

test('streams go on while nothing happens, and end with UNAVAILABLE when the server drains', async () => {
  await using here = await scene();
  const trader = await here.trader(here.four.grpc);
  const streams = here.four.streaming.flatMap((client) => {
    const mine = trader.over(client);
    return [mine.follow(), mine.followTrades()];
  });
  for (const stream of streams) await next<unknown>(stream);
  const ends = streams.map((stream) => failureOf(stream.next()));
  await here.server.stop();
  for (const failure of await Promise.all(ends)) {
    assert.equal(failure.code, 14);
    assert.equal(failure.reason, 'UNAVAILABLE');
  }
});

test('who goes away leaves nothing behind', async () => {
  await using here = await scene();
  const trader = await here.trader(here.four.grpc);
  for (let i = 0; i < 20; i++) {
    const answers = trader.over(here.four.streaming[i % 2] ?? trader.client).follow();
    await next(answers);
    await answers.return();
  }
  const ended = () => here.server.log.filter((line) => line.includes('"SubscribeOrders"')).length;
  await until('the end of all streams', () => ended() === 20);
  // A change finds nobody to wake, and the next stream has it.
  const placed = await trader.place();
  const answers = trader.follow();
  assert.deepEqual((await next(answers)).orders, [placed]);
  await answers.return();
});
