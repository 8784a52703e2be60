/** The request that a proxy asks about, out of the one by which it asks. */
import { AppError } from '../domain/errors.ts';
import { readRequestTarget } from '../domain/request-target.ts';
import type { HttpExchange } from './http.ts';

/** A path that takes other verbs. */
export class VerbNotAllowed extends AppError {
  /** As the header `allow` has them. */
  readonly allowed: string;

  constructor(verbs: readonly string[]) {
    const allowed = verbs.join(', ');
    super('VERB_NOT_ALLOWED', `this path takes ${allowed}`);
    this.allowed = allowed;
  }
}

/** What is asked about. */
export interface Asked {
  readonly verb: string;
  /** Without its query. */
  readonly path: string;
  /** Without its question mark. */
  readonly query: string;
}

/** Verbs of the question itself, where headers name those of the request. */
const VERBS = ['GET', 'POST'];
/** As methods are written: their case counts, and programs differ over those in small letters. */
const VERB = /^[A-Z][A-Z-]{0,31}$/;
const METHOD_HEADER = 'x-forwarded-method';
const URI_HEADER = 'x-forwarded-uri';

/**
 * By these some programs take a request for another one. Whoever asks with them has not said which
 * request it is; whoever lets them through to the program behind does not know which it will be.
 */
const OVERRIDES: ReadonlySet<string> = new Set([
  ...['x-http-method-override', 'x-method-override', 'x-http-method'],
  ...['x-original-method', 'x-original-uri', 'x-original-url', 'x-rewrite-url'],
  // These have a part of the path taken for where the program is, and cut off or put before it.
  ...['script-name', 'x-script-name', 'path-info', 'x-forwarded-prefix'],
]);

/** Must not be there twice: what one program reads of them another does not. */
const SINGLE = ['authorization', METHOD_HEADER, URI_HEADER];

/**
 * Reads what a proxy asks: by two headers at `here` itself (nginx, Traefik, Caddy), or by verb and path
 * of its own request below `here` (Envoy).
 * @param here such as `/authz`
 * @throws AppError INVALID_REQUEST, or VerbNotAllowed where the question itself has the wrong verb
 */
export function askedBy(http: HttpExchange, here: string): Asked {
  const names = http.rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
  // Some programs do not tell `_` from `-` in names of headers.
  const override = names.find((name) => OVERRIDES.has(name.replaceAll('_', '-')));
  if (override !== undefined) {
    throw invalid(`the header ${override} would make it another request; take it away`);
  }
  for (const name of SINGLE) {
    if (names.filter((each) => each === name).length > 1) throw invalid(`${name} is there twice`);
  }
  const below = http.target.slice(here.length);
  return below.startsWith('/') ? askedBelow(http, below) : askedByHeaders(http);
}

function askedBelow({ verb, headers }: HttpExchange, target: string): Asked {
  const isTwice = headers[METHOD_HEADER] !== undefined || headers[URI_HEADER] !== undefined;
  if (isTwice) {
    throw invalid(`the path names the request; ${METHOD_HEADER} and ${URI_HEADER} are too much`);
  }
  return checked(verb, target);
}

function askedByHeaders({ verb, headers }: HttpExchange): Asked {
  if (!VERBS.includes(verb)) throw new VerbNotAllowed(VERBS);
  const { [METHOD_HEADER]: method, [URI_HEADER]: uri } = headers;
  if (typeof method !== 'string' || typeof uri !== 'string') {
    throw invalid(`${METHOD_HEADER} and ${URI_HEADER} must name the request`);
  }
  return checked(method, uri);
}

function checked(verb: string, uri: string): Asked {
  if (!VERB.test(verb)) throw invalid('the method is not written in capital letters');
  const target = readRequestTarget(uri);
  if (typeof target === 'string')
    throw invalid(`${target}; another program could read another path`);
  return { verb, ...target };
}

function invalid(message: string): AppError {
  return new AppError('INVALID_REQUEST', message);
}
