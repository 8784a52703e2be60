import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Looks } from './looks.ts';

/** Look-ups that end when the test says so, with how many had begun by then. */
function make() {
  const waiting: { end: () => void; fail: () => void }[] = [];
  let begun = 0;
  const looks = new Looks(async (name) => {
    const found = `${name}${++begun}`;
    await new Promise<void>((resolve, reject) => {
      waiting.push({ end: resolve, fail: () => reject(new Error(found)) });
    });
    return found;
  });
  const answer = async (how: 'end' | 'fail' = 'end') => {
    waiting.shift()?.[how]();
    await nextTurn();
  };
  return { looks, waiting, answer };
}

test('who asks while a look-up is under way gets what a later one finds, shared with all such', async () => {
  const { looks, waiting, answer } = make();
  const first = looks.fresh('a');
  const others = Array.from({ length: 100 }, () => looks.fresh('a'));
  assert.equal(waiting.length, 1);
  await answer();
  assert.equal(await first, 'a1');
  // The next has begun: it is too old for who asks now.
  const last = looks.fresh('a');
  await answer();
  assert.deepEqual(new Set(await Promise.all(others)), new Set(['a2']));
  await answer();
  assert.equal(await last, 'a3');
  assert.equal(waiting.length, 0);
});

test('who asks again as soon as one is done shares the next, which is about to begin', async () => {
  const { looks, waiting, answer } = make();
  const again = (found: Promise<string>) => found.then(() => looks.fresh('a'));
  const [one, other] = [again(looks.current('a')), again(looks.current('a'))];
  const next = looks.fresh('a');
  await answer();
  assert.equal(waiting.length, 1);
  await answer();
  assert.deepEqual(await Promise.all([one, other, next]), ['a2', 'a2', 'a2']);
  assert.equal(waiting.length, 0);
});

test('who takes any shares the one under way', async () => {
  const { looks, answer } = make();
  const both = [looks.fresh('a'), looks.current('a')];
  await answer();
  assert.deepEqual(await Promise.all(both), ['a1', 'a1']);
  const later = looks.current('a');
  await answer();
  assert.equal(await later, 'a2');
});

test('one that fails does not hold up the next, and names have nothing in common', async () => {
  const { looks, answer } = make();
  const first = looks.fresh('a');
  const next = looks.fresh('a');
  const other = looks.fresh('b');
  await Promise.all([assert.rejects(first, /a1/), answer('fail')]);
  await answer();
  assert.equal(await other, 'b2');
  await answer();
  assert.equal(await next, 'a3');
});
