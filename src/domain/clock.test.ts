import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { idOf, newId, newTimedId, systemRandom } from './clock.ts';

test('an id begins with a letter whatever was drawn, and is no flag of a command line', () => {
  for (let first = 0; first < 256; first++) {
    const id = newId((bytes) => Buffer.alloc(bytes, first));
    assert.match(id, /^[A-Za-f][\w-]{21}$/);
  }
});

test('ids of other bits are other ids, but for the first; what was drawn stays as it is', () => {
  const isSame = (a: Buffer, b: Buffer) =>
    a.readUInt8() % 128 === b.readUInt8() % 128 && a.subarray(1).equals(b.subarray(1));
  const bytes = fc.uint8Array({ minLength: 2, maxLength: 2 }).map((each) => Buffer.from(each));
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      const before = Buffer.from(a);
      assert.equal(idOf(a) === idOf(b), isSame(a, b));
      assert.deepEqual(a, before);
      assert.equal(idOf(a), idOf(a.fill(before.readUInt8() ^ 0x80, 0, 1)));
    }),
    { numRuns: 1000 },
  );
});

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

test('timed ids sort by time as bytes, and none comes twice', () => {
  const instants = fc.integer({ min: 0, max: 2 ** 42 - 1 });
  fc.assert(
    fc.property(instants, instants, (a, b) => {
      const [first, second] = [newTimedId(systemRandom, a), newTimedId(systemRandom, b)];
      assert.match(first, /^s[\w-]{21}$/);
      if (a === b) assert.notEqual(first, second);
      else assert.equal(first < second, a < b);
    }),
  );
  const ids = Array.from({ length: 10_000 }, () => newTimedId(systemRandom, 1_700_000_000_000));
  assert.equal(new Set(ids).size, ids.length);
});
