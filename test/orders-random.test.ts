/** Whatever is placed, cancelled and priced, over any protocol: what must hold of orders holds. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import Big from 'big.js';
import fc from 'fast-check';
import {
  type OrderState,
  OrderStatus,
  OrderType,
  StopCondition,
  TimeInForce,
} from '../src/gen/grpc/tradeapi/v1/orders/orders_service_pb.js';
import { Side } from '../src/gen/grpc/tradeapi/v1/side_pb.js';
import type { AccountTrade } from '../src/gen/grpc/tradeapi/v1/trade_pb.js';
import { CallFailure, failureOf } from './clients/client.ts';
import { Four } from './clients/four.ts';
import { next, type OrderRequest, secretOf, setPrice, Trader } from './orders.ts';
import { startHere, unique } from './start.ts';

const server = await startHere(['--limit', '1000000']);
const four = new Four(server);
const traders = await Promise.all([
  Trader.signIn(four.grpc, server.secret, '1899011'),
  Trader.signIn(four.grpc, secretOf(server, 'demo-levels'), 'TRQD05:146559'),
]);
after(async () => {
  await four[Symbol.asyncDispose]();
  await server.stop();
});

const FINAL = [OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED];

/** Who does something, over which protocol. */
const by = { who: fc.nat(1), over: fc.nat(3) };
const price = fc.integer({ min: 90, max: 110 }).map((n) => ({ value: String(new Big(n).div(4)) }));
const order = fc.record({
  type: fc.constantFrom(OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT),
  side: fc.constantFrom(Side.BUY, Side.SELL),
  quantity: fc.integer({ min: 1, max: 999 }).map((n) => ({ value: String(new Big(n).div(8)) })),
  timeInForce: fc.constantFrom(TimeInForce.DAY, TimeInForce.IOC, TimeInForce.FOK),
  limitPrice: price,
  stopPrice: price,
  stopCondition: fc.constantFrom(StopCondition.LAST_UP, StopCondition.LAST_DOWN),
});
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('place' as const), ...by, order }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('cancel' as const), ...by, which: fc.nat() }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('price' as const), ...by, price }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** The order without what its type does not take. */
function fitting({ limitPrice, stopPrice, stopCondition, timeInForce, ...rest }: OrderRequest) {
  const hasLimit = rest.type === OrderType.LIMIT || rest.type === OrderType.STOP_LIMIT;
  const hasStop = rest.type === OrderType.STOP || rest.type === OrderType.STOP_LIMIT;
  return {
    ...rest,
    timeInForce: hasStop ? TimeInForce.DAY : (timeInForce ?? TimeInForce.DAY),
    limitPrice: hasLimit ? limitPrice : undefined,
    ...(hasStop && { stopPrice, stopCondition }),
  };
}

/** Does one step; refusals that depend on the order of things are as good as answers. */
async function run(step: Step, symbol: string, placed: OrderState[][]): Promise<void> {
  const trader = traders[step.who]?.over(four.all[step.over] ?? four.grpc);
  const mine = placed[step.who];
  assert.ok(trader && mine);
  if (step.do === 'price') {
    await setPrice(trader.client, symbol, step.price.value);
  } else if (step.do === 'place') {
    mine.push(await trader.place({ ...fitting(step.order), symbol }));
  } else {
    const state = mine[step.which % Math.max(mine.length, 1)];
    if (state === undefined) return;
    await trader.cancel(state.orderId).catch((error) => {
      assert.ok(error instanceof CallFailure);
      assert.equal(error.reason, 'ORDER_NOT_ACTIVE');
    });
  }
}

/** Follows an account from now on. */
async function follow(trader: Trader) {
  const changes: OrderState[] = [];
  const trades: AccountTrade[] = [];
  const [orders, traded] = [trader.follow(), trader.followTrades()];
  await Promise.all([next(orders), next(traded)]);
  return {
    changes,
    trades,
    /** Reads until the order has come, with which all that was before it has. */
    async until(last: OrderState): Promise<void> {
      while (changes.every(({ orderId }) => orderId !== last.orderId)) {
        changes.push(...(await next(orders)).orders);
      }
      const filled = changes.filter(({ status }) => status === OrderStatus.FILLED);
      while (trades.length < filled.length) trades.push(...(await next(traded)).trades);
      await Promise.all([orders.return(), traded.return()]);
    },
  };
}

function checkLife(states: readonly OrderState[], trades: readonly AccountTrade[]): void {
  for (const [i, state] of states.entries()) {
    const before = states[i - 1];
    if (before !== undefined) assert.ok(!FINAL.includes(before.status), 'it left a final status');
    const { initialQuantity, executedQuantity, remainingQuantity } = state;
    const sum = new Big(executedQuantity?.value ?? '').plus(remainingQuantity?.value ?? '');
    assert.ok(sum.eq(initialQuantity?.value ?? ''), 'the quantities do not add up');
  }
  const traded = trades.reduce((sum, { size }) => sum.plus(size?.value ?? ''), new Big(0));
  assert.ok(traded.eq(states.at(-1)?.executedQuantity?.value ?? ''), 'nor do the trades');
}

test("quantities add up, final is final, and no account sees another's", async () => {
  const steps = fc.array(step, { minLength: 5, maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      const symbol = `R${unique()}@MISX`;
      const placed: OrderState[][] = [[], []];
      const feeds = await Promise.all(traders.map(follow));
      // Three at a time, so that they meet.
      for (let i = 0; i < all.length; i += 3) {
        await Promise.all(all.slice(i, i + 3).map((one) => run(one, symbol, placed)));
      }
      for (const [i, trader] of traders.entries()) {
        const feed = feeds[i];
        const [mine = [], theirs = []] = i === 0 ? placed : placed.toReversed();
        assert.ok(feed);
        const last = await trader.place({ symbol });
        await feed.until(last);
        await trader.cancel(last.orderId).catch(() => {});
        const byOrder = Map.groupBy(feed.changes, ({ orderId }) => orderId);
        assert.deepEqual(new Set(byOrder.keys()), new Set([...mine, last].map((s) => s.orderId)));
        const listed = new Map((await trader.list()).map((state) => [state.orderId, state]));
        for (const state of mine) {
          const states = byOrder.get(state.orderId) ?? [];
          assert.deepEqual(states[0], state, 'what was answered is what comes first');
          checkLife(
            states,
            feed.trades.filter(({ orderId }) => orderId === state.orderId),
          );
          assert.deepEqual(listed.get(state.orderId), states.at(-1));
          assert.equal(state.order?.accountId, trader.accountId);
        }
        for (const { orderId } of theirs.slice(0, 2)) {
          assert.equal((await failureOf(trader.get(orderId))).reason, 'ORDER_NOT_FOUND');
        }
      }
    }),
    { numRuns: 15 },
  );
});
