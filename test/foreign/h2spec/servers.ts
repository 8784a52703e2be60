/** The two servers that are compared: ours, and a bare one of Node's. */
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { systemClock } from '../../../src/domain/clock.ts';
import { selfSigned } from '../../../src/ops/certificate.ts';
import type { TlsPair } from '../../../src/transport/listener.ts';
import { temporaryFolder } from '../../start.ts';
import { defaultLimits, transportAlone } from '../transport-alone.ts';

/** Where both answer. */
export const TARGET = '/page';
const PAGE = {
  status: 200,
  headers: ['content-type', 'text/plain'],
  body: 'x'.repeat(500),
};
/**
 * Both answer so late. Many cases send a second frame to a stream whose answer may be out already, on
 * which it would rightly be ignored: without the pause chance would decide them.
 */
const ANSWER_MS = 30;

export interface Running extends AsyncDisposable {
  readonly port: number;
}

/** A certificate for either; undefined for plaintext. */
export function certificate(isTls: boolean): Promise<TlsPair> | undefined {
  return isTls ? selfSigned(temporaryFolder(), 'localhost', systemClock.now()) : undefined;
}

/** Our listener, pipeline and codecs, with a page to ask for. */
export async function startOurs(tls: TlsPair | undefined): Promise<Running> {
  const listener = transportAlone({
    tls,
    plain: new Map([[TARGET, () => PAGE]]),
    hand: (exchange, dispatch) => setTimeout(() => dispatch.handle(exchange), ANSWER_MS),
  });
  return {
    port: await listener.listen('127.0.0.1', 0),
    async [Symbol.asyncDispose]() {
      await listener.drain();
      await listener.closed(0);
    },
  };
}

/** Answers 200 to everything, with as many streams to a connection as ours. */
export async function startBare(tls: TlsPair | undefined): Promise<Running> {
  const settings = { maxConcurrentStreams: defaultLimits().streamsPerConnectionMax };
  const server =
    tls === undefined
      ? http2.createServer({ settings })
      : http2.createSecureServer({ ...tls, settings });
  server.on('stream', (stream: http2.ServerHttp2Stream) => {
    stream.on('error', () => {});
    setTimeout(() => {
      if (stream.destroyed) return;
      stream.respond({ ':status': PAGE.status, 'content-type': 'text/plain' });
      stream.end(PAGE.body);
    }, ANSWER_MS);
  });
  server.on('sessionError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close();
    },
  };
}
