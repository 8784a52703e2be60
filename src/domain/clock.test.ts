import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { idOf, newId } from './clock.ts';

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
