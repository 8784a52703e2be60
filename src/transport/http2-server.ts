/** The HTTP/2 server that the listener hands its sockets to, and the watch over its connections. */
import http2, { type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AppError } from '../domain/errors.ts';
import { Http2Exchange, type HttpExchange } from './http.ts';
import { headersTooLarge } from './http1-server.ts';
import type { ConnectionLimits } from './limits.ts';

/** A GOAWAY that names it refuses no stream: it only announces that the connection will end. */
const NOTICE_STREAM_ID = 2 ** 31 - 1;
/** Memory that one connection may take inside the HTTP/2 library, in megabytes. */
const SESSION_MEGABYTES_MAX = 10;
const HEADER_PAIRS_MAX = 128;

export interface Http2Options {
  readonly limits: ConnectionLimits;
  readonly handle: (exchange: HttpExchange) => void;
  /** Answers what is refused before there is a request to handle. */
  readonly refuse: (exchange: HttpExchange, error: AppError) => void;
}

export class Http2Server {
  /** Takes sockets by its 'connection' event; it never listens itself. */
  readonly server: http2.Http2Server;
  readonly #limits: ConnectionLimits;
  readonly #sessions = new Set<ServerHttp2Session>();
  #isDraining = false;

  constructor({ limits, handle, refuse }: Http2Options) {
    this.#limits = limits;
    this.server = http2.createServer({
      settings: {
        maxConcurrentStreams: limits.streamsPerConnectionMax,
        maxHeaderListSize: limits.headerBytesMax,
        enablePush: false,
      },
      maxSessionMemory: SESSION_MEGABYTES_MAX,
      maxHeaderListPairs: HEADER_PAIRS_MAX,
    });
    this.server.on('session', (session) => this.#watch(session));
    this.server.on('sessionError', () => {});
    this.server.on('stream', (stream, headers, _flags, rawHeaders) => {
      const exchange = new Http2Exchange(stream as ServerHttp2Stream, headers);
      // maxHeaderListSize is only told to the peer; nothing below us holds it to that.
      const bytes = rawHeaders.reduce((sum, text) => sum + text.length, 0);
      if (bytes > limits.headerBytesMax) refuse(exchange, headersTooLarge());
      else handle(exchange);
    });
  }

  /** Tells every peer to open its next connection elsewhere; what it still sends is answered. */
  announceEnd(): void {
    this.#isDraining = true;
    for (const session of this.#sessions) {
      // One that has just been destroyed is here until its 'close', and throws.
      if (!session.destroyed) session.goaway(http2.constants.NGHTTP2_NO_ERROR, NOTICE_STREAM_ID);
    }
  }

  /** Takes no more streams; each connection closes after its last one. */
  close(): void {
    for (const session of this.#sessions) session.close();
  }

  #watch(session: ServerHttp2Session): void {
    this.#sessions.add(session);
    const watch = new ConnectionWatch(session, this.#limits);
    session.on('close', () => {
      this.#sessions.delete(session);
      watch.end();
    });
    session.on('error', () => session.destroy());
    if (this.#isDraining) session.close();
  }
}

/**
 * Looks at one connection from time to time: closes it when nothing was under way, resets streams
 * whose answer nobody reads, and cuts it when its peer no longer answers a ping. Frames that open no
 * stream do not keep a connection alive.
 */
class ConnectionWatch {
  readonly #session: ServerHttp2Session;
  readonly #limits: ConnectionLimits;
  readonly #timer: NodeJS.Timeout;
  readonly #streams = new Set<ServerHttp2Stream>();
  /** Streams whose whole answer was waiting to be read at the last look. */
  #unread = new Set<ServerHttp2Stream>();
  #wasUsed = false;

  constructor(session: ServerHttp2Session, limits: ConnectionLimits) {
    this.#session = session;
    this.#limits = limits;
    session.on('stream', (stream: ServerHttp2Stream) => {
      this.#wasUsed = true;
      this.#streams.add(stream);
      stream.on('close', () => this.#streams.delete(stream));
    });
    this.#timer = setInterval(() => this.#look(), limits.idleMsMax);
    this.#timer.unref();
  }

  end(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    if (this.#streams.size === 0) {
      if (!this.#wasUsed) this.#session.close();
      this.#wasUsed = false;
      return;
    }
    const unread = new Set<ServerHttp2Stream>();
    for (const stream of this.#streams) {
      if (!stream.writableEnded || stream.writableFinished) continue;
      if (this.#unread.has(stream)) stream.close(http2.constants.NGHTTP2_CANCEL);
      else unread.add(stream);
    }
    this.#unread = unread;
    const silent = setTimeout(() => this.#session.destroy(), this.#limits.sniffMsMax);
    this.#session.ping(() => clearTimeout(silent));
  }
}
