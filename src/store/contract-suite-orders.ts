/** The part of the engines' suite that is about orders: a log of their changes, and their states. */
import assert from 'node:assert/strict';
import type { Numbered } from '../domain/model.ts';
import { isFinal, type OrderState, type Trade } from '../domain/order.ts';
import { type Check, heard, refused } from './contract-checks.ts';
import { canceled, filled, placed, trade } from './contract-samples.ts';
import type { Change, Store } from './store.ts';

/** Changes or trades without their places in the log. */
function bare<T extends OrderState | Trade>(numbered: readonly Numbered<T>[]) {
  return numbered.map(({ sequence: _, ...rest }) => rest);
}

async function changesOf(store: Store, accountId: string): Promise<unknown[]> {
  return bare(await store.orderChanges(accountId, 0, 1_000));
}

async function ordersOf(store: Store, accountId: string, finalMax = 100): Promise<string[]> {
  const { orders } = await store.orders(accountId, finalMax);
  return orders.map(({ orderId }) => orderId);
}

/** Declares the tests. */
export function ordersContract(check: Check): void {
  statesContract(check);
  refusalsContract(check);
  snapshotContract(check);
  logContract(check);
  announcementsContract(check);
}

function statesContract(check: Check): void {
  check('an order is its newest state; its client order id gives its first one', async (store) => {
    const one = placed('one', { clientOrderId: 'mine' });
    assert.equal(await store.order('a1', 'one'), undefined);
    assert.equal(await store.placedOrder('a1', 'mine'), undefined);
    await store.recordOrders([one], []);
    assert.deepEqual(await store.order('a1', 'one'), one);
    await store.recordOrders([filled(one)], [trade('t1', one)]);
    assert.deepEqual(await store.order('a1', 'one'), filled(one));
    assert.deepEqual(await store.placedOrder('a1', 'mine'), one);
    assert.deepEqual(await changesOf(store, 'a1'), [one, filled(one)]);
    assert.deepEqual(bare(await store.trades('a1', 0, 10)), [trade('t1', one)]);
  });

  check('an order may be placed and be done in one call', async (store) => {
    const [one, two] = [placed('one'), placed('two')];
    await store.recordOrders([one, two, filled(one), canceled(two)], [trade('t1', one)]);
    assert.deepEqual(await changesOf(store, 'a1'), [one, two, filled(one), canceled(two)]);
    assert.deepEqual(await store.order('a1', 'two'), canceled(two));
    assert.deepEqual(await store.placedOrder('a1', 'one'), one);
    assert.deepEqual(await store.openOrders(), []);
  });

  check('what an account has, another has not', async (store) => {
    const one = placed('one', { clientOrderId: 'same' });
    const other = placed('other', { clientOrderId: 'same', accountId: 'a2' });
    await store.recordOrders([one, other, filled(other)], [trade('t1', other)]);
    assert.equal(await store.order('a2', 'one'), undefined);
    assert.deepEqual(await store.placedOrder('a2', 'same'), other);
    assert.deepEqual(await ordersOf(store, 'a2'), ['other']);
    assert.deepEqual(await changesOf(store, 'a1'), [one]);
    assert.deepEqual(await store.trades('a1', 0, 10), []);
    assert.deepEqual(await store.orders('a3', 10), { orders: [], sequence: 0 });
  });

  check(
    'open orders of all accounts come in the order in which they were placed',
    async (store) => {
      const states = ['d', 'b', 'c', 'a'].map((id, i) => placed(id, { accountId: `a${i % 2}` }));
      const [d, b, c, a] = states as [OrderState, OrderState, OrderState, OrderState];
      await store.recordOrders([d, b], []);
      await store.recordOrders([c, a], []);
      const touched = { ...d, triggeredAtMs: 5 };
      await store.recordOrders([touched, canceled(b)], []);
      assert.deepEqual(await store.openOrders(), [touched, c, a]);
    },
  );
}

