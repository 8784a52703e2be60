/** One request that came whole over HTTP/1.1, and its answer, written by hand. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import type { Metadata } from '../pipeline/call.ts';
import { type DueAnswer, sendSoon } from './due-answers.ts';
import { type HttpExchange, headerLines, ignore, STATUS_CODES } from './http.ts';
import type { SimpleHead } from './http1-head.ts';

/** What an exchange asks of its connection. */
export interface FastConnection {
  readonly socket: Socket;
  readonly remoteAddress: string;
  /** How long it stays open when nothing comes, whole seconds. */
  readonly idleSeconds: number;
  /** True where it ends with its next answer. */
  isEnding(): boolean;
  /** Hears that the whole answer was written. */
  answered(): void;
}

let dateSecond = 0;
let dateLine = '';

/** The header that tells when an answer was made; it is made once in a second. */
function date(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateLine = `Date: ${new Date(second * 1000).toUTCString()}\r\n`;
  }
  return dateLine;
}

export class FastExchange implements HttpExchange, DueAnswer {
  readonly version = 1;
  readonly verb: string;
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly remoteAddress: string;
  readonly commonHeaders: string[] = [];
  readonly #whole: Buffer;
  readonly #connection: FastConnection;
  /** Of the answer that is due: status and headers, without what the connection has to say. */
  #head = '';
  #body: string | Uint8Array = '';
  #encoding: 'latin1' | 'utf8' = 'latin1';
  #onAbort = ignore;

  constructor(head: SimpleHead, body: Buffer, connection: FastConnection) {
    this.verb = head.verb;
    this.target = head.target;
    this.headers = head.headers;
    this.rawHeaders = head.rawHeaders;
    this.remoteAddress = connection.remoteAddress;
    this.#whole = body;
    this.#connection = connection;
  }

  takeWhole(): Buffer {
    return this.#whole;
  }

  read(): never {
    throw new Error('the body is there already');
  }

  pause(): void {}

  chunks(): never {
    throw new Error('what comes in parts is not for here');
  }

  start(): never {
    throw new Error('what is answered in parts is not for here');
  }

  write(): never {
    throw new Error('what is answered in parts is not for here');
  }

  end(): never {
    throw new Error('what is answered in parts is not for here');
  }

  send(status: number, headers: Metadata, body: string | Uint8Array): void {
    const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
    const lengthLine = status === 204 ? '' : `content-length: ${length}\r\n`;
    const common = this.commonHeaders;
    this.#head =
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n` +
      `${headerLines(headers)}${lengthLine}${common.length === 0 ? '' : headerLines(common)}`;
    this.#body = this.verb === 'HEAD' || status === 204 ? '' : body;
    // What is ASCII alone is the same in Latin-1, which is written faster.
    this.#encoding = length === body.length ? 'latin1' : 'utf8';
    sendSoon(this);
  }

  sendDue(): void {
    const { socket, idleSeconds } = this.#connection;
    this.#onAbort = ignore;
    if (socket.writable) {
      const isLast = this.#connection.isEnding();
      const connection = isLast ? 'close' : `keep-alive\r\nKeep-Alive: timeout=${idleSeconds}`;
      const head = `${this.#head}${date()}Connection: ${connection}\r\n\r\n`;
      if (typeof this.#body === 'string') {
        socket.write(head + this.#body, this.#encoding);
      } else {
        socket.write(head, 'latin1');
        socket.write(this.#body);
      }
      if (isLast) socket.end();
    }
    this.#connection.answered();
  }

  onAbort(listener: () => void): void {
    this.#onAbort = listener;
  }

  /** The peer is gone. */
  abort(): void {
    this.#onAbort();
  }
}
