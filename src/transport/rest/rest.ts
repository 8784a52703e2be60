/** REST: JSON in, JSON out, one unary method per route. */
import type { Message } from '@bufbuild/protobuf';
import { type AppError, httpStatusOf } from '../../domain/errors.ts';
import { StatusSchema } from '../../gen/google/rpc/status_pb.js';
import type { Call, CallHead, Exchange, Metadata } from '../../pipeline/call.ts';
import type { Held } from '../../pipeline/request-memory.ts';
import { detailRegistry, oncePerError, statusOf } from '../../pipeline/status.ts';
import { type BodyLimits, readBody } from '../body.ts';
import { type HttpExchange, JSON_HEADERS } from '../http.ts';
import { jsonOf, jsonOfField } from './answer.ts';
import { readRequest } from './request.ts';
import type { Match } from './router.ts';

/** Carries one REST call. `match` is undefined when the route was refused already. */
export class RestExchange implements Exchange {
  readonly head: CallHead;
  readonly #http: HttpExchange;
  readonly #limits: BodyLimits;
  readonly #match: Match | undefined;
  readonly #errorHeaders: Metadata;
  readonly #held: Held;
  #answer = '';

  constructor(
    http: HttpExchange,
    head: CallHead,
    limits: BodyLimits,
    match: Match | undefined,
    errorHeaders: Metadata = [],
  ) {
    this.head = head;
    this.#http = http;
    this.#limits = limits;
    this.#match = match;
    this.#errorHeaders = errorHeaders;
    this.#held = limits.memory.open(head.remoteAddress);
  }

  readOne(): Message | Promise<Message> {
    const match = this.#match;
    if (match === undefined) throw new Error('a refused route has no request');
    const { target } = this.#http;
    const at = target.indexOf('?');
    const query = at === -1 ? '' : target.slice(at + 1);
    return readBody(this.#http, this.#limits, this.#held, (body) =>
      readRequest(match, query, body),
    );
  }

  readAll(): AsyncIterable<Message> {
    throw new Error('REST has no streams');
  }

  write(message: Message): undefined {
    const { method, responseBody } = this.#match?.binding ?? {};
    if (method === undefined) throw new Error('a refused route has no answer');
    this.#answer =
      responseBody === undefined || responseBody === ''
        ? jsonOf(method.output, message)
        : jsonOfField(method.output, message, responseBody);
    return undefined;
  }

  finish(call: Call, error: AppError | undefined): void {
    this.#held.release();
    const common = [
      ...JSON_HEADERS,
      ...['x-request-id', call.requestId],
      ...call.quotaHeaders,
      ...call.responseHeaders,
      ...call.responseTrailers,
    ];
    if (error === undefined) {
      this.#http.send(200, common, this.#answer);
      return;
    }
    common.push(...retryHeaders(error), ...this.#errorHeaders);
    this.#http.send(httpStatusOf(error.reason), common, statusJson(error));
  }

  onAbort(listener: () => void): void {
    this.#http.onAbort(listener);
  }
}

/** When to try again, where that makes sense. */
export function retryHeaders({ retryAfterMs }: AppError): Metadata {
  if (retryAfterMs === undefined) return [];
  return ['retry-after', String(Math.ceil(retryAfterMs / 1000))];
}

/** The body of every error. */
export const statusJson = oncePerError((error) =>
  jsonOf(StatusSchema, statusOf(error), detailRegistry),
);
