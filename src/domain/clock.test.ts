import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemRandom } from './clock.ts';

test('no random bytes are given twice, whatever their number', () => {
  const lengths = [1, 12, 16, 32, 4000, 4096, 5000];
  const given = new Set<string>();
  for (let i = 0; i < 1000; i++) {
    const length = lengths[i % lengths.length] ?? 1;
    const bytes = systemRandom(Math.max(length, 12));
    assert.equal(bytes.length, Math.max(length, 12));
    const text = bytes.toString('hex', 0, 12);
    assert.ok(!given.has(text), 'seen before');
    given.add(text);
  }
});
