/** The HTTP/1.1 server that the listener hands its sockets to. */
import type http from 'node:http';
import type { Socket } from 'node:net';
import { AppError } from '../domain/errors.ts';
import { sendAllDue } from './due-answers.ts';
import { Http1Exchange, type HttpExchange, ignore, RawExchange } from './http.ts';
import type { ConnectionLimits } from './limits.ts';

/**
 * Not by import: that loads whatever the module has getters for, a client for WebSockets among them,
 * which takes 16 MB and 50 ms.
 */
const { createServer } = process.getBuiltinModule('node:http');

export interface Http1Options {
  readonly limits: Pick<
    ConnectionLimits,
    'headerBytesMax' | 'headerMsMax' | 'requestMsMax' | 'idleMsMax'
  >;
  readonly handle: (exchange: HttpExchange) => void;
  /** Answers what is refused before there is a request to handle. */
  readonly refuse: (exchange: HttpExchange, error: AppError) => void;
  /** True once connections shall end with their next answer. */
  readonly isDraining: () => boolean;
}

/** Makes the server; it never listens itself. */
export function makeHttp1Server({ limits, handle, refuse, isDraining }: Http1Options): http.Server {
  const server = createServer({
    maxHeaderSize: limits.headerBytesMax,
    headersTimeout: limits.headerMsMax,
    requestTimeout: limits.requestMsMax,
    keepAliveTimeout: limits.idleMsMax,
    connectionsCheckingInterval: 1000,
    // Refused by us: Node's own refusal has neither a Status nor a line in the log.
    requireHostHeader: false,
  });
  /** The last answer that is under way on a socket: nothing may be written into it. */
  const answers = new WeakMap<object, http.ServerResponse<http.IncomingMessage>>();
  function forget(this: http.ServerResponse<http.IncomingMessage>) {
    const { socket } = this.req;
    if (answers.get(socket) === this) answers.delete(socket);
  }
  const take = (request: http.IncomingMessage, response: http.ServerResponse) => {
    // Another answer of this connection may be due: whether it is the last one shows when it has ended.
    if (answers.has(request.socket)) sendAllDue();
    // After its last answer a connection ends; what comes meanwhile Node takes before what still
    // waits for its turn, and an answer to it would end the process by an assertion.
    if (request.socket.writableEnded) return;
    answers.set(request.socket, response);
    response.on('close', forget);
    if (isDraining()) response.shouldKeepAlive = false;
    const exchange = new Http1Exchange(request, response);
    if (request.httpVersion === '1.1' && request.headers.host === undefined) {
      refuse(exchange, new AppError('INVALID_REQUEST', 'the request has no Host header'));
    } else {
      handle(exchange);
    }
  };
  server.on('connection', (socket: Socket) => {
    // Node's parser reads a socket by itself until somebody else listens. It pauses while the last answers
    // are not written yet; over TLS what is decrypted already comes all the same, and it gives the
    // connection up (HPE_PAUSED). With a listener the stream keeps what comes meanwhile.
    if ('encrypted' in socket) socket.on('data', ignore);
  });
  server.on('request', take);
  server.on('checkContinue', (request, response: http.ServerResponse) => {
    // Of an answer that waits for the one before it, Node would send this after its head. Nobody has
    // to wait for it.
    if (response.socket?.writable) response.writeContinue();
    take(request, response);
  });
  // An expectation that nobody knows is none.
  server.on('checkExpectation', take);
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (!socket.writable || error.code === 'ECONNRESET') return socket.destroy();
    sendAllDue();
    const answer = answers.get(socket);
    if (answer?.req.complete && !answer.headersSent) {
      // The fault is in what came after the request, whose own answer is still to be sent.
      answer.shouldKeepAlive = false;
    } else if (answer === undefined || isNext(answer)) {
      refuse(new RawExchange(socket as Socket), faultOf(error.code));
    } else {
      socket.destroy();
    }
  });
  server.on('connect', (_request, socket) => {
    sendAllDue();
    if (answers.has(socket)) return socket.destroy();
    const error = new AppError('VERB_NOT_ALLOWED', 'this server is no proxy: CONNECT is not taken');
    refuse(new RawExchange(socket as Socket), error);
  });
  // A stream of answers may rest for long; a peer that leaves what was sent unread may not, nor one
  // that asks for nothing more, nor one that has asked for so much behind a stream that it is not read
  // from any more, which keeps from us that it leaves. With a listener here Node itself closes none.
  server.setTimeout(limits.idleMsMax, (socket) => {
    if (socket.writableLength > 0 || !answers.has(socket) || socket.isPaused()) socket.destroy();
  });
  // Node watches for slow clients from this event on.
  server.emit('listening');
  return server;
}

/** True for an answer of which nothing was sent, and that waits for none before it. */
function isNext(answer: http.ServerResponse): boolean {
  return !answer.headersSent && answer.socket !== null;
}

/** The refusal of headers over the limit. */
export function headersTooLarge(): AppError {
  return new AppError('INVALID_REQUEST', 'the request headers are too large');
}

/** What Node's parser found wrong. */
function faultOf(code: string | undefined): AppError {
  if (code === 'HPE_HEADER_OVERFLOW') return headersTooLarge();
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new AppError('DEADLINE_EXCEEDED', 'the request did not arrive in time');
  }
  return new AppError('INVALID_REQUEST', 'this is not an HTTP/1.1 request');
}
