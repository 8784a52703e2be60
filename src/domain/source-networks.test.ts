import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkSourceNetworks, isSourceAllowed, SOURCE_NETWORKS_MAX } from './source-networks.ts';

test('a key with networks is used from these alone, one without from everywhere', () => {
  const office = ['192.0.2.0/24', '198.51.100.7', '2001:db8:1::/48'];
  for (const address of [
    ...['192.0.2.0', '192.0.2.255', '::ffff:192.0.2.1', '::FFFF:c000:201', '198.51.100.7'],
    ...['2001:db8:1::5', '2001:DB8:1:0:ffff::', '2001:db8:1::5%eth0'],
  ]) {
    assert.ok(isSourceAllowed(office, address), address);
  }
  for (const address of [
    ...['192.0.3.0', '198.51.100.8', '2001:db8:2::', '::c000:201', '127.0.0.1', '::1'],
    ...['', 'unknown', '192.0.2.1:80', '192.0.2', '[2001:db8:1::5]'],
  ]) {
    assert.ok(!isSourceAllowed(office, address), address);
    assert.ok(isSourceAllowed([], address), address);
  }
});

test('what cannot be read lets nobody in, and does not keep out whom another lets in', () => {
  assert.ok(!isSourceAllowed(['everywhere'], '192.0.2.1'));
  assert.ok(!isSourceAllowed([''], '192.0.2.1'));
  assert.ok(!isSourceAllowed(['192.0.2.1/24'], '192.0.2.1'));
  assert.ok(isSourceAllowed(['everywhere', '192.0.2.1'], '192.0.2.1'));
});

test("who is let in is whom Node's own list of addresses lets in", () => {
  const few = fc.constantFrom(0, 1, 2, 128, 254, 255);
  const ip = fc.tuple(fc.constantFrom(10, 192), few, few, few).map((octets) => octets.join('.'));
  const networks = fc.array(fc.tuple(ip, fc.integer({ min: 0, max: 32 })), { minLength: 1 });
  fc.assert(
    fc.property(networks, ip, fc.boolean(), (drawn, address, isMapped) => {
      const list = new net.BlockList();
      const texts = drawn.map(([of, bits]) => {
        list.addSubnet(of, bits, 'ipv4');
        return `${firstOf(of, bits)}/${bits}`;
      });
      const read = checkSourceNetworks(texts, 'source_networks');
      assert.ok('networks' in read);
      const from = isMapped ? `::ffff:${address}` : address;
      assert.equal(isSourceAllowed(read.networks, from), list.check(address, 'ipv4'));
      assert.equal(isSourceAllowed(texts, from), list.check(address, 'ipv4'));
    }),
    { numRuns: 2000 },
  );
});

/** The first address of the network that an IPv4 address is in. */
function firstOf(address: string, bits: number): string {
  const octets = address.split('.').map(Number);
  const kept = octets.map((octet, i) => octet & (0xff00 >> Math.max(0, Math.min(8, bits - 8 * i))));
  return kept.map((octet) => octet & 0xff).join('.');
}

test('networks are kept in their one form, each once', () => {
  assert.deepEqual(
    checkSourceNetworks(
      ['2001:DB8::/32', '::ffff:10.0.0.0/104', '10.0.0.0/8', '192.0.2.7/32'],
      'x',
    ),
    { networks: ['2001:db8::/32', '10.0.0.0/8', '192.0.2.7'] },
  );
  assert.deepEqual(checkSourceNetworks([], 'x'), { networks: [] });
});

test('everything that is wrong is told at once, by its place', () => {
  const neither = 'is neither an IP address nor a network, such as 10.0.0.0/8 or 2001:db8::/32';
  assert.deepEqual(
    checkSourceNetworks(['office', '10.0.0.0/8', '10.1.0.0/8', '10.0.0.0/33'], 'source_networks'),
    {
      violations: [
        { field: 'source_networks[0]', description: neither },
        {
          field: 'source_networks[2]',
          description: `is an address within its network; give the network's first address, or no "/8"`,
        },
        { field: 'source_networks[3]', description: neither },
      ],
    },
  );
  const many = Array.from({ length: SOURCE_NETWORKS_MAX + 1 }, (_, i) => `10.0.0.${i}`);
  assert.deepEqual(checkSourceNetworks(many, 'key.source_networks'), {
    violations: [
      { field: 'key.source_networks', description: 'has 101 networks; at most 100 are taken' },
    ],
  });
  assert.ok('networks' in checkSourceNetworks(many.slice(1), 'source_networks'));
});
