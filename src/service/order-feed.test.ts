import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { AppError } from '../domain/errors.ts';
import type { Numbered } from '../domain/model.ts';
import { Call } from '../pipeline/call.ts';
import { Changes } from '../store/changes.ts';
import type { Store } from '../store/store.ts';
import { OrderFeed } from './order-feed.ts';

type Row = Numbered<{ readonly accountId: string }>;

/** Rows of several accounts, and who hears of them; looks take a turn, and see what was there. */
class Rows {
  readonly changes = new Changes();
  readonly rows: Row[] = [];
  looks = 0;

  add(accountId: string): void {
    this.rows.push({ accountId, sequence: this.rows.length + 1 });
    this.changes.announce([{ kind: 'orders', accountId }]);
  }

  of(accountId: string) {
    return async (afterSequence: number, limit: number): Promise<Row[]> => {
      this.looks++;
      const isNew = (row: Row) => row.accountId === accountId && row.sequence > afterSequence;
      const found = this.rows.filter(isNew).slice(0, limit);
      await nextTurn();
      return found;
    };
  }
}

function make() {
  const rows = new Rows();
  const feed = new OrderFeed(rows.changes as Pick<Store, 'subscribe'>);
  const call = new Call({} as never, 'r');
  return { rows, feed, call };
}

test('what is added before, during and after a look comes once, in order', async () => {
  const step = fc.record({ add: fc.constantFrom('a', 'b'), turnsAfter: fc.nat(3) });
  const steps = fc.array(step, { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(steps, fc.nat(5), fc.nat(3), async (added, before, readerTurns) => {
      const { rows, feed, call } = make();
      for (let i = 0; i < before; i++) rows.add('a');
      const seen: Row[] = [];
      const reading = (async () => {
        for await (const page of feed.after(0, 'a', call, rows.of('a'))) {
          seen.push(...page);
          for (let i = 0; i < readerTurns; i++) await nextTurn();
        }
      })();
      for (const { add, turnsAfter } of added) {
        rows.add(add);
        for (let i = 0; i < turnsAfter; i++) await nextTurn();
      }
      const all = rows.rows.filter(({ accountId }) => accountId === 'a');
      const turnsMax = (all.length + 2) * (readerTurns + 2);
      for (let i = 0; i < turnsMax && seen.length < all.length; i++) await nextTurn();
      assert.deepEqual(seen, all);
      call.end(new AppError('CANCELLED', 'over'));
      await assert.rejects(reading);
    }),
  );
});

test('nobody looks while nothing happens, or only on other accounts', async () => {
  const { rows, feed, call } = make();
  const next = feed.after(0, 'a', call, rows.of('a')).next();
  for (let i = 0; i < 5; i++) await nextTurn();
  assert.equal(rows.looks, 1);
  rows.add('b');
  for (let i = 0; i < 5; i++) await nextTurn();
  assert.equal(rows.looks, 1);
  rows.add('a');
  assert.deepEqual((await next).value, [{ accountId: 'a', sequence: 2 }]);
});

test('the end of the call ends it, also while it waits', async () => {
  const { rows, feed, call } = make();
  const reason = new AppError('CANCELLED', 'over');
  const next = feed.after(0, 'a', call, rows.of('a')).next();
  for (let i = 0; i < 5; i++) await nextTurn();
  call.end(reason);
  await assert.rejects(next, reason);
  const late = feed.after(0, 'a', call, rows.of('a')).next();
  await assert.rejects(late, reason);
});

test('when anything may have changed, all look', async () => {
  const { rows, feed, call } = make();
  const others = ['a', 'b'].map((id) => feed.after(0, id, call, rows.of(id)).next());
  for (let i = 0; i < 5; i++) await nextTurn();
  assert.equal(rows.looks, 2);
  rows.rows.push({ accountId: 'b', sequence: 1 });
  rows.changes.announce([{ kind: 'everything' }]);
  assert.deepEqual((await others[1])?.value, [{ accountId: 'b', sequence: 1 }]);
  assert.equal(rows.looks, 4);
});
