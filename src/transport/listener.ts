/**
 * One port for HTTP/1.1 and HTTP/2. In plaintext the first bytes tell them apart, over TLS the ALPN
 * does; then the socket is handed to the one HTTP/1.1 or the one HTTP/2 server inside.
 */
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import tls from 'node:tls';
import { AppError } from '../domain/errors.ts';
import { Http1Exchange, Http2Exchange, type HttpExchange, RawExchange } from './http.ts';

/** What every HTTP/2 client with prior knowledge sends first. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n');
/** A GOAWAY that names it refuses no stream: it only announces that the connection will end. */
const GOAWAY_NOTICE_STREAM_ID = 2 ** 31 - 1;

export interface ListenerLimits {
  /** Time to show which protocol it is, and for the TLS handshake. */
  readonly sniffMsMax: number;
  readonly headerBytesMax: number;
  readonly headerMsMax: number;
  readonly requestMsMax: number;
  /** A connection on which nothing is under way is closed after this. */
  readonly idleMsMax: number;
  readonly connectionsMax: number;
  readonly streamsPerConnectionMax: number;
  /** How long a drained connection stays open for requests that are on their way. */
  readonly drainNoticeMs: number;
}

export interface ListenerOptions {
  /** Certificate and key in PEM; undefined: plaintext. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly limits: ListenerLimits;
  readonly handle: (exchange: HttpExchange) => void;
  /** Answers what is refused before it is a request to anybody. */
  readonly refuse: (exchange: HttpExchange, error: AppError) => void;
}

export class Listener {
  readonly #limits: ListenerLimits;
  readonly #http1: http.Server;
  readonly #http2: http2.Http2Server;
  readonly #outer: net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #sessions = new Set<http2.ServerHttp2Session>();
  #isDraining = false;
  #whenEmpty: (() => void) | undefined;

