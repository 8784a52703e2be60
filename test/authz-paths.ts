/** Paths that try to be one route to who checks them and another to who answers them. */
import assert from 'node:assert/strict';
import path from 'node:path';
import fc from 'fast-check';

export interface Try {
  readonly verb: string;
  readonly uri: string;
}

/** What the demo key may ask for, and what is next to it that it may not. */
const SEEDS: readonly Try[] = [
  { verb: 'GET', uri: '/v1/accounts/1899011' },
  { verb: 'GET', uri: '/v1/accounts/1899011/orders' },
  { verb: 'GET', uri: '/v1/accounts/1899011/orders/x' },
  { verb: 'POST', uri: '/v1/accounts/1899011/orders' },
  { verb: 'DELETE', uri: '/v1/accounts/1899011/orders/a%3Ab' },
  { verb: 'GET', uri: '/v1/accounts/1899011/orders/../../2100002/orders' },
  { verb: 'GET', uri: '/v1/accounts/1899011/x/..%2F..%2F2100002' },
  { verb: 'PUT', uri: '/v1/accounts/1899011;/2100002' },
  { verb: 'GET', uri: '/v1/accounts/2100002/orders' },
  { verb: 'GET', uri: '/v1/instruments/AAPL%40%23RBRD/bars' },
  { verb: 'GET', uri: '/v1/instruments/AAPL@%23RBRD/orderbook?depth=10' },
  { verb: 'GET', uri: '/v1/instruments/T@XNYS/orderbook' },
  { verb: 'GET', uri: '/v1/assets/AAPL%40%23RBRD/params' },
  { verb: 'GET', uri: '/v1/assets/../accounts/2100002/orders' },
  { verb: 'GET', uri: '/v1/exchanges' },
];

/** What goes in somewhere, or stands for a character. */
const PIECES = [
  ...['/', '//', '/./', '/../', '/..;/', '.', '..', ';', ';a=b', '\\', '..\\', '?', '#', '@', ':'],
  ...['%2e', '%2E%2e', '%2f', '%2F', '%5c', '%5C..', '%252f', '%252e%252e', '%3b', '%3f', '%23'],
  ...['%00', '%0a', '%0d%0a', '%7f', '%', '%4', '%zz', '%u002f', '%c0%af', '%c0%ae', '%e0%80%af'],
  ...[
    '%ef%bc%8f',
    '%e2%80%a8',
    '%ff',
    '%41',
    '%6F',
    '+',
    ' ',
    '%20',
    '\t',
    'orders',
    'é',
    '~',
    '*',
  ],
  ...['/v1/exchanges', '/2100002', 'X', 'x', '.json', '%40', '%3A'],
];

type Mutation = (uri: string) => string;

/** A place within a text, from 0 up to 1. */
const share = fc.double({ min: 0, max: 1, noNaN: true });
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc
    .tuple(share, fc.constantFrom(...PIECES), fc.nat(2))
    .map(([at, piece, cut]) => (uri: string) => {
      const from = Math.round(at * uri.length);
      return uri.slice(0, from) + piece + uri.slice(from + cut);
    }),
  share.map((at) => (uri: string) => {
    const from = Math.round(at * (uri.length - 1));
    const encoded = uri.charCodeAt(from).toString(16).padStart(2, '0');
    return `${uri.slice(0, from)}%${encoded}${uri.slice(from + 1)}`;
  }),
  share.map((at) => (uri: string) => {
    const from = Math.round(at * uri.length);
    return uri.slice(0, from) + uri.slice(from, from + 3).toUpperCase() + uri.slice(from + 3);
  }),
  fc
    .constantFrom('http://a', '//a', 'HTTPS://a:1', 'a', '/', '/.', '/%2e', '')
    .map((start) => (uri: string) => start + uri),
  fc
    .constantFrom('/', '/.', '/..', '%2f', ';', '?', '#', '%20', '.', '%00')
    .map((end) => (uri: string) => uri + end),
  fc.constant((uri: string) => uri.replaceAll('%', '%25')),
);

export const tries: fc.Arbitrary<Try> = fc
  .tuple(fc.constantFrom(...SEEDS), fc.array(mutation, { maxLength: 3 }))
  .map(([{ verb, uri }, mutations]) => ({
    verb,
    uri: mutations.reduce((changed, mutate) => mutate(changed), uri),
  }));

