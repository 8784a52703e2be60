import assert from 'node:assert/strict';
import { createSecretKey } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type ChainedEntry,
  chainStart,
  entryMac,
  isSame,
  isSealed,
  sealPoint,
} from './audit-chain.ts';

const KEY = createSecretKey(Buffer.alloc(32, 1));
const OTHER_KEY = createSecretKey(Buffer.alloc(32, 2));
const ENTRIES = fc.record({
  sequence: fc.nat(),
  atMs: fc.nat(),
  actor: fc.string(),
  action: fc.string(),
  target: fc.string(),
  remoteAddress: fc.string(),
  detail: fc.json(),
});

test('an entry has another HMAC when anything about it, or before it, is another', () => {
  const different = (one: ChainedEntry, other: ChainedEntry) =>
    Object.entries(one).some(([name, value]) => value !== other[name as keyof ChainedEntry]);
  fc.assert(
    fc.property(ENTRIES, ENTRIES, fc.string(), fc.string(), (one, other, before, after) => {
      const mac = entryMac(KEY, before, one);
      assert.equal(entryMac(KEY, before, { ...one }), mac);
      assert.notEqual(entryMac(OTHER_KEY, before, one), mac);
      assert.equal(entryMac(KEY, after, one) === mac, before === after);
      assert.equal(entryMac(KEY, before, other) === mac, !different(one, other));
      for (const name of ['actor', 'action', 'target', 'remoteAddress', 'detail'] as const) {
        assert.notEqual(entryMac(KEY, before, { ...one, [name]: `${one[name]} ` }), mac);
      }
      // What moves from one field to the next is another entry.
      const moved = { ...one, actor: '', action: one.actor + one.action };
      if (one.actor !== '') assert.notEqual(entryMac(KEY, before, moved), mac);
    }),
  );
});

test('a point is sealed by one key, under one name, with one content', () => {
  const start = chainStart(KEY, 'writer', 7);
  assert.notEqual(start.hash, chainStart(KEY, 'other', 7).hash);
  assert.notEqual(start.hash, chainStart(KEY, 'writer', 8).hash);
  const sealed = sealPoint(KEY, 'head', start);
  assert.ok(isSealed(KEY, 'head', sealed));
  assert.ok(!isSealed(KEY, 'checkpoint', sealed));
  assert.ok(!isSealed(OTHER_KEY, 'head', sealed));
  for (const change of [{ writer: 'x' }, { sequence: 8 }, { hash: '1:x' }, { mac: '1:x' }]) {
    assert.ok(!isSealed(KEY, 'head', { ...sealed, ...change }));
  }
});

test('texts are the same or not, whatever their lengths', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (a, b) => {
      const isEqual = Buffer.from(a).equals(Buffer.from(b));
      assert.deepEqual([isSame(a, b), isSame(a, a)], [isEqual, true]);
    }),
  );
});
