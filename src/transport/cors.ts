/** CORS: pages from the configured origins may call us, without credentials. */
import type { HttpExchange } from './http.ts';

const ALLOWED_HEADERS = [
  'authorization',
  'content-type',
  'grpc-timeout',
  'traceparent',
  'tracestate',
  'x-grpc-web',
  'x-request-id',
  'x-user-agent',
].join(', ');
const EXPOSED_HEADERS = [
  'grpc-status',
  'grpc-message',
  'grpc-status-details-bin',
  'ratelimit',
  'ratelimit-policy',
  'retry-after',
  'x-request-id',
].join(', ');
const ALLOWED_VERBS = 'GET, POST, PUT, PATCH, DELETE';
/** How long a browser may remember a preflight's answer, in seconds. */
const PREFLIGHT_SECONDS_MAX = '7200';
const PREFLIGHT_HEADERS = [
  ...['access-control-allow-methods', ALLOWED_VERBS],
  ...['access-control-allow-headers', ALLOWED_HEADERS],
  ...['access-control-max-age', PREFLIGHT_SECONDS_MAX],
];

export class Cors {
  readonly #origins: ReadonlySet<string>;

  /** @param origins exact, such as `https://example.org` */
  constructor(origins: readonly string[]) {
    this.#origins = new Set(origins);
  }

  /** Adds what the browser needs to the answer; true when it was a preflight, which is answered. */
  answered(http: HttpExchange): boolean {
    const { origin } = http.headers;
    if (this.#origins.size === 0) return false;
    // Also without an origin: a cache must not give that answer to a page.
    http.commonHeaders.push('vary', 'origin');
    if (origin === undefined || !this.#origins.has(origin)) return false;
    http.commonHeaders.push('access-control-allow-origin', origin);
    const isPreflight =
      http.verb === 'OPTIONS' && http.headers['access-control-request-method'] !== undefined;
    if (isPreflight) {
      http.send(204, PREFLIGHT_HEADERS, '');
    } else {
      http.commonHeaders.push('access-control-expose-headers', EXPOSED_HEADERS);
    }
    return isPreflight;
  }
}
