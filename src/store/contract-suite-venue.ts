/** The part of the engines' suite that is about venues of several nodes: one log, and prices. */
import assert from 'node:assert/strict';
import type { OrderState } from '../domain/order.ts';
import { type Check, heard, refused } from './contract-checks.ts';
import { filled, placed, trade } from './contract-samples.ts';

/** Declares the tests. */
export function venueContract(check: Check): void {
  positionContract(check);
  pricesContract(check);
}

function positionContract(check: Check): void {
  check('what rests on a position is recorded there, or not at all', async (store) => {
    const [one, two] = [placed('one'), placed('two', { accountId: 'a2' })];
    const begin = await store.venuePosition();
    assert.deepEqual(begin, { change: 0, price: 0 });
    const after = await store.recordOrders([one], [], [], begin);
    assert.ok(after !== undefined && after.change > 0);
    assert.deepEqual(await store.venuePosition(), after);
    const changes = heard(store);
    const price = { symbol: 'SBER@MISX', price: '1' };
    for (const past of [begin, { ...after, price: 1 }, { ...after, change: after.change + 1 }]) {
      const late = store.recordOrders([two, filled(one)], [trade('t1', one)], [price], past);
      assert.equal(await late, undefined);
    }
    assert.deepEqual(await store.venuePosition(), after);
    assert.deepEqual(await store.openOrders(), [one]);
    assert.deepEqual([await store.trades('a1', 0, 10), await store.prices(0, 10)], [[], []]);
    assert.deepEqual(changes, []);
    const then = await store.recordOrders([filled(one)], [trade('t1', one)], [price], after);
    assert.ok(then !== undefined && then.change > after.change && then.price > after.price);
    assert.deepEqual(await store.venuePosition(), then);
    // Of what changes nothing, the position is what it was.
    assert.deepEqual(await store.recordOrders([], [], [], then), then);
    assert.equal(await store.recordOrders([], [], [], after), undefined);
    await store.recordOrders([two], []);
    assert.equal(await store.recordOrders([], [], [], then), undefined);
  });

  check('of recordings that rest on one position, one is recorded', async (store) => {
    for (let i = 0; i < 5; i++) {
      const before = await store.venuePosition();
      const ids = ['a', 'b', 'c', 'd'].map((id) => `${id}${i}`);
      const answers = await Promise.all(
        ids.map((id) => store.recordOrders([placed(id)], [], [], before)),
      );
      const won = ids.filter((_, at) => answers[at] !== undefined);
      assert.equal(won.length, 1);
      const position = await store.venuePosition();
      assert.deepEqual(answers[ids.indexOf(won[0] ?? '')], position);
      const log = await store.orderLog(before.change, 10);
      assert.deepEqual(
        log.map(({ orderId, sequence }) => [orderId, sequence]),
        [[won[0], position.change]],
      );
    }
  });

  check('the log of all accounts is read in order, page by page', async (store) => {
    const states = ['a', 'b', 'c', 'd'].map((id, i) => placed(id, { accountId: `a${i % 2}` }));
    const [a, b] = states as [OrderState, OrderState];
    await store.recordOrders(states, []);
    await store.recordOrders([filled(b), filled(a)], [trade('t1', a)]);
    const all = await store.orderLog(0, 10);
    const expected = [...states, filled(b), filled(a)];
    assert.deepEqual(
      all.map(({ sequence: _, ...state }) => state),
      expected,
    );
    assert.equal(all.at(-1)?.sequence, (await store.venuePosition()).change);
    for (const [i, { sequence }] of all.entries()) {
      assert.deepEqual(await store.orderLog(sequence, 10), all.slice(i + 1));
      assert.deepEqual(await store.orderLog(sequence, 2), all.slice(i + 1, i + 3));
    }
    for (const limit of [0, -1]) assert.deepEqual(await store.orderLog(0, limit), []);
  });
}

function pricesContract(check: Check): void {
  check('a symbol has the price that was set last, numbered as it was set', async (store) => {
    const set = (...prices: string[]) =>
      store.recordOrders(
        [],
        [],
        prices.map((text) => ({ symbol: text.slice(0, 1), price: text.slice(1) })),
      );
    const told = async (from: number, limit = 10) =>
      (await store.prices(from, limit)).map(({ symbol, price }) => `${symbol}${price}`);
    await set('A1', 'B2', 'C3.50');
    assert.deepEqual(await told(0), ['A1', 'B2', 'C3.50']);
    const seen = (await store.venuePosition()).price;
    assert.deepEqual(await told(seen), []);
    await set('A4', 'D5', 'A6');
    await set('D5');
    assert.deepEqual(await told(seen), ['A6', 'D5']);
    assert.deepEqual(await told(0), ['B2', 'C3.50', 'A6', 'D5']);
    const all = await store.prices(0, 10);
    assert.equal(all.at(-1)?.sequence, (await store.venuePosition()).price);
    for (const [i, { sequence }] of all.entries()) {
      assert.deepEqual(await store.prices(sequence, 1), all.slice(i + 1, i + 2));
    }
    for (const limit of [0, -1]) assert.deepEqual(await store.prices(0, limit), []);
  });

  check('a price is set with what follows from it, or not', async (store) => {
    const one = placed('one', { clientOrderId: 'mine' });
    await store.recordOrders([one], []);
    const clash = placed('other', { clientOrderId: 'mine' });
    const price = { symbol: 'SBER@MISX', price: '1' };
    await refused(store.recordOrders([filled(one), clash], [], [price]), 'CLIENT_ORDER_ID_TAKEN');
    assert.deepEqual(await store.prices(0, 10), []);
    assert.deepEqual(await store.openOrders(), [one]);
  });
}
