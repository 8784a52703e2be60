/**
 * The server that is fuzzed, in a process of its own: the product as `propusk dev` makes it, with
 * the test contract beside its own. Its parent asks it what it holds.
 */

import { subscribe } from 'node:diagnostics_channel';
import type { ServerHttp2Stream } from 'node:http2';
import net from 'node:net';
import { queryObjects } from 'node:v8';
import { readCommandLine } from '../../src/config.ts';
import { AppError } from '../../src/domain/errors.ts';
import { start, surroundings } from '../../src/main.ts';
import { Call } from '../../src/pipeline/call.ts';
import { Http1Exchange } from '../../src/transport/http.ts';
import { FastExchange } from '../../src/transport/http1-fast-exchange.ts';
import { Http2Exchange } from '../../src/transport/http2-exchange.ts';
import { echoService } from '../echo-service.ts';

/** What the server holds, after a collection of garbage. */
export interface Holdings {
  /** By what it is: sockets, streams, calls and so on that are on the heap. */
  readonly counts: Readonly<Record<string, number>>;
  /** TCP connections that are open. */
  readonly openSockets: number;
  readonly heapBytes: number;
  readonly residentBytes: number;
  /** The longest that anything has waited for the event loop, in milliseconds. */
  readonly stallMs: number;
}

/** How often the event loop is looked at, in milliseconds. */
const LOOK_MS = 20;

type Constructor = abstract new (...args: never[]) => unknown;
const kept: Record<string, Constructor> = {
  Call,
  FastExchange,
  Http1Exchange,
  Http2Exchange,
  Socket: net.Socket,
};
// These classes have no public name; the first stream shows them.
subscribe('http2.server.stream.created', (message) => {
  const { stream } = message as { stream: ServerHttp2Stream };
  kept.Http2Stream ??= stream.constructor as Constructor;
  kept.Http2Session ??= stream.session?.constructor as Constructor;
});

const request = readCommandLine(['dev', ...process.argv.slice(2)], {}, '0.0.0');
if (request.kind !== 'run') throw new Error('these flags do not start a server');
const around = surroundings(request.config);
process.on('warning', (warning) => {
  // The count below is what Node warns of; all else is the server's own.
  if (warning.name !== 'ExperimentalWarning') around.log.warn({ err: warning }, 'process warning');
});
const echo = echoService();
echo.error = new AppError('UNAVAILABLE', 'not now');
// The service of the tests remembers its calls; nobody asks for them here.
setInterval(() => {
  echo.calls.length = 0;
  echo.received.length = 0;
}, 200).unref();

let stallMs = 0;
let lookedAt = performance.now();
setInterval(() => {
  const now = performance.now();
  stallMs = Math.max(stallMs, now - lookedAt - LOOK_MS);
  lookedAt = now;
}, LOOK_MS).unref();

const server = await start(request.config, { ...around, extraServices: [echo.registration] });

/** Every object counted costs a collection of its own, so the memory that is told is what is needed. */
function holdings(): Holdings {
  echo.calls.length = 0;
  echo.received.length = 0;
  const counts = Object.fromEntries(
    Object.entries(kept).map(([name, of]) => [
      name,
      queryObjects(of as never, { format: 'count' }) as unknown as number,
    ]),
  );
  const { heapUsed, rss } = process.memoryUsage();
  const open = process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap');
  const found = {
    counts,
    openSockets: open.length,
    heapBytes: heapUsed,
    residentBytes: rss,
    stallMs,
  };
  lookedAt = performance.now();
  return found;
}

process.on('message', () => process.send?.(holdings()));
process.on('disconnect', () => process.exit());
process.send?.(server.port);
