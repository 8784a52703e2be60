import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TurnTimer } from './turn-timer.ts';

/** Resolves when the turn is over and every timer of it has begun. */
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

test('it rings once when its time has come', async () => {
  let rung = 0;
  await new Promise<void>((resolve) => {
    new TurnTimer(1, () => {
      rung++;
      resolve();
    });
  });
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(rung, 1);
});

test('what is cleared does not ring, in the same turn or in a later one', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const rung: string[] = [];
  const make = (name: string) => new TurnTimer(10, () => rung.push(name));
  make('at once').clear();
  const later = make('later');
  make('never cleared');
  await nextTurn();
  later.clear();
  t.mock.timers.tick(10);
  assert.deepEqual(rung, ['never cleared']);
});
