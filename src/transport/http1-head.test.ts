import assert from 'node:assert/strict';
import http from 'node:http';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import { readSimpleHead } from './http1-head.ts';

const HOST = 'Host: x\r\n';

function head(first: string, lines: string): string {
  return `${first} HTTP/1.1\r\n${lines}\r\n`;
}

test('a simple head', () => {
  const lines = `${HOST}X-Two:  a b\t\r\ncontent-length: 12\r\nConnection: Keep-Alive\r\n`;
  const text = head('POST /v1/sessions?a=%20b', lines);
  assert.deepEqual(readSimpleHead(text), {
    verb: 'POST',
    target: '/v1/sessions?a=%20b',
    headers: { host: 'x', 'x-two': 'a b', 'content-length': '12', connection: 'Keep-Alive' },
    rawHeaders: [
      ...['Host', 'x', 'X-Two', 'a b'],
      ...['content-length', '12', 'Connection', 'Keep-Alive'],
    ],
    headBytes: text.length,
    bodyBytes: 12,
  });
  assert.equal(readSimpleHead(head('GET /', HOST))?.bodyBytes, 0);
});

/** What more than one reader may understand in more than one way, or what asks for more than an answer. */
const LEFT: Readonly<Record<string, string>> = {
  'no Host': head('GET /', 'x: y\r\n'),
  'no header at all': 'GET / HTTP/1.1\r\n\r\n',
  'two Hosts': head('GET /', `${HOST}host: y\r\n`),
  'a header twice': head('GET /', `${HOST}x: y\r\nX: y\r\n`),
  'a header that all objects have': head('GET /', `${HOST}constructor: y\r\n`),
  'a header that is no own property': head('GET /', `${HOST}__proto__: y\r\n`),
  'HTTP/1.0': 'GET / HTTP/1.0\r\nHost: x\r\n\r\n',
  'a verb in small letters': head('get /', HOST),
  CONNECT: head('CONNECT /', HOST),
  'the absolute form': head('GET http://x/', HOST),
  'an asterisk': head('OPTIONS *', HOST),
  'a space in the target': head('GET /a b', HOST),
  'a target of other letters': head('GET /\xe9', HOST),
  'a value of other letters': head('GET /', `${HOST}x: \xe9\r\n`),
  'a zero byte': head('GET /', `${HOST}x: \0\r\n`),
  'a folded line': head('GET /', `${HOST}x: y\r\n z\r\n`),
  'a space before the colon': head('GET /', `${HOST}x : y\r\n`),
  'a name of no letters': head('GET /', `${HOST}: y\r\n`),
  'a bare line feed': 'GET / HTTP/1.1\nHost: x\n\n',
  'a bare return': head('GET /', `${HOST}x: y\rz\r\n`),
  'a body in chunks': head('POST /', `${HOST}Transfer-Encoding: chunked\r\n`),
  'both lengths': head('POST /', `${HOST}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n`),
  'a length with a sign': head('POST /', `${HOST}Content-Length: +1\r\n`),
  'a length of two numbers': head('POST /', `${HOST}Content-Length: 1, 1\r\n`),
  'a length with a zero before it': head('POST /', `${HOST}Content-Length: 01\r\n`),
  'a length in hex': head('POST /', `${HOST}Content-Length: 0x1\r\n`),
  'an empty length': head('POST /', `${HOST}Content-Length:\r\n`),
  'a length beyond all': head('POST /', `${HOST}Content-Length: 9999999999\r\n`),
  'an expectation': head('POST /', `${HOST}Expect: 100-continue\r\n`),
  'an upgrade': head('GET /', `${HOST}Upgrade: h2c\r\n`),
  'a connection that ends': head('GET /', `${HOST}Connection: close\r\n`),
  'a connection of several words': head('GET /', `${HOST}Connection: keep-alive, x\r\n`),
  'a connection for proxies': head('GET /', `${HOST}Proxy-Connection: close\r\n`),
  'a cookie that is set': head('GET /', `${HOST}Set-Cookie: a=b\r\n`),
  trailers: head('POST /', `${HOST}TE: trailers\r\n`),
  'more than a head': `${head('GET /', HOST)}GET`,
};

test('what is left to Node', () => {
  for (const [what, text] of Object.entries(LEFT)) {
    assert.equal(readSimpleHead(text), undefined, what);
  }
});

/** What Node's server makes of a request; undefined where it refuses it. */
function asNode(request: string): http.IncomingMessage | undefined {
  let taken: http.IncomingMessage | undefined;
  const server = http.createServer((message) => {
    taken = message;
  });
  server.on('clientError', () => {});
  const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  server.emit('connection', socket);
  // Read where it is pushed: the parser is done when this returns.
  socket.emit('data', Buffer.from(request, 'latin1'));
  socket.destroy();
  return taken;
}

const NAMES = [
  ...[
    'x',
    'X-Y',
    'content-length',
    'Host',
    'connection',
    'proxy-connection',
    'cookie',
    'set-cookie',
  ],
  ...['te', 'a_b', 'upgrade', 'referer', 'age', 'authorization'],
];
const VALUES = [
  '',
  'y',
  ' y ',
  '\ty',
  'keep-alive',
  'close',
  '0',
  '5',
  '05',
  'a: b',
  '"',
  '\xe9',
  '\0',
];
const ENDS = ['\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', '\r\n ', ''];
const lineOf = fc
  .tuple(
    fc.oneof(fc.constantFrom(...NAMES), fc.string({ maxLength: 5 })),
    fc.constantFrom(...Array(9).fill(': '), ':', ' :', ''),
    fc.oneof(fc.constantFrom(...VALUES), fc.string({ maxLength: 5 })),
    fc.constantFrom(...ENDS),
  )
  .map((parts) => parts.join(''));
const headOf = fc
  .tuple(
    fc.constantFrom('GET', 'POST', 'DELETE', 'HEAD', 'PURGE', 'Get', ''),
    fc.oneof(fc.constantFrom('/', '/a?b=c', '*', 'http://x/', '//x'), fc.string({ maxLength: 5 })),
    fc.constantFrom(' HTTP/1.1\r\n', ' HTTP/1.1\r\n', ' HTTP/1.0\r\n', ' HTTP/1.1\n', '\r\n'),
    fc.array(lineOf, { maxLength: 4 }),
  )
  .map(([verb, target, version, lines]) => {
    return `${verb} ${target}${version}${HOST}${lines.join('')}\r\n`;
  });

test('what is read here, Node reads alike', () => {
  let taken = 0;
  fc.assert(
    fc.property(headOf, (text) => {
      const simple = readSimpleHead(text);
      if (simple === undefined) return;
      taken++;
      const message = asNode(text);
      assert.ok(message !== undefined, 'Node refuses it');
      assert.equal(message.method, simple.verb);
      assert.equal(message.url, simple.target);
      assert.deepEqual({ ...message.headers }, simple.headers);
      assert.deepEqual(message.rawHeaders, simple.rawHeaders);
      // Whole with its head: there is no body to come.
      assert.equal(message.complete, simple.bodyBytes === 0);
    }),
    { numRuns: 30_000 },
  );
  assert.ok(taken > 200, `${taken} of them were simple`);
});
