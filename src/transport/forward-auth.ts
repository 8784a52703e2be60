/**
 * Forward-auth: a proxy asks, before it passes a request on, whether its caller may do that. The request
 * is one of the contract's, as far as its verb and path tell, and is let in as any other; only what is
 * behind it is elsewhere.
 */
import type { DescService, Message } from '@bufbuild/protobuf';
import { AppError, httpStatusOf } from '../domain/errors.ts';
import { parsePathTemplate, withLiterals } from '../domain/path-template.ts';
import type { TrustedProxies } from '../domain/proxies.ts';
import { readLoosely } from '../domain/request-target.ts';
import { QuoteLevelSchema } from '../gen/propusk/contract/v1/contract_pb.js';
import type { Call, CallHead, Exchange, Metadata } from '../pipeline/call.ts';
import type { Pipeline } from '../pipeline/pipeline.ts';
import { asAppError, oncePerError } from '../pipeline/status.ts';
import { type Asked, askedBy, VerbNotAllowed } from './forwarded-request.ts';
import { type HttpExchange, JSON_HEADERS } from './http.ts';
import { MaskedPaths } from './masked-path.ts';
import { readRequest } from './rest/request.ts';
import { retryHeaders, statusJson } from './rest/rest.ts';
import { type Match, Router } from './rest/router.ts';

/** Where proxies ask. */
export const FORWARD_AUTH_PATH = '/authz';

/** An answer holds for the request that it was asked for, and for no other. */
const COMMON_HEADERS: Metadata = ['cache-control', 'no-store'];
const NO_BODY = Buffer.alloc(0);

export interface ForwardAuthOptions {
  readonly pipeline: Pipeline;
  /** The rules, as services whose methods have routes: what the first list knows the others do not. */
  readonly rules: readonly (readonly DescService[])[];
  readonly proxies: TrustedProxies;
}

/** Answers proxies. */
export class ForwardAuth {
  readonly #options: ForwardAuthOptions;
  readonly #routes: Routes;
  /** The same for whoever reads loosely. */
  readonly #looseRoutes: Routes;
  /** Some route is another one to whoever reads loosely. */
  #hasLoose = false;
  readonly #paths: MaskedPaths;

  constructor(options: ForwardAuthOptions) {
    this.#options = options;
    this.#routes = new Routes(options.rules, parsePathTemplate);
    this.#looseRoutes = new Routes(options.rules, (text) =>
      withLiterals(parsePathTemplate(text), (literal) => {
        const loose = readLoosely(literal);
        this.#hasLoose ||= loose !== literal;
        return loose;
      }),
    );
    this.#paths = new MaskedPaths(this.#routes.literals());
  }

  /** Takes a request to this path; false for one that is not for here. */
  takes(http: HttpExchange, path: string): boolean {
    if (path !== FORWARD_AUTH_PATH && !path.startsWith(`${FORWARD_AUTH_PATH}/`)) return false;
    let asked: Asked | undefined;
    try {
      asked = askedBy(http, FORWARD_AUTH_PATH);
      this.#hand(http, asked, this.#matchOf(asked));
    } catch (error) {
      this.#hand(http, asked ?? { path, query: '' }, undefined, asAppError(error));
    }
    return true;
  }

  /** @throws AppError ROUTE_NOT_FOUND or VerbNotAllowed */
  #matchOf({ verb, path }: Asked): Match {
    const match = this.#routes.match(verb, path);
    if (!('binding' in match)) {
      if (match.length === 0) throw routeNotFound();
      throw new VerbNotAllowed(match);
    }
    const loose = readLoosely(path);
    if (loose === path && !this.#hasLoose) return match;
    // To the one behind, it may be another route: by its letter it is none that anybody means.
    const other = this.#looseRoutes.match(verb, loose);
    const isSame = 'binding' in other && other.binding.method === match.binding.method;
    if (!isSame) throw routeNotFound();
    return match;
  }

  #hand(
    http: HttpExchange,
    { path, query }: Pick<Asked, 'path' | 'query'>,
    match: Match | undefined,
    refusal?: AppError,
  ): void {
    const { headers, remoteAddress: peer } = http;
    const { proxies, pipeline } = this.#options;
    const head: CallHead = {
      protocol: 'forward-auth',
      method: match?.binding.method,
      path: this.#paths.mask(path),
      headers,
      remoteAddress: proxies.remoteAddressOf(peer, headers),
      // What the caller may wait is between it and those who answer it.
      timeoutMs: undefined,
    };
    pipeline.handle(new ForwardAuthExchange(http, head, match, query), refusal);
  }
}

