/** Texts that readers of texts stumble over: bodies' strings, and the values of headers. */
import type { Random } from './random.ts';

/** The same in every run, so that inputs can be made again; the server is started with it. */
export const SECRET = 'psk_the-fuzzers-own-secret';

/** The account that the genuine token holds. */
export const ACCOUNT = '1899011';

/** Stands for a genuine token, of its length; the run puts the server's own in its place. */
export const TOKEN_MARK = `${'T'.repeat(64)}.${'T'.repeat(144)}.${'T'.repeat(43)}`;

const ODD_TEXTS = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\ud800',
  'x\udfffy',
  '\u{1F600}',
  '\u202e\u2028\u2029',
  '\ufeff',
  'é'.normalize('NFD'),
  '__proto__',
  'constructor',
  'toString',
  'null',
  'undefined',
  'NaN',
  '-0',
  '1e999',
  '9223372036854775808',
  '-9223372036854775809',
  '18446744073709551616',
  '0x10',
  '1e3',
  '1.5',
  '%00',
  '%',
  '%zz',
  '../../etc/passwd',
  "' OR 1=1 --",
  '#{7*7}',
  'COLOR_RED',
  'COLOR_UNSPECIFIED',
  '2026-01-01T00:00:00Z',
  '9999-12-31T23:59:59.999999999Z',
  '0000-01-01T00:00:00Z',
  '2026-02-30T25:61:61+99:99',
  'AAAA',
  'A===',
  '-_-_',
  'true',
  '\r\nx-injected: 1',
] as const;

/** A text of any kind: odd, random, genuine or long. */
export function text(random: Random): string {
  return random.weighted<() => string>([
    [10, () => random.pick(ODD_TEXTS)],
    [4, () => random.bytes(random.length(64)).toString('latin1')],
    [2, () => String.fromCharCode(...random.list(random.length(32), () => random.below(0x10000)))],
    [2, () => random.bytes(random.length(24)).toString('base64')],
    [2, () => SECRET],
    [2, () => TOKEN_MARK],
    [2, () => ACCOUNT],
    [1, () => random.pick(['a', '\u0416', '"', '\\', '\0']).repeat(random.below(3000))],
  ])();
}

/** A number as JSON or a query may write it. */
export function numeral(random: Random): string {
  return random.weighted<() => string>([
    [4, () => String(random.below(300) - 100)],
    [2, () => String(random.next() * (random.next() + 1))],
    [1, () => `-${random.next()}`],
    [1, () => `${random.below(10)}.${random.next()}`],
    [1, () => `${random.below(10)}e${random.below(700) - 350}`],
    [1, () => '9'.repeat(random.between(1, 400))],
    [1, () => random.pick(['-0', '1E+2', '01', '+1', '.5', '1.', '1e', '0x1', 'NaN', 'Infinity'])],
  ])();
}

/** A value of this header: sometimes good, mostly not. Control characters may be among it. */
export function headerValue(random: Random, name: string): string {
  const own = Object.hasOwn(OWN_VALUES, name) ? OWN_VALUES[name] : undefined;
  if (own === undefined || random.oneIn(4)) return text(random);
  return own(random);
}

function spoil(random: Random, value: string): string {
  if (value === '' || !random.oneIn(3)) return value;
  const at = random.below(value.length);
  const insert = random.pick(['', ' ', ',', ';', '=', '\t', '\0', 'é', value]);
  return value.slice(0, at) + insert + value.slice(at + random.below(3));
}

/** What proxies say of who called them. */
function hops(random: Random, before: string): string[] {
  return random.list(random.below(4), () => {
    const node = ['192.0.2.1', '127.0.0.2:80', '"[2001:db8::1]:80"', '::1', 'unknown', '"', '\\"'];
    return `${random.pick([before, before, '', ';', 'proto=https;'])}${random.pick(node)}`;
  });
}

const OWN_VALUES: Readonly<Record<string, (random: Random) => string>> = {
  authorization: (random) =>
    spoil(random, random.pick(['', 'Bearer ', 'bearer ', 'Basic ', 'Bearer  ']) + TOKEN_MARK),
  'grpc-timeout': (random) =>
    spoil(
      random,
      random.pick(['', String(random.next()), '0', '00000001', '1', '200', '-1', '1.5']) +
        random.pick(['m', 'S', 'u', 'n', 'M', 'H', 'h', '', 'ms', 'µ']),
    ),
  traceparent: (random) => spoil(random, '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'),
  'x-forwarded-for': (random) => spoil(random, hops(random, '').join(', ')),
  forwarded: (random) => spoil(random, hops(random, 'for=').join(', ')),
  'x-request-id': (random) => spoil(random, 'abcXYZ019_.:-'.repeat(random.pick([1, 4, 5, 6, 100]))),
  'content-type': (random) =>
    spoil(
      random,
      random.pick([
        'application/json',
        'application/json; charset=koi8-r',
        'application/grpc',
        'application/grpc+proto',
        'application/grpc+json',
        'application/grpc;x=y',
        'application/grpc-web',
        'application/grpc-web+proto',
        'application/grpc-web-text',
        'application/grpcx',
        'APPLICATION/GRPC',
        'multipart/form-data; boundary=x',
        '*/*',
      ]),
    ),
  'grpc-encoding': (random) =>
    spoil(random, random.pick(['gzip', 'identity', 'deflate', 'snappy', 'br'])),
  'grpc-accept-encoding': (random) =>
    spoil(random, random.pick(['gzip', 'identity,gzip', 'gzip;q=0', '*'])),
  'accept-encoding': (random) => spoil(random, random.pick(['gzip, br', 'identity', '*;q=0'])),
  'x-data-bin': (random) => spoil(random, random.bytes(random.length(60)).toString('base64')),
  origin: (random) =>
    spoil(random, random.pick(['https://example.org', 'null', '*', 'https://example.org.evil'])),
  'access-control-request-method': (random) => random.pick(['POST', 'GET', 'x']),
  expect: (random) => spoil(random, random.pick(['100-continue', 'nonsense'])),
  te: () => 'trailers',
  'content-encoding': (random) => random.pick(['gzip', 'br', 'identity', 'x']),
  cookie: (random) => 'a=b; '.repeat(random.below(20)),
};

/** Headers that something reads, or might. */
export const HEADER_NAMES = [...Object.keys(OWN_VALUES), 'x-whatever', '__proto__'];