  constructor(options: ListenerOptions) {
    const { limits } = options;
    this.#limits = limits;
    this.#http1 = this.#makeHttp1(options);
    this.#http2 = this.#makeHttp2(options);
    const socketOptions = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 };
    this.#outer =
      options.tls === undefined
        ? net.createServer(socketOptions, (socket) => this.#sniff(socket))
        : tls.createServer(
            {
              ...socketOptions,
              ...options.tls,
              minVersion: 'TLSv1.2',
              ALPNProtocols: ['h2', 'http/1.1'],
              handshakeTimeout: limits.sniffMsMax,
            },
            (socket) => this.#hand(socket, socket.alpnProtocol === 'h2'),
          );
    this.#outer.maxConnections = limits.connectionsMax;
    this.#outer.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        if (this.#sockets.size === 0) this.#whenEmpty?.();
      });
    });
    this.#outer.on('tlsClientError', (_error, socket) => socket.destroy());
  }

  /** Resolves with the port when connections are taken. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#outer.once('error', reject);
      this.#outer.listen({ host, port }, () => {
        this.#outer.off('error', reject);
        resolve((this.#outer.address() as net.AddressInfo).port);
      });
    });
  }

  /**
   * Takes no new connection and tells the open ones to go: HTTP/2 by a first GOAWAY, HTTP/1.1 by
   * `Connection: close` on the next answer. What is on its way for `drainNoticeMs` is still answered.
   */
  async drain(): Promise<void> {
    this.#isDraining = true;
    this.#outer.close();
    for (const session of this.#sessions) {
      // One that has just been destroyed is here until its 'close', and throws.
      if (session.destroyed) continue;
      session.goaway(http2.constants.NGHTTP2_NO_ERROR, GOAWAY_NOTICE_STREAM_ID);
    }
    await new Promise((resolve) => setTimeout(resolve, this.#limits.drainNoticeMs));
    for (const session of this.#sessions) session.close();
    this.#http1.closeIdleConnections();
  }

  /** Resolves when every connection has closed; those that have not by `msMax` are cut. */
  async closed(msMax: number): Promise<void> {
    const timer = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, msMax);
    this.#http1.closeIdleConnections();
    if (this.#sockets.size > 0) {
      await new Promise<void>((resolve) => {
        this.#whenEmpty = resolve;
      });
    }
    clearTimeout(timer);
    // Ends the watch for slow clients that 'listening' began.
    this.#http1.close();
  }

  #makeHttp1({ limits, handle, refuse }: ListenerOptions): http.Server {
    const server = http.createServer({
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: limits.headerMsMax,
      requestTimeout: limits.requestMsMax,
      keepAliveTimeout: limits.idleMsMax,
      connectionsCheckingInterval: 1000,
      // Refused by us: Node's own refusal has neither a Status nor a line in the log.
      requireHostHeader: false,
    });
    server.on('request', (request, response) => {
      if (this.#isDraining) response.shouldKeepAlive = false;
      const exchange = new Http1Exchange(request, response);
      if (request.httpVersion === '1.1' && request.headers.host === undefined) {
        refuse(exchange, new AppError('INVALID_REQUEST', 'the request has no Host header'));
      } else {
        handle(exchange);
      }
    });
    server.on('checkExpectation', (request, response) => {
      handle(new Http1Exchange(request, response));
    });
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      if (!socket.writable || error.code === 'ECONNRESET') return socket.destroy();
      refuse(new RawExchange(socket as net.Socket), http1Fault(error.code));
    });
    // Node watches for slow clients from this event on; this server itself never listens.
    server.emit('listening');
    return server;
  }

  #makeHttp2({ limits, handle, refuse }: ListenerOptions): http2.Http2Server {
    const server = http2.createServer({
      settings: {
        maxConcurrentStreams: limits.streamsPerConnectionMax,
        maxHeaderListSize: limits.headerBytesMax,
        enablePush: false,
      },
      maxSessionMemory: 10,
      maxHeaderListPairs: 128,
      unknownProtocolTimeout: limits.sniffMsMax,
    });
    server.on('session', (session) => this.#watch(session));
    server.on('sessionError', () => {});
    server.on('stream', (stream, headers, _flags, rawHeaders) => {
      const exchange = new Http2Exchange(stream as http2.ServerHttp2Stream, headers);
      // maxHeaderListSize is only told to the peer; nothing below us holds it to that.
      const bytes = rawHeaders.reduce((sum, text) => sum + text.length, 0);
      if (bytes > limits.headerBytesMax) refuse(exchange, headersTooLarge());
      else handle(exchange);
    });
    return server;
  }

  /** Closes an idle connection, and one with open streams whose peer no longer answers a ping. */
  #watch(session: http2.ServerHttp2Session): void {
    let streams = 0;
    this.#sessions.add(session);
    session.on('close', () => this.#sessions.delete(session));
    session.on('error', () => session.destroy());
    session.on('stream', (stream) => {
      streams++;
      stream.on('close', () => streams--);
    });
    session.setTimeout(this.#limits.idleMsMax, () => {
      if (streams === 0) {
        session.close();
        return;
      }
      const silent = setTimeout(() => session.destroy(), this.#limits.sniffMsMax);
      session.ping(() => clearTimeout(silent));
    });
    if (this.#isDraining) session.close();
  }

  #sniff(socket: net.Socket): void {
    const timer = setTimeout(() => socket.destroy(), this.#limits.sniffMsMax);
    let seen = Buffer.alloc(0);
    const look = () => {
      const chunk = socket.read();
      if (chunk === null) return;
      seen = Buffer.concat([seen, chunk]);
      const length = Math.min(seen.length, PREFACE.length);
      const isPreface = seen.subarray(0, length).equals(PREFACE.subarray(0, length));
      if (isPreface && length < PREFACE.length) return;
      clearTimeout(timer);
      socket.off('readable', look);
      socket.unshift(seen);
      this.#hand(socket, isPreface);
    };
    socket.on('readable', look);
    socket.on('close', () => clearTimeout(timer));
  }

  #hand(socket: net.Socket, isHttp2: boolean): void {
    (isHttp2 ? this.#http2 : this.#http1).emit('connection', socket);
  }
}

function headersTooLarge(): AppError {
  return new AppError('INVALID_REQUEST', 'the request headers are too large');
}

/** What Node's HTTP/1.1 parser found wrong. */
function http1Fault(code: string | undefined): AppError {
  if (code === 'HPE_HEADER_OVERFLOW') return headersTooLarge();
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new AppError('DEADLINE_EXCEEDED', 'the request did not arrive in time');
  }
  return new AppError('INVALID_REQUEST', 'this is not an HTTP/1.1 request');
}
