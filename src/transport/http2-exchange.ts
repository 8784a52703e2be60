/** One request over HTTP/2 and its answer. */
import {
  constants,
  type IncomingHttpHeaders as Http2Headers,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Metadata } from '../pipeline/call.ts';
import type { BodySink } from './body.ts';
import { type Chunks, drained, type HttpExchange, ignore } from './http.ts';

/**
 * Where a stream has its exchange. Node holds on to a stream for a while after its end; it must not hold on
 * to a call with it, or what could die young grows old. That is also why no listener here is a closure.
 */
const EXCHANGE = Symbol('exchange');

const NOTHING = Buffer.alloc(0);

type Stream = ServerHttp2Stream & { [EXCHANGE]?: Http2Exchange | undefined };

function onClosed(this: Stream): void {
  const exchange = this[EXCHANGE];
  this[EXCHANGE] = undefined;
  exchange?.closed();
}

function onData(this: Stream, chunk: Buffer): void {
  this[EXCHANGE]?.sink?.data(chunk);
}

function onEnd(this: Stream): void {
  this[EXCHANGE]?.sink?.end();
}

function onWantTrailers(this: Stream): void {
  this[EXCHANGE]?.sendTrailers();
}

function onFinish(this: Stream): void {
  this[EXCHANGE]?.stopReading();
}

export class Http2Exchange implements HttpExchange {
  readonly version = 2;
  readonly verb: string;
  readonly target: string;
  readonly headers: Http2Headers;
  readonly rawHeaders: readonly string[];
  readonly remoteAddress: string;
  readonly commonHeaders: string[] = [];
  readonly #stream: Stream;
  readonly #onClose: (stream: ServerHttp2Stream) => void;
  /** Takes the body. */
  sink: BodySink | undefined;
  /** What of it arrived in the turn of its head. */
  #arrived: Buffer | null = null;
  #whole: Buffer | undefined;
  #isEnded = false;
  #trailers: Metadata = [];
  #onAbort = ignore;

  /** @param onClose called when the stream is over */
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
    this.#stream = stream;
    this.#onClose = onClose;
    this.#stream[EXCHANGE] = this;
    // A peer that is gone shows itself as 'close'; without a listener the error would be thrown.
    stream.on('error', ignore);
    // One for all: each listener of a stream costs a hundredth of its call.
    stream.on('close', onClosed);
  }

  /** True where nobody waits for an answer any more. */
  get isOver(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }

  /**
   * Takes what of the body is there. With the last of it Node has the end told in a tick, which is before
   * any tick that is asked for after this.
   */
  takeArrived(): void {
    this.#arrived = this.#stream.read();
  }

  /** That tick is over: what was taken is the whole body, or it goes back as the beginning of one. */
  settleBody(): void {
    if (this.#stream.readableEnded) this.#whole = this.#arrived ?? NOTHING;
    else if (this.#arrived !== null) this.#stream.unshift(this.#arrived);
    this.#arrived = null;
  }

  /** The stream is over. */
  closed(): void {
    this.#onClose(this.#stream);
    if (!this.#isEnded || this.#stream.rstCode === constants.NGHTTP2_CANCEL) this.#onAbort();
  }

  /** The body is out, and its trailers are due. */
  sendTrailers(): void {
    this.#stream.sendTrailers(gather(this.#trailers));
    this.stopReading();
  }

  takeWhole(): Buffer | undefined {
    const whole = this.#whole;
    // A stream may be open for days.
    this.#whole = undefined;
    return whole;
  }

  read(sink: BodySink): void {
    this.sink = sink;
    this.#stream.on('data', onData).on('end', onEnd);
  }

  pause(): void {
    this.#stream.pause();
  }

  chunks(): Chunks {
    const whole = this.takeWhole();
    if (whole !== undefined) return whole.length === 0 ? [] : [whole];
    return this.#stream.iterator({ destroyOnReturn: false });
  }

  start(status: number, headers: Metadata): void {
    if (this.isOver) return;
    this.#stream.on('wantTrailers', onWantTrailers);
    this.#stream.respond(this.#head(status, headers), { waitForTrailers: true });
  }

  write(chunk: Uint8Array): undefined | Promise<void> {
    if (this.#stream.destroyed || this.#stream.write(chunk)) return undefined;
    return drained(this.#stream);
  }

  end(trailers: Metadata = [], last?: Uint8Array): void {
    this.#trailers = trailers;
    this.#isEnded = true;
    this.#stream.end(last);
  }

  send(status: number, headers: Metadata, body: string | Uint8Array): void {
    if (this.isOver) return;
    const isEmpty = this.verb === 'HEAD' || body.length === 0;
    this.#stream.respond(this.#head(status, headers), { endStream: isEmpty });
    this.#isEnded = true;
    this.#stream.on('finish', onFinish);
    if (!isEmpty) this.#stream.end(body);
  }

  onAbort(listener: () => void): void {
    this.#onAbort = listener;
  }

  /** In one list, which Node writes faster than an object. */
  #head(status: number, headers: Metadata): string[] {
    return [':status', String(status), ...headers, ...this.commonHeaders];
  }

  /** Tells a peer that is still sending that nobody reads any more, once the answer is out. */
  stopReading(): void {
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

function gather(headers: Metadata): OutgoingHttpHeaders {
  const gathered: OutgoingHttpHeaders = {};
  for (let at = 0; at < headers.length; at += 2) {
    const [name, value] = [headers[at] as string, headers[at + 1] as string];
    const before = gathered[name];
    gathered[name] = before === undefined ? value : [before, value].flat().map(String);
  }
  return gathered;
}
