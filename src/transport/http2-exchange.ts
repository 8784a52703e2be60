/** One request over HTTP/2 and its answer. */
import {
  constants,
  type IncomingHttpHeaders as Http2Headers,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Metadata } from '../pipeline/call.ts';
import { drained, type HttpExchange, ignore } from './http.ts';

export class Http2Exchange implements HttpExchange {
  readonly version = 2;
  readonly verb: string;
  readonly target: string;
  readonly headers: Http2Headers;
  readonly rawHeaders: readonly string[];
  readonly remoteAddress: string;
  readonly body: ServerHttp2Stream;
  readonly commonHeaders: Metadata[] = [];
  readonly #stream: ServerHttp2Stream;
  #isEnded = false;
  #trailers: readonly Metadata[] = [];
  #onAbort = ignore;

  constructor(
    stream: ServerHttp2Stream,
    headers: Http2Headers,
    rawHeaders: readonly string[],
    remoteAddress: string,
    onClose: (stream: ServerHttp2Stream) => void,
  ) {
    this.verb = headers[':method'] ?? '';
    this.target = headers[':path'] ?? '';
    this.headers = headers;
    this.rawHeaders = rawHeaders;
    this.remoteAddress = remoteAddress;
    this.body = stream;
    this.#stream = stream;
    // A peer that is gone shows itself as 'close'; without a listener the error would be thrown.
    stream.on('error', ignore);
    // One for all: each listener of a stream costs a hundredth of its call.
    stream.on('close', () => {
      onClose(stream);
      if (!this.#isEnded || stream.rstCode === constants.NGHTTP2_CANCEL) this.#onAbort();
    });
  }

  start(status: number, headers: readonly Metadata[]): void {
    if (this.#stream.destroyed || this.#stream.closed) return;
    this.#stream.on('wantTrailers', () => {
      this.#stream.sendTrailers(gather(this.#trailers));
      this.#stopReading();
    });
    this.#stream.respond(this.#head(status, headers), { waitForTrailers: true });
  }

  write(chunk: Uint8Array): undefined | Promise<void> {
    if (this.#stream.destroyed || this.#stream.write(chunk)) return undefined;
    return drained(this.#stream);
  }

  end(trailers: readonly Metadata[] = [], last?: Uint8Array): void {
    this.#trailers = trailers;
    this.#isEnded = true;
    this.#stream.end(last);
  }

  send(status: number, headers: readonly Metadata[], body: string | Uint8Array): void {
    if (this.#stream.destroyed || this.#stream.closed) return;
    const isEmpty = this.verb === 'HEAD' || body.length === 0;
    this.#stream.respond(this.#head(status, headers), { endStream: isEmpty });
    this.#isEnded = true;
    this.#stream.once('finish', () => this.#stopReading());
    if (!isEmpty) this.#stream.end(body);
  }

  onAbort(listener: () => void): void {
    this.#onAbort = listener;
  }

  /** In one list, which Node writes faster than an object. */
  #head(status: number, headers: readonly Metadata[]): string[] {
    const head = [':status', String(status)];
    for (const [name, value] of headers) head.push(name, value);
    for (const [name, value] of this.commonHeaders) head.push(name, value);
    return head;
  }

  /** Tells a peer that is still sending that nobody reads any more, once the answer is out. */
  #stopReading(): void {
    if (this.#stream.readableEnded || this.#stream.endAfterHeaders) return;
    // A turn later: a reset drops a head or trailers that are still waiting to be written.
    setImmediate(() => {
      if (this.#stream.readableEnded) return;
      this.#stream.close(constants.NGHTTP2_NO_ERROR);
      // What has come and was not read would keep the stream, and with it the connection.
      this.#stream.resume();
    });
  }
}

function gather(headers: readonly Metadata[]): OutgoingHttpHeaders {
  const gathered: OutgoingHttpHeaders = {};
  for (const [name, value] of headers) {
    const before = gathered[name];
    gathered[name] = before === undefined ? value : [before, value].flat().map(String);
  }
  return gathered;
}
