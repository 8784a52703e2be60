/**
 * The heads of most requests over HTTP/1.1, read by one expression. What is out of the ordinary is no error
 * here: it is left to Node's parser, which knows all of the protocol, and refuses what is wrong. So nothing
 * is taken here that two readers could take for different requests.
 */
import type { IncomingHttpHeaders } from 'node:http';

/** The head of a request whose body has a known length. */
export interface SimpleHead {
  readonly verb: string;
  /** Path and query. */
  readonly target: string;
  /** Lower-case names, none of them twice. */
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, as they were sent. */
  readonly rawHeaders: readonly string[];
  readonly headBytes: number;
  /** Of the body that follows. */
  readonly bodyBytes: number;
}

const HEAD =
  /^(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) (\/[!-~]*) HTTP\/1\.1\r\n((?:[\w!#$%&'*+.^`|~-]+:[\t -~]*\r\n)+)\r\n$/;
const LENGTH = /^(?:0|[1-9]\d{0,8})$/;
/** Headers that say more of a request or its connection than is known here, or that Node reads as lists. */
const NOT_SIMPLE = [
  ...['transfer-encoding', 'te', 'trailer', 'expect', 'upgrade'],
  ...['proxy-connection', 'set-cookie'],
];

/**
 * Reads a head, its empty line included; undefined where it is not a simple one.
 * @param head as Latin-1
 */
export function readSimpleHead(head: string): SimpleHead | undefined {
  const [, verb, target, lines] = HEAD.exec(head) ?? [];
  if (verb === undefined || target === undefined || lines === undefined) return undefined;
  const headers: Record<string, string> = {};
  const rawHeaders: string[] = [];
  for (let at = 0; at < lines.length; ) {
    const colon = lines.indexOf(':', at);
    const end = lines.indexOf('\r\n', colon);
    const name = lines.slice(at, colon);
    const value = lines.slice(colon + 1, end).trim();
    const key = name.toLowerCase();
    // Twice, or a name that all objects have.
    if (key in headers) return undefined;
    headers[key] = value;
    rawHeaders.push(name, value);
    at = end + 2;
  }
  const { host, connection = 'keep-alive', 'content-length': length = '0' } = headers;
  if (host === undefined || connection.toLowerCase() !== 'keep-alive') return undefined;
  if (!LENGTH.test(length) || NOT_SIMPLE.some((name) => name in headers)) return undefined;
  const [headBytes, bodyBytes] = [head.length, Number(length)];
  return { verb, target, headers, rawHeaders, headBytes, bodyBytes };
}
