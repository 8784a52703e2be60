/** One HTTP request and its answer, the same to the codecs whether HTTP/1.1 or HTTP/2 carries it. */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import type { Metadata } from '../pipeline/call.ts';
import type { BodySink, BodySource } from './body.ts';
import { type DueAnswer, sendSoon } from './due-answers.ts';

/** Not by import; see http1-server.ts. */
export const { STATUS_CODES } = process.getBuiltinModule('node:http');

/** Parts of a body, as they come or all there already. */
export type Chunks = AsyncIterable<Buffer> | Iterable<Buffer>;

export interface HttpExchange extends BodySource {
  readonly version: 1 | 2;
  /** The method, such as `POST`; called verb here, since methods are the RPCs. */
  readonly verb: string;
  /** Path and query as they were sent. */
  readonly target: string;
  /** Lower-case names. */
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, as they were sent: of what is there twice, `headers` may have one. */
  readonly rawHeaders: readonly string[];
  /** Of the peer, which may be a proxy. */
  readonly remoteAddress: string;
  /** The body as it comes; who stops reading it leaves the answer as it is. */
  chunks(): Chunks;
  /** Sent with every answer, such as the CORS headers of this request's origin. */
  readonly commonHeaders: string[];
  /** Sends the head of an answer whose body comes by write and end. */
  start(status: number, headers: Metadata): void;
  /** Sends a part of the body; a promise when the peer must read before more is sent. */
  write(chunk: Uint8Array): undefined | Promise<void>;
  /** Ends the body, after a last part if there is one; HTTP/2 sends the trailers after it. */
  end(trailers?: Metadata, last?: Uint8Array): void;
  /** Sends a whole answer. */
  send(status: number, headers: Metadata, body: string | Uint8Array): void;
  /** Calls `listener` if the peer goes away before the answer has ended. */
  onAbort(listener: () => void): void;
}

/** Sent with JSON: a browser shall not take it for anything else, whatever it holds. */
export const JSON_HEADERS: Metadata = [
  ...['content-type', 'application/json'],
  ...['x-content-type-options', 'nosniff'],
];

/**
 * How long what still comes of an HTTP/1.1 request is thrown away after its answer, in milliseconds:
 * time for the peer to read that answer and to stop.
 */
const LINGER_MS = 500;

/** No value of a header may hold this: its line would end where it does not. */
const NOT_OF_HEADERS = /[^\t\x20-\x7e\x80-\xff]/;

/**
 * Names and values as lines, each with its end.
 * @throws Error for what would be more than a line
 */
export function headerLines(headers: Metadata): string {
  let lines = '';
  for (let at = 0; at < headers.length; at += 2) {
    const value = headers[at + 1] as string;
    if (NOT_OF_HEADERS.test(value)) throw new Error(`no header can say ${value}`);
    lines += `${headers[at]}: ${value}\r\n`;
  }
  return lines;
}

/** Takes what shows itself otherwise too, such as an error. */
export function ignore(): void {}

/** Resolves when there is room again, or nobody reads any more. */
export function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done);
      stream.off('close', done);
      resolve();
    };
    stream.on('drain', done);
    stream.on('close', done);
  });
}

