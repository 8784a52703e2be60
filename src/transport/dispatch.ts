/** Decides, from the head of a request alone, which codec takes it. */
import type { DescMethod, DescService } from '@bufbuild/protobuf';
import { AppError } from '../domain/errors.ts';
import type { TrustedProxies } from '../domain/proxies.ts';
import type { CallHead, Metadata, Protocol } from '../pipeline/call.ts';
import type { Pipeline } from '../pipeline/pipeline.ts';
import { asAppError } from '../pipeline/status.ts';
import type { BodyLimits } from './body.ts';
import { Cors } from './cors.ts';
import type { ForwardAuth } from './forward-auth.ts';
import { flavourOf, GrpcExchange } from './grpc/grpc.ts';
import type { HttpExchange } from './http.ts';
import { MaskedPaths } from './masked-path.ts';
import type { PlainRoutes } from './plain.ts';
import { RestExchange } from './rest/rest.ts';
import { Router } from './rest/router.ts';
import { parseTimeout } from './timeout.ts';

export interface DispatchOptions {
  readonly pipeline: Pipeline;
  readonly services: readonly DescService[];
  /** Pages that are no calls, such as /healthz. */
  readonly plain: PlainRoutes;
  readonly limits: BodyLimits;
  /** Origins whose pages may call us. */
  readonly corsOrigins: readonly string[];
  /** What proxies ask here; undefined: nothing. */
  readonly forwardAuth?: ForwardAuth;
  /** Those whose word is taken on where a request came from; undefined: nobody's. */
  readonly proxies?: TrustedProxies;
}

/** Hands every request to its codec, and that to the pipeline. */
export class Dispatch {
  readonly #options: DispatchOptions;
  readonly #router: Router;
  readonly #cors: Cors;
  /** By path: `/package.Service/Method`. */
  readonly #methods = new Map<string, DescMethod>();
  readonly #paths: MaskedPaths;

  constructor(options: DispatchOptions) {
    this.#options = options;
    this.#router = new Router(options.services);
    this.#cors = new Cors(options.corsOrigins);
    for (const service of options.services) {
      for (const method of service.methods) {
        this.#methods.set(`/${service.typeName}/${method.name}`, method);
      }
    }
    const paths = [...this.#methods.keys(), ...options.plain.keys(), ...this.#router.literals()];
    this.#paths = new MaskedPaths(paths);
  }

  handle(http: HttpExchange): void {
    try {
      this.#handle(http);
    } catch (error) {
      this.refuse(http, asAppError(error));
    }
  }

  #handle(http: HttpExchange): void {
    const path = pathOf(http);
    if (this.#options.forwardAuth?.takes(http, path)) return;
    if (this.#cors.answered(http)) return;
    const flavour =
      http.verb === 'POST' ? flavourOf(http.headers['content-type'] ?? '') : undefined;
    if (flavour !== undefined) {
      this.#grpc(http, path, flavour);
    } else if (!this.#page(http, path)) {
      this.#rest(http, path);
    }
  }

  #grpc(http: HttpExchange, path: string, protocol: 'grpc' | 'grpc-web'): void {
    if (protocol === 'grpc' && http.version === 1) {
      const message = 'gRPC needs HTTP/2; over HTTP/1.1 speak gRPC-Web or REST';
      this.#refuse(http, path, new AppError('ENCODING_UNSUPPORTED', message));
      return;
    }
    const method = this.#methods.get(path);
    const { head, flaw } = this.#headOf(http, path, protocol, method);
    const exchange = new GrpcExchange(http, head, this.#options.limits);
    this.#options.pipeline.handle(exchange, flaw);
  }

  #page(http: HttpExchange, path: string): boolean {
    if (http.verb !== 'GET' && http.verb !== 'HEAD') return false;
    const make = this.#options.plain.get(path);
    if (make === undefined) return false;
    Promise.try(make)
      .then(({ status, headers, body }) => http.send(status, headers, body))
      .catch((error) => this.#refuse(http, path, asAppError(error)));
    return true;
  }

  #rest(http: HttpExchange, path: string): void {
    const match = this.#router.match(http.verb, path);
    if ('binding' in match) {
      const { method } = match.binding;
      const { head, flaw } = this.#headOf(http, path, 'rest', method);
      const exchange = new RestExchange(http, head, this.#options.limits, match);
      this.#options.pipeline.handle(exchange, flaw);
      return;
    }
    const allowed = this.#options.plain.has(path) ? ['GET', 'HEAD', ...match] : match;
    if (allowed.length > 0) {
      const message = `this path takes ${allowed.join(', ')}`;
      const error = new AppError('VERB_NOT_ALLOWED', message);
      this.#refuse(http, path, error, ['allow', allowed.join(', ')]);
    } else if (this.#methods.has(path)) {
      const message = 'this is a gRPC method; POST application/grpc or application/grpc-web+proto';
      this.#refuse(http, path, new AppError('CONTENT_TYPE_UNSUPPORTED', message));
    } else {
      this.#refuse(http, path, new AppError('ROUTE_NOT_FOUND', 'there is nothing at this path'));
    }
  }

  /** Answers a request that reached no method. */
  refuse(http: HttpExchange, error: AppError): void {
    this.#refuse(http, pathOf(http), error);
  }

  #refuse(http: HttpExchange, path: string, error: AppError, headers: Metadata = []): void {
    const { head } = this.#headOf(http, path, 'rest', undefined);
    const exchange = new RestExchange(http, head, this.#options.limits, undefined, headers);
    this.#options.pipeline.handle(exchange, error);
  }

  /** What the pipeline knows of a call from its head, and what is wrong with that head. */
  #headOf(
    http: HttpExchange,
    path: string,
    protocol: Protocol,
    method: DescMethod | undefined,
  ): { head: CallHead; flaw?: AppError } {
    const { headers, remoteAddress: peer } = http;
    const remoteAddress = this.#options.proxies?.remoteAddressOf(peer, headers) ?? peer;
    let timeoutMs: number | undefined;
    let flaw: AppError | undefined;
    try {
      timeoutMs = parseTimeout(headers['grpc-timeout']);
    } catch (error) {
      flaw = error as AppError;
    }
    // Of a method that there is nothing is logged but its name, and to mask takes long.
    const shown = method === undefined ? this.#paths.mask(path) : method.name;
    const head = { protocol, method, path: shown, headers, remoteAddress, timeoutMs };
    return flaw === undefined ? { head } : { head, flaw };
  }
}

/** The target's path, without its query. */
function pathOf({ target }: HttpExchange): string {
  const at = target.indexOf('?');
  return at === -1 ? target : target.slice(0, at);
}
