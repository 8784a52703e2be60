/**
 * HTTP/1.1 without Node's server, for connections whose requests are simple and come in one piece each, one
 * after another, as nearly all do (docs/decisions/0026). At the first that is or does anything else the
 * connection is Node's, for good: what is unfinished, large, pipelined, streamed, wrong or rare is met there
 * alone.
 */
import type { Socket } from 'node:net';
import { flavourOf } from './grpc/grpc.ts';
import type { HttpExchange } from './http.ts';
import { type FastConnection, FastExchange } from './http1-fast-exchange.ts';
import { readSimpleHead, type SimpleHead } from './http1-head.ts';
import type { ConnectionLimits } from './limits.ts';

/** How much longer than it is told a connection stays open: a request may be on its way. So does Node. */
const IDLE_GRACE_MS = 1000;
/** A longer head is read anew each time: there is one for each connection. */
const KNOWN_BYTES_MAX = 1024;
const HEAD_END = Buffer.from('\r\n\r\n');

export interface Http1FastPathOptions {
  readonly limits: Pick<ConnectionLimits, 'headerBytesMax' | 'headerMsMax' | 'idleMsMax'>;
  readonly handle: (exchange: HttpExchange) => void;
  /** Takes a connection that is not for here, with all of it that was not read yet. */
  readonly handOver: (socket: Socket) => void;
  /** True once connections shall end with their next answer. */
  readonly isDraining: () => boolean;
}

/** Takes connections whose peers speak HTTP/1.1. */
export class Http1FastPath {
  readonly #options: Http1FastPathOptions;
  readonly #connections = new Set<Connection>();

  constructor(options: Http1FastPathOptions) {
    this.#options = options;
  }

  take(socket: Socket): void {
    const forget = () => this.#connections.delete(connection);
    const connection: Connection = new Connection(socket, this.#options, forget);
    this.#connections.add(connection);
  }

  /** Closes those on which nothing is under way. */
  closeIdle(): void {
    for (const connection of this.#connections) connection.closeIfIdle();
  }
}

/** One connection, for as long as it is simple. */
class Connection implements FastConnection {
  readonly socket: Socket;
  readonly remoteAddress: string;
  readonly idleSeconds: number;
  readonly #options: Http1FastPathOptions;
  readonly #forget: () => void;
  /** A short head and its bytes: most clients send the same one again and again. */
  #known: { readonly bytes: Buffer; readonly head: SimpleHead } | undefined;
  #underWay: FastExchange | undefined;
  /** What came before the answer to what is under way. */
  #early: Buffer | undefined;

  /** @param forget called when the connection has closed, or is Node's */
  constructor(socket: Socket, options: Http1FastPathOptions, forget: () => void) {
    const { headerMsMax, idleMsMax } = options.limits;
    this.socket = socket;
    this.remoteAddress = socket.remoteAddress ?? '';
    this.idleSeconds = Math.floor(idleMsMax / 1000);
    this.#options = options;
    this.#forget = forget;
    // The first request is to come as soon as the head of any; then there is more patience.
    socket.setTimeout(headerMsMax);
    socket.once('data', () => socket.setTimeout(idleMsMax + IDLE_GRACE_MS));
    socket.on('timeout', this.#onTimeout).on('close', this.#onClose).on('data', this.#onData);
  }

  closeIfIdle(): void {
    if (this.#underWay === undefined) this.socket.destroy();
  }

  isEnding(): boolean {
    return this.#options.isDraining();
  }

  answered(): void {
    this.#underWay = undefined;
    if (this.#early !== undefined) this.#handOver(this.#early);
    else if (this.socket.writableNeedDrain) this.#awaitReader();
  }

  readonly #onTimeout = (): void => {
    // An answer may take its time; what was sent of it is to be read.
    if (this.#underWay === undefined || this.socket.writableLength > 0) this.socket.destroy();
  };

  readonly #onClose = (): void => {
    this.#forget();
    this.#underWay?.abort();
  };

  readonly #onData = (chunk: Buffer): void => {
    // Behind the last answer of a connection nothing can be answered, and so nothing may be done.
    if (this.socket.writableEnded) return;
    if (this.#underWay !== undefined) {
      this.#early = this.#early === undefined ? chunk : Buffer.concat([this.#early, chunk]);
      this.socket.pause();
      return;
    }
    const head = this.#headOf(chunk);
    if (head === undefined || chunk.length !== head.headBytes + head.bodyBytes) {
      this.#handOver(chunk);
      return;
    }
    const exchange = new FastExchange(head, chunk.subarray(head.headBytes), this);
    this.#underWay = exchange;
    this.#options.handle(exchange);
  };

  #headOf(chunk: Buffer): SimpleHead | undefined {
    const known = this.#known;
    const length = known?.bytes.length ?? 0;
    if (chunk.length >= length && known?.bytes.compare(chunk, 0, length) === 0) return known.head;
    const end = chunk.indexOf(HEAD_END);
    if (end === -1 || end > this.#options.limits.headerBytesMax) return undefined;
    const bytes = chunk.subarray(0, end + HEAD_END.length);
    const head = readSimpleHead(bytes.toString('latin1'));
    // Some answers of gRPC-Web are streams, in which a peer that leaves is to be noticed.
    if (head === undefined || flavourOf(head.headers['content-type'] ?? '') !== undefined) {
      return undefined;
    }
    // A copy, without the body.
    if (bytes.length <= KNOWN_BYTES_MAX) this.#known = { bytes: Buffer.from(bytes), head };
    return head;
  }

  /** Reads nothing more until the peer has read what was sent. */
  #awaitReader(): void {
    this.socket.pause();
    this.socket.once('drain', () => this.socket.resume());
  }

  #handOver(unread: Buffer): void {
    const { socket } = this;
    this.#forget();
    socket.setTimeout(0);
    socket.off('timeout', this.#onTimeout).off('close', this.#onClose).off('data', this.#onData);
    if (socket.destroyed) return;
    socket.pause();
    socket.unshift(unread);
    this.#options.handOver(socket);
    socket.resume();
  }
}