export class Http1Exchange implements HttpExchange, DueAnswer {
  readonly version = 1;
  readonly verb: string;
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly remoteAddress: string;
  readonly commonHeaders: string[] = [];
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  /** A whole answer that is due. */
  #content: string | Uint8Array = '';
  #encoding: 'latin1' | 'utf8' = 'latin1';

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.verb = request.method ?? '';
    // The absolute form, which proxies use, names this server once more.
    const url = request.url ?? '';
    this.target = url.startsWith('/') ? url : url.replace(/^https?:\/\/[^/?]*/i, '');
    this.headers = request.headers;
    this.rawHeaders = request.rawHeaders;
    this.remoteAddress = request.socket.remoteAddress ?? '';
    this.#request = request;
    this.#response = response;
    // A peer that is gone shows itself as 'close'; without a listener the error would be thrown.
    response.on('error', ignore);
  }

  takeWhole(): undefined {}

  read(sink: BodySink): void {
    this.#request.on('data', (chunk) => sink.data(chunk)).on('end', () => sink.end());
  }

  pause(): void {
    this.#request.pause();
  }

  chunks(): AsyncIterable<Buffer> {
    return this.#request.iterator({ destroyOnReturn: false });
  }

  start(status: number, headers: Metadata): void {
    if (!this.#response.destroyed) this.#start(status, [...headers], this.#isComing());
  }

  write(chunk: Uint8Array): undefined | Promise<void> {
    if (this.#response.destroyed || this.#response.write(chunk)) return undefined;
    return drained(this.#response);
  }

  end(_trailers?: Metadata, last?: Uint8Array): void {
    this.#response.end(last);
  }

  send(status: number, headers: Metadata, body: string | Uint8Array): void {
    if (this.#response.destroyed) return;
    const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
    const head = [...headers];
    if (status !== 204) head.push('content-length', String(length));
    const isComing = this.#isComing();
    this.#start(status, head, isComing);
    const content = this.verb === 'HEAD' || status === 204 ? '' : body;
    const { socket } = this.#response;
    // Without a socket it waits for the answers to the requests before it.
    if (socket !== null && isComing) {
      this.#sendEarly(socket, content);
      return;
    }
    this.#content = content;
    // What is ASCII alone is the same in Latin-1, which is written faster.
    this.#encoding = length === content.length ? 'latin1' : 'utf8';
    sendSoon(this);
  }

  sendDue(): void {
    if (!this.#response.destroyed) this.#response.end(this.#content, this.#encoding);
  }

  onAbort(listener: () => void): void {
    this.#response.on('close', () => {
      if (!this.#response.writableFinished) listener();
    });
  }

  #start(status: number, head: string[], isComing: boolean): void {
    // What is still to come of a request that is answered already must not be read as the next one.
    if (isComing) this.#response.shouldKeepAlive = false;
    head.push(...this.commonHeaders);
    this.#response.writeHead(status, head);
  }

  /** True while a part of the request is still to come. */
  #isComing(): boolean {
    if (this.#request.complete) return false;
    const { 'content-length': length = '0', 'transfer-encoding': encoding } = this.headers;
    return encoding !== undefined || length !== '0';
  }

  /**
   * Answers before the request has come whole, and ends the connection after it. Closing at once
   * would reset it under a peer that still sends, which might never see the answer.
   */
  #sendEarly(socket: Socket, content: string | Uint8Array): void {
    if (content.length === 0) this.#response.flushHeaders();
    else this.#response.write(content);
    socket.end();
    const close = () => {
      clearTimeout(timer);
      this.#response.end();
    };
    const timer = setTimeout(close, LINGER_MS);
    this.#request.on('end', close).on('close', close).resume();
  }
}

/** Answers over a socket whose HTTP/1.1 request could not be read, and closes it. */
export class RawExchange implements HttpExchange {
  readonly version = 1;
  readonly verb = '';
  readonly target = '';
  readonly headers = {};
  readonly rawHeaders: readonly string[] = [];
  readonly remoteAddress: string;
  readonly commonHeaders: string[] = [];
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.remoteAddress = socket.remoteAddress ?? '';
    this.#socket = socket;
  }

  send(status: number, headers: Metadata, body: string | Uint8Array): void {
    const lines = headerLines(headers);
    const length = Buffer.byteLength(body);
    this.#socket.end(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines}` +
        `content-length: ${length}\r\nconnection: close\r\n\r\n${body}`,
    );
  }

  start(): never {
    throw new Error('a refused request has no stream of answers');
  }

  write(): never {
    throw new Error('a refused request has no stream of answers');
  }

  takeWhole(): never {
    throw new Error('a refused request has no body');
  }

  read(): never {
    throw new Error('a refused request has no body');
  }

  chunks(): never {
    throw new Error('a refused request has no body');
  }

  pause(): void {}

  end(): void {}

  onAbort(): void {}
}
