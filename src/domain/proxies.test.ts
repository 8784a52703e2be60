import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Network, parseIp, parseNetwork } from './network.ts';
import { TrustedProxies } from './proxies.ts';

function trusting(...texts: readonly string[]): TrustedProxies {
  const networks = texts.map(parseNetwork);
  for (const network of networks) assert.ok(typeof network !== 'string', String(network));
  return new TrustedProxies(networks as Network[]);
}

const PEER = '10.0.0.1';
const proxies = trusting('10.0.0.0/8', '2001:db8:aaaa::/48', '::1');

/** Who calls, by what the peer says. */
function list(text: string, peer = PEER): string {
  return proxies.remoteAddressOf(peer, { 'x-forwarded-for': text });
}

function forwarded(text: string, peer = PEER): string {
  return proxies.remoteAddressOf(peer, { forwarded: text });
}

test('nobody is believed who is not trusted', () => {
  const headers = { 'x-forwarded-for': '192.0.2.1', forwarded: 'for=192.0.2.1' };
  for (const peer of ['11.0.0.1', '2001:db8:bbbb::1', '127.0.0.1', '', 'unknown']) {
    assert.equal(proxies.remoteAddressOf(peer, headers), peer);
    assert.equal(proxies.isTrusted(peer), false);
  }
  assert.equal(trusting().remoteAddressOf(PEER, headers), PEER);
  assert.equal(trusting().isTrusted(PEER), false);
});

test('a peer is trusted whatever form the system gives its address', () => {
  for (const peer of ['10.0.0.1', '::ffff:10.0.0.1', '2001:db8:aaaa::7', '::1', '::1%lo']) {
    assert.equal(proxies.isTrusted(peer), true, peer);
    assert.equal(list('192.0.2.1', peer), '192.0.2.1', peer);
  }
});

test('without a header the peer calls', () => {
  assert.equal(proxies.remoteAddressOf('::ffff:10.0.0.1', {}), '::ffff:10.0.0.1');
});

