/** The HTTP/2 server that the listener hands its sockets to, and the watch over its connections. */
import http2, { type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { AppError } from '../domain/errors.ts';
import type { HttpExchange } from './http.ts';
import { headersTooLarge } from './http1-server.ts';
import { Http2Exchange } from './http2-exchange.ts';
import type { ConnectionLimits } from './limits.ts';

/**
 * A GOAWAY whose last stream is the highest there is: it refuses none, and only announces that the
 * connection will end. Written by hand: after session.goaway the library ignores, without a word,
 * every stream that was on its way, whatever stream it names.
 */
const NOTICE = Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
/** Memory that one connection may take inside the HTTP/2 library, in megabytes. */
const SESSION_MEGABYTES_MAX = 10;
const HEADER_PAIRS_MAX = 128;
/** How long a peer may take to answer a ping. */
const PING_MS_MAX = 10_000;
/** How long the peer of a closed connection may take to close it too. */
const LINGER_MS_MAX = 2000;

export interface Http2Options {
  readonly limits: Pick<
    ConnectionLimits,
    'headerBytesMax' | 'idleMsMax' | 'streamsPerConnectionMax'
  >;
  readonly handle: (exchange: HttpExchange) => void;
  /** Answers what is refused before there is a request to handle. */
  readonly refuse: (exchange: HttpExchange, error: AppError) => void;
}

export class Http2Server {
  readonly #server: http2.Http2Server;
  readonly #idleMsMax: number;
  readonly #handle: (exchange: HttpExchange) => void;
  /** Those that began in this turn of the event loop. */
  #fresh: Http2Exchange[] = [];
  /** Each with its socket, which the session itself does not let be written to. */
  readonly #sessions = new Map<ServerHttp2Session, Socket>();
  /** The last streams of a session may come after its end. */
  readonly #watches = new WeakMap<ServerHttp2Session, ConnectionWatch>();
  #isClosed = false;

  constructor({ limits, handle, refuse }: Http2Options) {
    this.#idleMsMax = limits.idleMsMax;
    this.#handle = handle;
    this.#server = http2.createServer({
      settings: {
        maxConcurrentStreams: limits.streamsPerConnectionMax,
        maxHeaderListSize: limits.headerBytesMax,
        enablePush: false,
      },
      maxSessionMemory: SESSION_MEGABYTES_MAX,
      maxHeaderListPairs: HEADER_PAIRS_MAX,
    });
    this.#server.on('sessionError', () => {});
    this.#server.on('stream', (stream: ServerHttp2Stream, headers, _flags, rawHeaders) => {
      const watch = this.#watches.get(stream.session as ServerHttp2Session);
      watch?.begin(stream);
      const exchange = new Http2Exchange(
        stream,
        headers,
        rawHeaders,
        watch?.remoteAddress ?? '',
        (ended) => watch?.forget(ended),
      );
      // maxHeaderListSize is only told to the peer; nothing below us holds it to that.
      let bytes = 0;
      for (const text of rawHeaders) bytes += text.length;
      if (bytes > limits.headerBytesMax) refuse(exchange, headersTooLarge());
      else this.#handSoon(exchange);
    });
  }

  /** Takes a connection whose peer speaks HTTP/2. */
  take(socket: Socket): void {
    const watch = (session: ServerHttp2Session) => this.#watch(session, socket);
    this.#server.once('session', watch);
    this.#server.emit('connection', socket);
    this.#server.off('session', watch);
  }

  /** Tells every peer to open its next connection elsewhere; what it still sends is answered. */
  announceEnd(): void {
    for (const [session, socket] of this.#sessions) {
      // Over TLS two writes must not meet, so there is no notice: a stream that is on its way is
      // refused, which tells its client that it may safely be sent again.
      if (session.encrypted) session.close();
      // Not before our settings, which must be the first frame: those who have read them say so.
      else if (socket.writable && !session.pendingSettingsAck) socket.write(NOTICE);
    }
  }

  /** Takes no more streams; each connection closes after its last one. */
  close(): void {
    this.#isClosed = true;
    for (const session of this.#sessions.keys()) session.close();
  }

  /**
   * Hands it on at the end of the turn. By then most bodies are there whole, so that a call that waits for
   * nothing is answered without a promise.
   */
  #handSoon(exchange: Http2Exchange): void {
    if (this.#fresh.push(exchange) === 1) setImmediate(() => this.#handAll());
  }

  #handAll(): void {
    const fresh = this.#fresh;
    this.#fresh = [];
    for (const exchange of fresh) exchange.takeArrived();
    // One tick for all of them.
    process.nextTick(() => {
      for (const exchange of fresh) {
        exchange.settleBody();
        // What is reset in the turn that it began in never was a call: no log, no figure tells of it.
        if (!exchange.isOver) this.#handle(exchange);
      }
    });
  }

  #watch(session: ServerHttp2Session, socket: Socket): void {
    this.#sessions.set(session, socket);
    const watch = new ConnectionWatch(session, socket, this.#idleMsMax);
    this.#watches.set(session, watch);
    session.on('close', () => {
      this.#sessions.delete(session);
      watch.end();
    });
    session.on('error', () => session.destroy());
    if (this.#isClosed) session.close();
  }
}

/**
 * Looks at one connection from time to time: closes it when nothing was under way, resets streams
 * whose answer nobody reads, and cuts it when its peer no longer answers a ping. Frames that open no
 * stream do not keep a connection alive.
 */
class ConnectionWatch {
  /** A session forgets it when it ends. */
  readonly remoteAddress: string;
  readonly #session: ServerHttp2Session;
  readonly #socket: Socket;
  readonly #pingMsMax: number;
  readonly #timer: NodeJS.Timeout;
  readonly #streams = new Set<ServerHttp2Stream>();
  /** Streams whose whole answer was waiting to be read at the last look. */
  #unread = new Set<ServerHttp2Stream>();
  #wasUsed = false;

  constructor(session: ServerHttp2Session, socket: Socket, idleMsMax: number) {
    this.#session = session;
    this.#socket = socket;
    this.#pingMsMax = Math.min(idleMsMax, PING_MS_MAX);
    this.remoteAddress = socket.remoteAddress ?? '';
    this.#timer = setInterval(() => this.#look(), idleMsMax);
    this.#timer.unref();
  }

  begin(stream: ServerHttp2Stream): void {
    this.#wasUsed = true;
    this.#streams.add(stream);
  }

  forget(stream: ServerHttp2Stream): void {
    this.#streams.delete(stream);
  }

  end(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    if (this.#streams.size === 0) {
      if (!this.#wasUsed) this.#leave();
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
    const silent = setTimeout(() => this.#session.destroy(), this.#pingMsMax);
    this.#session.ping((error) => {
      // A ping that could not be sent has no answer either.
      if (error === null) clearTimeout(silent);
    });
  }

  /** Closes; a peer that then keeps its own side open is cut. */
  #leave(): void {
    this.#session.close();
    setTimeout(() => this.#socket.destroy(), LINGER_MS_MAX).unref();
  }
}
