/**
 * One port for HTTP/1.1 and HTTP/2. In plaintext the first bytes tell them apart, and what is neither
 * is closed; over TLS the ALPN does. Then the socket is handed to the one HTTP/1.1 or the one HTTP/2
 * server inside.
 */
import { constants } from 'node:crypto';
import type http from 'node:http';
import net from 'node:net';
import tls from 'node:tls';
import type { AppError } from '../domain/errors.ts';
import { networkOf } from '../domain/network.ts';
import type { TrustedProxies } from '../domain/proxies.ts';
import type { HttpExchange } from './http.ts';
import { Http1FastPath } from './http1-fast-path.ts';
import { makeHttp1Server } from './http1-server.ts';
import { Http2Server } from './http2-server.ts';
import type { ConnectionLimits } from './limits.ts';

/** What every HTTP/2 client with prior knowledge sends first. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n');
/** How long TCP waits before it looks whether a silent peer is still there. */
const KEEP_ALIVE_MS = 60_000;
/** Connections that the system may hold ready for us: in a rush, those beyond wait a second and more. */
const BACKLOG = 4096;
const SOCKET_OPTIONS = {
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: KEEP_ALIVE_MS,
} as const;

/**
 * What TLS speaks, whatever the certificate: TLS 1.3, and of 1.2 what encrypts with forward secrecy
 * and authenticates as it encrypts. A client cannot ask for new keys on an open connection, which
 * costs it little and us much.
 */
const TLS_OPTIONS = {
  minVersion: 'TLSv1.2',
  ciphers: [
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'TLS_AES_128_GCM_SHA256',
    'ECDHE+AESGCM',
    'ECDHE+CHACHA20',
  ].join(':'),
  honorCipherOrder: true,
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
} as const;

/** A certificate chain and its key, in PEM. */
export interface TlsPair {
  readonly cert: string;
  readonly key: string;
}

/**
 * False when a whole first line is there and names no version of HTTP. Then no answer would be
 * understood; a preface of HTTP/2 that is none is to be met so (RFC 9113, section 3.4).
 */
function isHttp(seen: Buffer): boolean {
  // HTTP/1.1 forgives empty lines before the first.
  const text = seen.toString('latin1').trimStart();
  const end = text.indexOf('\n');
  return end === -1 || text.slice(0, end).includes(' HTTP/');
}

export interface ListenerOptions {
  /** undefined: plaintext. */
  readonly tls: TlsPair | undefined;
  readonly limits: ConnectionLimits;
  readonly handle: (exchange: HttpExchange) => void;
  /** Answers what is refused before there is a request to handle. */
  readonly refuse: (exchange: HttpExchange, error: AppError) => void;
  /** Those that bring the calls of many: the limit of one address is not theirs. */
  readonly proxies?: TrustedProxies | undefined;
}

export class Listener {
  readonly #limits: ConnectionLimits;
  readonly #proxies: TrustedProxies | undefined;
  readonly #http1: http.Server;
  readonly #fastPath: Http1FastPath;
  readonly #http2: Http2Server;
  readonly #outer: net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #countOfAddress = new Map<string, number>();
  #isDraining = false;
  #whenEmpty: (() => void) | undefined;

  constructor(options: ListenerOptions) {
    this.#limits = options.limits;
    this.#proxies = options.proxies;
    const isDraining = () => this.#isDraining;
    this.#http1 = makeHttp1Server({ ...options, isDraining });
    const handOver = (socket: net.Socket) => this.#http1.emit('connection', socket);
    this.#fastPath = new Http1FastPath({ ...options, isDraining, handOver });
    this.#http2 = new Http2Server(options);
    this.#outer = options.tls === undefined ? this.#plain() : this.#secure(options.tls);
    this.#outer.maxConnections = options.limits.connectionsMax;
    this.#outer.on('connection', (socket) => this.#take(socket));
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Resolves with the port when connections are taken. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#outer.once('error', reject);
      this.#outer.listen({ host, port, backlog: BACKLOG }, () => {
        this.#outer.off('error', reject);
        resolve((this.#outer.address() as net.AddressInfo).port);
      });
    });
  }

  /** New connections get this certificate; those that are open keep theirs. */
  setTls(pair: TlsPair): void {
    if (this.#outer instanceof tls.Server) {
      this.#outer.setSecureContext({ ...TLS_OPTIONS, cert: pair.cert, key: pair.key });
    }
  }

  /**
   * Takes no new connection and tells the open ones to go: HTTP/2 by a first GOAWAY, HTTP/1.1 by
   * `Connection: close` on the next answer. What is on its way for `drainNoticeMs` is still answered.
   */
  async drain(): Promise<void> {
    this.#isDraining = true;
    this.#outer.close();
    this.#http2.announceEnd();
    await new Promise((resolve) => setTimeout(resolve, this.#limits.drainNoticeMs));
    this.#http2.close();
    this.#closeIdle();
  }

  /**
   * Takes no new connection. Resolves when every open one has closed; those that have not by `msMax`
   * are cut.
   */
  async closed(msMax: number): Promise<void> {
    this.#outer.close();
    const timer = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, msMax);
    this.#closeIdle();
    if (this.#sockets.size > 0) {
      await new Promise<void>((resolve) => {
        this.#whenEmpty = resolve;
      });
    }
    clearTimeout(timer);
    // Ends the watch for slow clients that 'listening' began.
    this.#http1.close();
  }

  #closeIdle(): void {
    this.#fastPath.closeIdle();
    this.#http1.closeIdleConnections();
  }

  #plain(): net.Server {
    return net.createServer(SOCKET_OPTIONS, (socket) => this.#sniff(socket));
  }

  #secure(pair: TlsPair): net.Server {
    const server = tls.createServer(
      {
        ...SOCKET_OPTIONS,
        ...TLS_OPTIONS,
        ...pair,
        ALPNProtocols: ['h2', 'http/1.1'],
        handshakeTimeout: this.#limits.sniffMsMax,
      },
      (socket) => this.#hand(socket, socket.alpnProtocol === 'h2'),
    );
    server.on('tlsClientError', (_error, socket) => socket.destroy());
    return server;
  }

  /** Counts a connection, in all and for its address, as long as it is open. */
  #take(socket: net.Socket): void {
    const peer = socket.remoteAddress ?? '';
    const address = networkOf(peer);
    const count = (this.#countOfAddress.get(address) ?? 0) + 1;
    const isTooMany = count > this.#limits.connectionsPerAddressMax;
    if (isTooMany && this.#proxies?.isTrusted(peer) !== true) {
      socket.destroy();
      return;
    }
    this.#countOfAddress.set(address, count);
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      const left = (this.#countOfAddress.get(address) ?? 1) - 1;
      if (left === 0) this.#countOfAddress.delete(address);
      else this.#countOfAddress.set(address, left);
      this.#sockets.delete(socket);
      if (this.#sockets.size === 0) this.#whenEmpty?.();
    });
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
      if (!isPreface && !isHttp(seen)) {
        socket.destroy();
        return;
      }
      socket.unshift(seen);
      this.#hand(socket, isPreface);
    };
    socket.on('readable', look);
    socket.on('close', () => clearTimeout(timer));
  }

  #hand(socket: net.Socket, isHttp2: boolean): void {
    if (isHttp2) this.#http2.take(socket);
    else this.#fastPath.take(socket);
  }
}
