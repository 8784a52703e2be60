/** Queries: `a=1&b.c=2&words=x&words=y&map[key]=value`. */
import { AppError } from '../../domain/errors.ts';

/** One name of a query with all that it is set to. */
export interface Parameter {
  /** The path to the field, as the caller spelled it. */
  readonly names: readonly string[];
  /** What stands in brackets after it: the key of a map. */
  readonly key: string | undefined;
  readonly values: string[];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new AppError('INVALID_REQUEST', 'the query has a broken percent-encoding');
  }
}

/**
 * Takes a query apart.
 * @param query without its question mark
 * @throws AppError INVALID_REQUEST where readers of queries could differ in what they read
 */
export function parseQuery(query: string): Iterable<Parameter> {
  const parameters = new Map<string, Parameter>();
  // Once a separator as well, and still one to some: what stands behind it must not pass unseen.
  if (query.includes(';')) {
    throw new AppError('INVALID_REQUEST', 'the query has a bare semicolon; encode it as %3B');
  }
  for (const part of query.split('&')) {
    if (part === '') continue;
    const at = part.indexOf('=');
    const name = decode(at === -1 ? part : part.slice(0, at));
    const value = at === -1 ? '' : decode(part.slice(at + 1));
    const before = parameters.get(name);
    if (before !== undefined) {
      before.values.push(value);
      continue;
    }
    const bracket = name.endsWith(']') ? name.lastIndexOf('[') : -1;
    const path = bracket === -1 ? name : name.slice(0, bracket);
    const key = bracket === -1 ? undefined : name.slice(bracket + 1, -1);
    parameters.set(name, { names: path.split('.'), key, values: [value] });
  }
  return parameters.values();
}