function refusalsContract(check: Check): void {
  check('a client order id that is taken: nothing is kept, and neighbours are', async (store) => {
    await store.recordOrders([placed('one', { clientOrderId: 'mine' })], []);
    const changes = heard(store);
    const other = placed('other', { clientOrderId: 'mine' });
    const [clash, neighbour] = await Promise.allSettled([
      store.recordOrders([placed('before'), other], [trade('t1', other)]),
      store.recordOrders([placed('neighbour', { accountId: 'a2' })], []),
    ]);
    assert.equal(neighbour.status, 'fulfilled');
    assert.equal(clash.status, 'rejected');
    await refused(
      Promise.reject(clash.reason),
      'CLIENT_ORDER_ID_TAKEN',
      /another order .* client_order_id/,
    );
    assert.deepEqual(await ordersOf(store, 'a1'), ['one']);
    assert.equal((await changesOf(store, 'a1')).length, 1);
    assert.deepEqual(await store.trades('a1', 0, 10), []);
    assert.deepEqual(changes, [{ kind: 'orders', accountId: 'a2' }]);
  });

  check('a client order id is not free again when its order is done', async (store) => {
    const one = placed('one', { clientOrderId: 'mine' });
    await store.recordOrders([one, canceled(one)], []);
    const again = placed('again', { clientOrderId: 'mine' });
    await refused(store.recordOrders([again], []), 'CLIENT_ORDER_ID_TAKEN');
    const twins = ['x', 'y'].map((id) => placed(id, { clientOrderId: 'twin' }));
    await refused(store.recordOrders(twins, []), 'CLIENT_ORDER_ID_TAKEN');
    assert.deepEqual(await ordersOf(store, 'a1'), ['one']);
  });

  check('an order that is done stays as it is, and no id is given twice', async (store) => {
    const one = placed('one');
    await store.recordOrders([one, filled(one)], []);
    await assert.rejects(store.recordOrders([canceled(one)], []));
    await assert.rejects(store.recordOrders([placed('one', { clientOrderId: 'new' })], []));
    await assert.rejects(store.recordOrders([placed('one', { accountId: 'a2' })], []));
    assert.deepEqual(await store.order('a1', 'one'), filled(one));
    assert.deepEqual(await changesOf(store, 'a1'), [one, filled(one)]);
    assert.deepEqual(await changesOf(store, 'a2'), []);
  });
}

function snapshotContract(check: Check): void {
  check('a snapshot has what is open and what was done last, the oldest first', async (store) => {
    const states = ['a', 'b', 'c', 'd', 'e'].map((id) => placed(id));
    const [a, b, c, d] = states as [OrderState, OrderState, OrderState, OrderState];
    await store.recordOrders(states, []);
    await store.recordOrders([canceled(d), canceled(b), canceled(a)], []);
    assert.deepEqual(await ordersOf(store, 'a1'), ['a', 'b', 'c', 'd', 'e']);
    assert.deepEqual(await ordersOf(store, 'a1', 2), ['a', 'b', 'c', 'e']);
    assert.deepEqual(await ordersOf(store, 'a1', 0), ['c', 'e']);
    assert.deepEqual(await ordersOf(store, 'a1', -1), ['c', 'e']);
    const { orders } = await store.orders('a1', 1);
    assert.deepEqual(orders, [canceled(a), c, placed('e')]);
  });

  check('a snapshot and the changes after it are everything, with no gap', async (store) => {
    const ids = Array.from({ length: 40 }, (_, i) => `o${i}`);
    const writes = ids.map(async (id, i) => {
      const state = placed(id, { accountId: `a${i % 2}` });
      await store.recordOrders([state], []);
      await store.recordOrders([i % 3 === 0 ? filled(state) : canceled(state)], []);
    });
    const seen: Promise<Awaited<ReturnType<Store['orders']>>>[] = [];
    for (let i = 0; i < 20; i++) {
      seen.push(store.orders('a0', 1_000));
      await new Promise(setImmediate);
    }
    await Promise.all(writes);
    const end = await store.orders('a0', 1_000);
    assert.equal(end.orders.length, 20);
    for (const { orders, sequence } of await Promise.all(seen)) {
      const byId = new Map(orders.map((state) => [state.orderId, state]));
      for (const state of bare(await store.orderChanges('a0', sequence, 1_000))) {
        assert.ok(!isFinal(byId.get(state.orderId)?.status ?? 1), 'no change comes twice');
        byId.set(state.orderId, state);
      }
      assert.deepEqual([...byId.values()], end.orders);
    }
  });
}