test('X-Forwarded-For: the first from the right that is not trusted', () => {
  for (const [text, expected] of [
    ['192.0.2.1', '192.0.2.1'],
    ['192.0.2.9, 192.0.2.1', '192.0.2.1'],
    ['192.0.2.9,192.0.2.1,10.0.0.2 ,\t10.0.0.3', '192.0.2.1'],
    ['anything at all "[, 192.0.2.1', '192.0.2.1'],
    ['192.0.2.1, , 10.0.0.2,', '192.0.2.1'],
    ['2001:DB8::0001', '2001:db8::1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['192.0.2.1:4711', '192.0.2.1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['[2001:db8::1]:4711, 2001:db8:aaaa::2', '2001:db8::1'],
    // All are trusted: whoever is first.
    ['10.0.0.3, 10.0.0.2', '10.0.0.3'],
  ] as const) {
    assert.equal(list(text), expected, text);
  }
});

test('X-Forwarded-For: what nobody can read ends it at the last address that is known', () => {
  for (const text of [
    ...['', ' ', ',', 'unknown', '_hidden', 'example.org', '192.0.2', '192.0.2.256', '0300.0.2.1'],
    ...['192.0.2.1:', '192.0.2.1:123456', '2001:db8::1:x', '[192.0.2.1]', '[2001:db8::1', '::1%lo'],
    ...['"192.0.2.1"', '192.0.2.1 10.0.0.2', 'for=192.0.2.1', '192.0.2.1;10.0.0.2'],
  ]) {
    assert.equal(list(text), PEER, text);
    if (!['', ' ', ','].includes(text)) {
      assert.equal(list(`192.0.2.1, ${text}, 10.0.0.2`), '10.0.0.2', text);
    }
  }
});

test('Forwarded: the first from the right that is not trusted', () => {
  for (const [text, expected] of [
    ['for=192.0.2.1', '192.0.2.1'],
    ['For="192.0.2.1"', '192.0.2.1'],
    ['FOR="192.0.2.1:4711"', '192.0.2.1'],
    ['for="192.0.2.1:_port-1.x"', '192.0.2.1'],
    ['for="[2001:DB8::1]"', '2001:db8::1'],
    ['for="[2001:db8::1]:4711"', '2001:db8::1'],
    ['for="\\1\\92.0.2.1"', '192.0.2.1'],
    ['proto=https;for=192.0.2.1;by=10.0.0.1;host=example.org', '192.0.2.1'],
    ['proto=https; for=192.0.2.1 ;by="[2001:db8::1]:80";', '192.0.2.1'],
    ['for=192.0.2.9, for=192.0.2.1', '192.0.2.1'],
    [
      'for=192.0.2.9,for=192.0.2.1,for=10.0.0.2;host="a,b", , for="[2001:db8:aaaa::1]"',
      '192.0.2.1',
    ],
    // Whatever a caller wrote before it.
    ['for="192.0.2.9, for=192.0.2.1', '192.0.2.1'],
    ['for=192.0.2.9;x=", for="192.0.2.1:80";host="\\", for=192.0.2.9"', '192.0.2.1'],
    ['", for=192.0.2.1', '192.0.2.1'],
    ['for="10.0.0.3", for=10.0.0.2', '10.0.0.3'],
  ] as const) {
    assert.equal(forwarded(text), expected, text);
  }
});

test('Forwarded: what hides an address, and what nobody can read, ends it there', () => {
  for (const text of [
    ...[
      '',
      ',',
      'for=unknown',
      'for="unknown"',
      'for=_hidden',
      'for="_SEVKISEK:80"',
      'proto=https',
    ],
    ...['192.0.2.1', 'for', 'for=', 'for=""', 'for=192.0.2.1:80', 'for=[2001:db8::1]'],
    ...[
      'for="2001:db8::1"',
      'for="[192.0.2.1]"',
      'for="192.0.2.1',
      'for=192.0.2.1"',
      'for =192.0.2.1',
    ],
    ...['for=192.0.2.1;for=192.0.2.1', 'for=192.0.2.1 proto=http', 'for=192.0.2.1;proto'],
    ...['for="192.0.2.1"x', 'for="192.0.2.1:"', "for='192.0.2.1'"],
  ]) {
    assert.equal(forwarded(text), PEER, text);
    if (text !== '' && text !== ',') {
      assert.equal(forwarded(`for=192.0.2.1, ${text}, for=10.0.0.2`), '10.0.0.2', text);
    }
  }
});

test('both headers are believed as far as they agree', () => {
  const both = (list: string, forwarded: string) =>
    proxies.remoteAddressOf(PEER, { 'x-forwarded-for': list, forwarded });
  assert.equal(both('192.0.2.1', 'for=192.0.2.1'), '192.0.2.1');
  assert.equal(both('2001:DB8::1', 'for="[2001:db8:0::1]:80"'), '2001:db8::1');
  assert.equal(both('192.0.2.9, 192.0.2.1', 'for=192.0.2.1'), '192.0.2.1');
  assert.equal(both('192.0.2.1', 'for=192.0.2.9'), PEER);
  assert.equal(both('192.0.2.1', ''), PEER);
  assert.equal(both('192.0.2.1', 'nonsense'), PEER);
  assert.equal(both('192.0.2.1, 10.0.0.2', 'for=192.0.2.9, for=10.0.0.2'), '10.0.0.2');
  assert.equal(both('192.0.2.1, 10.0.0.2', 'for=10.0.0.2'), '10.0.0.2');
});

const LOW = fc.integer({ min: 1, max: 254 });
const outside = fc.oneof(
  LOW.map((n) => `192.0.2.${n}`),
  LOW.map((n) => `2001:db8:bbbb::${n.toString(16)}`),
);
const inside = fc.oneof(
  LOW.map((n) => `10.7.0.${n}`),
  LOW.map((n) => `2001:db8:aaaa::${n.toString(16)}`),
);
/** What a header may hold, the signs of its grammar more often than others. */
const junk = fc
  .array(
    fc.oneof(
      fc.constantFrom('"', '\\', ',', ';', '=', '[', ']', 'for=', ' ', '192.0.2.9', '10.0.0.9'),
      fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
    ),
    { maxLength: 40 },
  )
  .map((parts) => parts.join(''));
const port = fc.option(fc.integer({ min: 0, max: 65_535 }));

/** What a proxy may write into X-Forwarded-For of its caller. */
const inList = (address: string) =>
  port.map((number) => {
    if (number === null) return address;
    return address.includes(':') ? `[${address}]:${number}` : `${address}:${number}`;
  });

/** The same for Forwarded, with what else it may say around it. */
const inForwarded = (address: string) =>
  fc
    .tuple(
      port,
      fc.constantFrom('', 'proto=https;'),
      fc.constantFrom('', ';host="a, \\"b\\" ;for=x"'),
    )
    .map(([number, before, after]) => {
      const host = address.includes(':') ? `[${address}]` : address;
      const node = number === null ? host : `${host}:${number}`;
      return `${before}for=${node === address && !/:/.test(node) ? node : `"${node}"`}${after}`;
    });

for (const [name, header, write] of [
  ['X-Forwarded-For', 'x-forwarded-for', inList],
  ['Forwarded', 'forwarded', inForwarded],
] as const) {
  test(`${name}: whatever a caller writes, it is told by the address that it called from`, () => {
    const chain = fc
      .tuple(outside, fc.array(inside, { maxLength: 4 }))
      .chain(([caller, hops]) =>
        fc.tuple(fc.constant(caller), fc.tuple(...[caller, ...hops].map(write))),
      );
    fc.assert(
      fc.property(junk, chain, fc.constantFrom(',', ', '), (said, [caller, hops], comma) => {
        const text = [...(said === '' ? [] : [said]), ...hops].join(comma);
        const expected = parseIp(caller)?.text;
        assert.equal(proxies.remoteAddressOf(PEER, { [header]: text }), expected, text);
      }),
      { numRuns: 2000 },
    );
  });

  test(`${name}: junk alone is no harm, and gives the peer or an address`, () => {
    fc.assert(
      fc.property(junk, (text) => {
        const told = proxies.remoteAddressOf(PEER, { [header]: text });
        assert.equal(parseIp(told)?.text, told, text);
      }),
      { numRuns: 2000 },
    );
  });

  test(`${name}: a long header is read in a time that grows as it does`, () => {
    for (const part of ['"', '\\', ',', ';', '=', 'a', 'for=', '"\\', ',"', 'for=10.0.0.1,', ' ']) {
      const row = part.repeat(Math.ceil(1e6 / part.length));
      for (const text of [row, `;${row}x`, `for=a${row}x`]) {
        const told = proxies.remoteAddressOf(PEER, { [header]: text });
        assert.ok(parseIp(told), text.slice(0, 20));
      }
    }
  });
}
