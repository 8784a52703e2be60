import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Since } from './since.ts';

test('what changes since a mark, and only that, has changed since', () => {
  const since = new Since();
  since.note('a');
  const first = since.begin();
  assert.equal(since.has(['a', 'b'], first), false);
  since.note('a');
  const second = since.begin();
  assert.equal(since.has(['b', 'a'], first), true);
  assert.equal(since.has(['b'], first), false);
  assert.equal(since.has(['a'], second), false);
  since.noteAll();
  for (const mark of [first, second]) assert.equal(since.has(['b'], mark), true);
  since.end();
  since.end();
  assert.equal(since.has(['a', 'b'], since.begin()), false);
});

test('with too many names to keep, all count as changed', () => {
  const since = new Since();
  const mark = since.begin();
  for (let i = 0; i < 10_000; i++) since.note(`name ${i}`);
  assert.equal(since.has(['other'], mark), false);
  assert.equal(since.has(['name 0'], mark), true);
  since.note('one more');
  for (const name of ['name 0', 'one more', 'other']) assert.equal(since.has([name], mark), true);
});
