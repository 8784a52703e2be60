/** What must hold of the store whatever was asked of paper venues. */
import assert from 'node:assert/strict';
import Big from 'big.js';
import { AppError } from '../domain/errors.ts';
import {
  isFinal,
  type Order,
  type OrderState,
  OrderStatus,
  Side,
  type Trade,
} from '../domain/order.ts';
import type { Store } from '../store/store.ts';
import { ACCOUNTS } from './test-paper-steps.ts';

const { NEW, FILLED, CANCELED, EXPIRED } = OrderStatus;

/** What a step answered: a state, nothing, or why not. */
export async function answerOf(
  asked: Promise<OrderState> | Promise<void>,
): Promise<OrderState | string> {
  try {
    return (await asked) ?? 'done';
  } catch (error) {
    if (error instanceof AppError) return error.reason;
    throw error;
  }
}

/** Everything of a log, read in pages, each going on from the last. */
export async function pages<T extends { readonly sequence: number }>(
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
    const asked: Order = first.order;
    assert.deepEqual([side, comment, symbol], [asked.side, asked.comment, asked.symbol]);
    const above = new Big(price).cmp(asked.limitPrice ?? price);
    assert.ok(side === Side.BUY ? above <= 0 : above >= 0, 'never worse than the limit');
  }
}

/** Checks all that must hold whatever happened. Answers the states of all orders by their ids. */
export async function checkStore(store: Store): Promise<Map<string, OrderState>> {
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