/** The rules that the tries can meet, the first that fits counts: read off nothing, written by hand. */
const RULES: readonly (readonly [verb: RegExp, path: RegExp, name: string])[] = [
  [/^GET$/, /^\/v1\/accounts\/([^/]+)\/orders$/, 'GetOrders'],
  [/^POST$/, /^\/v1\/accounts\/([^/]+)\/orders$/, 'PlaceOrder'],
  [/^POST$/, /^\/v1\/accounts\/([^/]+)\/sltp-orders$/, 'PlaceSLTPOrder'],
  [/^GET$/, /^\/v1\/accounts\/([^/]+)\/orders\/[^/]+$/, 'GetOrder'],
  [/^DELETE$/, /^\/v1\/accounts\/([^/]+)\/orders\/[^/]+$/, 'CancelOrder'],
  [/^GET$/, /^\/v1\/accounts\/([^/]+)\/open$/, 'Open'],
  [/^GET$/, /^\/v1\/accounts\/([^/]+)(?:\/.*)?$/s, 'GetAccount'],
  [/./, /^\/v1\/accounts\/([^/]+)(?:\/.*)?$/s, 'ChangeAccount'],
  [/^GET$/, /^\/v1\/instruments\/([^/]+)\/bars$/, 'Bars'],
  [/^GET$/, /^\/v1\/instruments\/([^/]+)\/trades\/latest$/, 'LatestTrades'],
  [/^GET$/, /^\/v1\/instruments\/([^/]+)\/quotes\/latest$/, 'LastQuote'],
  [/^GET$/, /^\/v1\/instruments\/([^/]+)\/orderbook$/, 'OrderBook'],
  [/^GET$/, /^\/v1\/assets(?:\/.*)?$/s, 'Assets'],
  [/^GET$/, /^\/v1\/exchanges$/, 'Exchanges'],
  [/^GET$/, /^\/news(?:\/.*)?$/s, 'News'],
  [/^GET$/, /^\/free$/, 'Free'],
];

/** What a path is to one program: the rule, and the account or symbol that it names. */
export interface Meaning {
  readonly rule: string;
  readonly named: string | undefined;
}

function meaningOf(verb: string, decoded: string, flags = ''): Meaning | undefined {
  for (const [verbs, template, rule] of RULES) {
    const found = new RegExp(template.source, template.flags + flags).exec(decoded);
    if (found !== null && verbs.test(verb)) return { rule, named: found[1] };
  }
  return undefined;
}

const withoutQuery = (uri: string) => uri.replace(/[?#].*$/s, '');
const decode = (text: string) => decodeURIComponent(text);
/** What cannot be decoded stays: a query may hold anything. */
const decodeLoosely = (text: string) =>
  text.replace(/(?:%[0-9a-f]{2})+/gi, (run) => {
    try {
      return decode(run);
    } catch {
      return run;
    }
  });
const decodeTwice = (text: string) => decodeURIComponent(decodeURIComponent(text));

/** How programs that answer requests make a path of a target. */
const READERS: Readonly<Record<string, (uri: string) => string>> = {
  'decodes it': (uri) => decode(withoutQuery(uri)),
  'is WHATWG’s': (uri) => decode(new URL(uri, 'http://backend').pathname),
  'decodes, then resolves dots': (uri) => path.posix.normalize(decode(withoutQuery(uri))),
  'resolves dots, then decodes': (uri) => decode(path.posix.normalize(withoutQuery(uri))),
  'is Windows’': (uri) => path.win32.normalize(decode(withoutQuery(uri))).replaceAll('\\', '/'),
  'strips parameters': (uri) => decode(withoutQuery(uri).replace(/;[^/]*/g, '')),
  'decodes, then strips parameters': (uri) => decode(withoutQuery(uri)).replace(/;[^/]*/g, ''),
  'collapses slashes': (uri) => decode(withoutQuery(uri)).replace(/\/{2,}/g, '/'),
  'strips the last slash': (uri) => decode(withoutQuery(uri)).replace(/(.)\/$/, '$1'),
  'decodes twice': (uri) => decodeTwice(withoutQuery(uri)),
  'decodes before it looks for the query': (uri) => decodeLoosely(uri).replace(/\?.*$/s, ''),
  'cuts at NUL': (uri) => decode(withoutQuery(uri)).replace(/\0.*$/s, ''),
  'trims blanks': (uri) => decode(withoutQuery(uri)).trim(),
  'compares by looks': (uri) => decode(withoutQuery(uri)).normalize('NFKC'),
};

/**
 * All programs must read the same.
 * @returns what they read; undefined where it is no route of RULES to any
 */
export function oneMeaning({ verb, uri }: Try): Meaning | undefined {
  const meanings = Object.entries(READERS).flatMap(([name, read]) => {
    const decoded = read(uri);
    return [
      [name, meaningOf(verb, decoded)] as const,
      [`${name}, and ignores case`, meaningOf(verb, decoded, 'i')] as const,
    ];
  });
  const [[, first] = []] = meanings;
  for (const [name, meaning] of meanings) {
    assert.deepEqual(meaning, first, `${verb} ${JSON.stringify(uri)}: one who ${name}`);
  }
  return first;
}