function logContract(check: Check): void {
  check('changes and trades are read in order, page by page', async (store) => {
    const states = ['a', 'b', 'c', 'd'].map((id, i) => placed(id, { accountId: `a${i % 2}` }));
    const [a, b, c] = states as [OrderState, OrderState, OrderState];
    const trades = [trade('t3', a), trade('t1', b), trade('t2', c)];
    await store.recordOrders([...states, filled(c)], [trade('t0', c)]);
    await store.recordOrders([filled(a), filled(b)], trades);
    const changes = await store.orderChanges('a0', 0, 10);
    assert.deepEqual(bare(changes), [a, c, filled(c), filled(a)]);
    assert.deepEqual(bare(await store.trades('a0', 0, 10)), [trade('t0', c), trades[0], trades[2]]);
    const logs = [
      { all: changes, read: store.orderChanges.bind(store) },
      { all: await store.trades('a0', 0, 10), read: store.trades.bind(store) },
    ];
    for (const { all, read } of logs) {
      const sequences = all.map(({ sequence }) => sequence);
      for (const [i, sequence] of sequences.entries()) {
        assert.ok(sequence > (sequences[i - 1] ?? 0));
        assert.deepEqual(await read('a0', sequence, 10), all.slice(i + 1));
        assert.deepEqual(await read('a0', sequence, 1), all.slice(i + 1, i + 2));
      }
      assert.deepEqual(await read('a0', 0, 0), []);
      assert.deepEqual(await read('a0', 0, -1), []);
    }
    const { sequence } = await store.orders('a0', 10);
    assert.equal(sequence, changes.at(-1)?.sequence);
  });

  check('the newest trades are read in order, as many as are asked for', async (store) => {
    const [mine, other] = [placed('a', { accountId: 'a0' }), placed('b', { accountId: 'a1' })];
    await store.recordOrders([mine, other], []);
    for (let i = 0; i < 5; i++) {
      await store.recordOrders([], [trade(`t${i}`, mine), trade(`o${i}`, other)]);
    }
    const all = await store.trades('a0', 0, 10);
    assert.equal(all.length, 5);
    for (const max of [10, 5, 2, 1]) {
      assert.deepEqual(await store.newestTrades('a0', max), all.slice(-max));
    }
    for (const max of [0, -1]) assert.deepEqual(await store.newestTrades('a0', max), []);
    assert.deepEqual(await store.newestTrades('nobody', 10), []);
  });
}

function announcementsContract(check: Check): void {
  check('every account is announced once, when its changes can be read', async (store) => {
    const changes: Change[] = [];
    const seen: Promise<unknown[]>[] = [];
    store.subscribe((change) => {
      changes.push(change);
      if (change.kind === 'orders') seen.push(changesOf(store, change.accountId));
    });
    const one = placed('one', { accountId: 'a1' });
    const two = placed('two', { accountId: 'a2' });
    await store.recordOrders([one, two, filled(one)], [trade('t1', one)]);
    assert.deepEqual(changes, [
      { kind: 'orders', accountId: 'a1' },
      { kind: 'orders', accountId: 'a2' },
    ]);
    assert.deepEqual(await Promise.all(seen), [[one, filled(one)], [two]]);
    await store.recordOrders([], []);
    assert.equal(changes.length, 2);
  });
}
