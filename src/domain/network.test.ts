import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { isOf, type Network, networkOf, networkText, parseIp, parseNetwork } from './network.ts';

const SAME: readonly (readonly [string, string])[] = [
  ['127.0.0.1', '127.0.0.1'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['::FFFF:192.0.2.7', '192.0.2.7'],
  ['::ffff:c000:207', '192.0.2.7'],
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

test('an address has one form', () => {
  for (const [text, expected] of [
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:db8::0001', '2001:db8::1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['2001:db8:0:1:0:0:0:1', '2001:db8:0:1::1'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['255.255.255.255', '255.255.255.255'],
  ] as const) {
    assert.equal(parseIp(text)?.text, expected, text);
  }
});

const anyIp = fc.oneof(fc.ipV4(), fc.ipV6());
/** Near misses of addresses. */
const almostIp = fc.oneof(
  anyIp,
  fc
    .tuple(anyIp, fc.nat(20), fc.constantFrom('', '0', ':', '.', '1', 'g', ' ', ']', '/', '\t'))
    .map(([ip, at, inserted]) => ip.slice(0, at) + inserted + ip.slice(at)),
  fc.tuple(anyIp, fc.nat(20)).map(([ip, at]) => ip.slice(0, at) + ip.slice(at + 1)),
  fc.string(),
);

test("what is an address is what Node's own net takes for one", () => {
  fc.assert(
    fc.property(almostIp, (text) => {
      const isIp = net.isIP(text) !== 0 && !text.includes('%');
      assert.equal(parseIp(text) !== undefined, isIp, text);
    }),
    { numRuns: 5000 },
  );
});

test('an address stays itself when its one form is read again', () => {
  fc.assert(
    fc.property(anyIp, (text) => {
      const ip = parseIp(text);
      assert.ok(ip !== undefined);
      assert.deepEqual(parseIp(ip.text), ip);
    }),
  );
});

function networkNamed(text: string): Network {
  const network = parseNetwork(text);
  assert.ok(typeof network !== 'string', String(network));
  return network;
}

test('a network holds what begins with its bits', () => {
  for (const [network, inside, outside] of [
    [
      '10.0.0.0/8',
      ['10.0.0.0', '10.255.255.255', '::ffff:10.1.2.3'],
      ['11.0.0.0', '9.255.255.255', '::a00:1'],
    ],
    ['192.0.2.7', ['192.0.2.7'], ['192.0.2.6', '192.0.2.8']],
    ['192.0.2.7/32', ['192.0.2.7'], ['192.0.2.6']],
    ['0.0.0.0/0', ['0.0.0.0', '255.255.255.255'], ['::', '2001:db8::1']],
    ['::1', ['::1'], ['::', '::2', '127.0.0.1']],
    ['2001:db8::/32', ['2001:db8::', '2001:db8:ffff::1'], ['2001:db9::', '2001:db7:ffff::']],
    ['::/0', ['::', '2001:db8::1'], ['10.0.0.1']],
    ['::ffff:10.0.0.0/104', ['10.1.2.3', '::ffff:10.1.2.3'], ['11.0.0.0']],
    ['::ffff:10.0.0.1', ['10.0.0.1'], ['10.0.0.2']],
  ] as const) {
    for (const [address, expected] of [
      ...inside.map((each) => [each, true] as const),
      ...outside.map((each) => [each, false] as const),
    ]) {
      const ip = parseIp(address);
      assert.ok(ip);
      assert.equal(isOf(networkNamed(network), ip), expected, `${address} of ${network}`);
    }
  }
});

test("a network holds what it holds by Node's own list of addresses", () => {
  const bits = (width: number) => fc.integer({ min: 0, max: width });
  const cases = fc.oneof(
    fc.tuple(fc.ipV4(), fc.ipV4(), bits(32), fc.constant('ipv4' as const)),
    fc.tuple(fc.ipV6(), fc.ipV6(), bits(128), fc.constant('ipv6' as const)),
  );
  fc.assert(
    fc.property(cases, ([network, address, prefixBits, family]) => {
      const start = parseIp(network);
      const other = parseIp(address);
      // An IPv4 address in IPv6's clothes is another network here.
      fc.pre(start !== undefined && other !== undefined);
      fc.pre(start.width === (family === 'ipv4' ? 32 : 128) && other.width === start.width);
      const list = new net.BlockList();
      list.addSubnet(network, prefixBits, family);
      const restBits = BigInt(start.width - prefixBits);
      const made: Network = { width: start.width, prefix: start.bits >> restBits, restBits };
      assert.equal(isOf(made, other), list.check(address, family));
      assert.ok(isOf(made, start));
    }),
    { numRuns: 2000 },
  );
});

test('what is no network is told in a sentence that helps', () => {
  for (const text of [
    ...['', 'proxy', 'localhost', '10.0.0', '10.0.0.0.0', '10.0.0.256', '010.0.0.1', '10.0.0.0/'],
    ...['10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/08', '10.0.0.0/8/8', '10.0.0.0/255.0.0.0', '*'],
    ...['::/129', '::1%eth0', '[::1]', '::1]', '10.0.0.1:80', ' 10.0.0.1', '::ffff:10.0.0.0/8'],
  ]) {
    assert.match(
      String(parseNetwork(text)),
      /is neither an IP address nor a network, such as/,
      text,
    );
  }
  for (const text of ['10.0.0.1/8', '2001:db8::1/32', '192.0.2.7/31', '::ffff:10.0.0.1/104']) {
    assert.match(
      String(parseNetwork(text)),
      /give the network's first address, or no "\/\d+"/,
      text,
    );
  }
});

test('a network has one form', () => {
  for (const [text, expected] of [
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['192.0.2.7/32', '192.0.2.7'],
    ['255.255.255.255', '255.255.255.255'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['::ffff:10.0.0.0/104', '10.0.0.0/8'],
    ['::FFFF:0:0/96', '0.0.0.0/0'],
    ['2001:0DB8:0:0::/32', '2001:db8::/32'],
    ['2001:db8::1/128', '2001:db8::1'],
    ['::/0', '::/0'],
    ['::', '::'],
    ['::fffe:0:0/95', '::fffe:0:0/95'],
  ] as const) {
    assert.equal(networkText(networkNamed(text)), expected, text);
  }
});

test('a network stays itself when its one form is read again', () => {
  const drawn = fc.tuple(anyIp, fc.integer({ min: 0, max: 128 }));
  fc.assert(
    fc.property(drawn, ([address, bits]) => {
      const ip = parseIp(address);
      assert.ok(ip !== undefined);
      const restBits = BigInt(bits % (ip.width + 1));
      const network = { width: ip.width, prefix: ip.bits >> restBits, restBits };
      assert.deepEqual(networkNamed(networkText(network)), network);
    }),
    { numRuns: 2000 },
  );
});
