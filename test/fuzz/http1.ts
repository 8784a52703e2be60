/** HTTP/1.1: calls written down as they should be, and bytes that are no such thing. */
import { type CallInput, type Header, restCall } from './calls.ts';
import { mutate, pieces } from './mutate.ts';
import type { Random } from './random.ts';

/** The last request of a spoilt connection: its answer ends the connection. */
const LAST = 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';

/** Without what would break the lines of a head; what is left may be any other byte. */
function forLine(value: string): string {
  const bytes = Buffer.from(value).subarray(0, 1000);
  const kept = bytes.map((byte) => (byte === 9 || (byte >= 32 && byte !== 127) ? byte : 95));
  return Buffer.from(kept).toString('latin1');
}

function line([name, value]: Header): string {
  return `${name}: ${forLine(value)}\r\n`;
}

function chunked(random: Random, body: Buffer): Buffer {
  const chunks = pieces(random, body, 4).map((piece) => {
    const extension = random.oneIn(6) ? `;${forLine('x="y"')}` : '';
    const zeros = '0'.repeat(random.oneIn(6) ? random.below(5) : 0);
    return [Buffer.from(`${zeros}${piece.length.toString(16)}${extension}\r\n`), piece, '\r\n'];
  });
  const trailer = random.oneIn(6) ? 'x-trailer: x\r\nContent-Length: 5\r\n' : '';
  return Buffer.concat([...chunks.flat(), `0\r\n${trailer}\r\n`].map((part) => Buffer.from(part)));
}

/** A call as one well-made request; its answer leaves the connection open. */
export function http1Call(random: Random, call: CallInput, requestId: string): Buffer {
  const { verb, target, body } = call;
  const headers: Header[] = call.headers.some(([name]) => name === 'x-request-id')
    ? [...call.headers]
    : [...call.headers, ['x-request-id', requestId]];
  const isChunked = random.oneIn(4) && body.length > 0;
  const framing: Header[] = isChunked
    ? [['transfer-encoding', random.pick(['chunked', 'Chunked'])]]
    : body.length > 0 || random.oneIn(2)
      ? [['content-length', String(body.length)]]
      : [];
  const all = [['Host', 'localhost'] as const, ...headers, ...framing];
  const head = `${verb} ${target} HTTP/1.1\r\n${all.map(line).join('')}\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), isChunked ? chunked(random, body) : body]);
}

const WORDS = [
  '\r\n',
  '\n',
  '\r',
  '\0',
  ' ',
  '\t',
  ': ',
  '\r\n\r\n',
  '\r\n ',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: identity, chunked\r\n',
  'transfer-encoding:\x0bchunked\r\n',
  'Content-Length: 0\r\n',
  'Content-Length: 5, 5\r\n',
  'Content-Length: -1\r\n',
  'Connection: close\r\n',
  'Connection: keep-alive, upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n',
  'Expect: 100-continue\r\n',
  'Host: y\r\n',
  'HTTP/1.0',
  'HTTP/0.9',
  'HTTP/2.0',
  'CONNECT ',
  'OPTIONS * ',
  'http://localhost',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  '0\r\n\r\n',
  'ffffffffffffffff\r\n',
  '-1\r\n',
  '5;x=y\r\nhello\r\n',
  'x'.repeat(9000),
].map((word) => Buffer.from(word, 'latin1'));

/** Bytes of a connection of its own, in the pieces that they are sent in. */
export function http1Bytes(random: Random, requestId: string): Buffer[] {
  const requests = random.list(random.between(1, 3), () => {
    const call = restCall(random);
    // A reader of spoilt bytes cannot know which answer is the one without a body.
    return http1Call(random, call.verb === 'HEAD' ? { ...call, verb: 'GET' } : call, requestId);
  });
  const good = Buffer.concat(requests);
  const bytes = random.weighted<() => Buffer>([
    [12, () => mutate(random, good, WORDS)],
    [2, () => good.subarray(0, random.below(good.length))],
    [1, () => random.bytes(random.below(300))],
    [1, () => Buffer.concat(random.list(random.between(1, 12), () => random.pick(WORDS)))],
    [1, () => good],
  ])();
  return pieces(random, Buffer.concat([bytes, Buffer.from(LAST)]), 5);
}