function routeNotFound(): AppError {
  return new AppError('ROUTE_NOT_FOUND', 'there is nothing at this path');
}

/** The routes of several lists of services, the first of which that knows one counts. */
class Routes {
  readonly #routers: readonly Router[];

  constructor(rules: ForwardAuthOptions['rules'], read: typeof parsePathTemplate) {
    this.#routers = rules.map((services) => new Router(services, read));
  }

  literals(): string[] {
    return this.#routers.flatMap((router) => router.literals());
  }

  match(verb: string, path: string): Match | readonly string[] {
    const allowed = new Set<string>();
    for (const router of this.#routers) {
      const match = router.match(verb, path);
      if ('binding' in match) return match;
      for (const each of match) allowed.add(each);
    }
    return [...allowed].sort();
  }
}

/** Carries one question. `match` is undefined when it was refused already. */
class ForwardAuthExchange implements Exchange {
  readonly head: CallHead;
  readonly #http: HttpExchange;
  readonly #match: Match | undefined;
  readonly #query: string;

  constructor(http: HttpExchange, head: CallHead, match: Match | undefined, query: string) {
    this.head = head;
    this.#http = http;
    this.#match = match;
    this.#query = query;
  }

  /** What path and query tell. A body, if the proxy sends it at all, is for those who answer. */
  async readOne(): Promise<Message> {
    if (this.#match === undefined) throw new Error('a refused question has no request');
    return readRequest(this.#match, this.#query, NO_BODY);
  }

  readAll(): AsyncIterable<Message> {
    throw new Error('no route is a stream');
  }

  write(): undefined {}

  finish(call: Call, error: AppError | undefined): void {
    const common = [...COMMON_HEADERS, 'x-request-id', call.requestId];
    common.push(...call.quotaHeaders);
    if (error === undefined) {
      this.#http.send(200, [...common, ...callerHeaders(call)], '');
      return;
    }
    common.push(...JSON_HEADERS, 'x-propusk-error', asciiStatusJson(error));
    common.push(...retryHeaders(error));
    if (error instanceof VerbNotAllowed) common.push('allow', error.allowed);
    this.#http.send(httpStatusOf(error.reason), common, statusJson(error));
  }

  onAbort(listener: () => void): void {
    this.#http.onAbort(listener);
  }
}

/** The body of an error as a header can carry it: some proxies hand on no other part of a refusal. */
const asciiStatusJson = oncePerError((error) =>
  statusJson(error).replace(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  ),
);

/** Who calls, and what was looked at, for those who answer. */
function callerHeaders({ caller, access }: Call): Metadata {
  const headers: string[] = [];
  if (caller !== undefined) {
    const { grant, claims } = caller;
    headers.push('x-propusk-client', headerText(grant.clientId));
    if (claims !== undefined) headers.push('x-propusk-session', headerText(claims.sessionId));
    headers.push('x-propusk-readonly', String(grant.readonly));
  }
  const { accountId, permission } = access ?? {};
  if (accountId !== undefined) headers.push('x-propusk-account', headerText(accountId));
  if (permission !== undefined) {
    // Its levels have the names of the public contract's.
    const level = QuoteLevelSchema.values.find((each) => each.number === permission.quoteLevel);
    headers.push('x-propusk-quote-level', level?.name ?? '');
    headers.push('x-propusk-delay-minutes', String(permission.delayMinutes));
  }
  return headers;
}

/** Ids are plain words; should one ever not be, it is no second header. */
function headerText(text: string): string {
  return /^[\x21-\x7e]*$/.test(text) ? text : encodeURIComponent(text);
}
