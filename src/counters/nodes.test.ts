import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Nodes } from './nodes.ts';

const count = fc.integer({ min: 1, max: 50 });
const limit = fc.integer({ min: 1, max: 1e9 });

test('the shares of all nodes are no more than the limit, unless there are more nodes', () => {
  fc.assert(
    fc.property(count, limit, (nodesMax, most) => {
      const nodes = new Nodes();
      nodes.heard(nodesMax);
      const sum = nodes.shareOf(most) * nodesMax;
      assert.ok(sum <= Math.max(most, nodesMax), `${sum}`);
      // Nothing is given away but what cannot be divided.
      assert.ok(sum > most - nodesMax);
    }),
  );
});

test('who has never heard of others has the whole limit', () => {
  assert.equal(new Nodes().shareOf(200), 200);
});

test('a lower count is believed when it has been heard for a while', () => {
  const nodes = new Nodes();
  nodes.heard(4);
  for (let i = 0; i < 11; i++) {
    nodes.heard(1);
    assert.equal(nodes.shareOf(200), 50);
  }
  nodes.heard(1);
  assert.equal(nodes.shareOf(200), 200);
});
