import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { networkOf } from './network.ts';

const SAME: readonly (readonly [string, string])[] = [
  ['127.0.0.1', '127.0.0.1'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['::FFFF:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0DB8:0001:0002::1', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:db8::', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['::', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['64:ff9b::192.0.2.7', '64:ff9b:0:0::/64'],
  ['unknown', 'unknown'],
  ['', ''],
];

for (const [address, network] of SAME) {
  test(`${address || 'nothing'} is of ${network || 'nothing'}`, () => {
    assert.equal(networkOf(address), network);
  });
}

test('the last 64 bits of an IPv6 address do not matter, the first do', () => {
  const group = fc.integer({ min: 0, max: 0xffff }).map((n) => n.toString(16));
  const half = fc.array(group, { minLength: 4, maxLength: 4 });
  fc.assert(
    fc.property(half, half, half, (network, one, other) => {
      const of = (...groups: string[]) => networkOf(groups.join(':'));
      assert.equal(of(...network, ...one), of(...network, ...other));
      assert.equal(of(...network, ...one) === of(...other, ...one), `${network}` === `${other}`);
    }),
  );
});
