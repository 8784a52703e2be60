/**
 * Targets of requests in the one form that all programs read alike. Who asks about a request that
 * another program will answer must be sure that it is the same request: what one program decodes,
 * collapses or cuts off and another does not is refused here, not repaired.
 */

/** Longer targets are refused by most servers. */
export const TARGET_CHARACTERS_MAX = 4096;

export interface RequestTarget {
  /** As it was sent: `/v1/accounts/TRQD05%3A146559`. */
  readonly path: string;
  /** Without its question mark; empty where there is none. */
  readonly query: string;
}

/** What a path has by its letter (RFC 3986), but for the semicolon, which some take for its end. */
const PATH = /^\/[A-Za-z0-9\-._~!$&'()*+,=:@%/]*$/;
/** A query ends nowhere but at its end, and holds neither blanks nor what not all can read. */
const QUERY = /^[\x21-\x22\x24-\x7e]*$/;
const ENCODED = /%(?:[0-9A-Fa-f]{2})?/g;
/**
 * What must stand there by its letter, or not at all: to decode it makes it another path. The i with a
 * dot and the one without are the usual one to some who do not tell capital letters from small ones.
 */
const NEVER_ENCODED = /[A-Za-z0-9\-._~/\\%;?\u0130\u0131\p{C}]/u;

/**
 * Reads a target in origin form, `/path?query`.
 * @returns the target, or one sentence that says what is wrong with it
 */
export function readRequestTarget(text: string): RequestTarget | string {
  if (text.length > TARGET_CHARACTERS_MAX) {
    return `the URI has more than ${TARGET_CHARACTERS_MAX} characters`;
  }
  const at = text.indexOf('?');
  const path = at === -1 ? text : text.slice(0, at);
  const query = at === -1 ? '' : text.slice(at + 1);
  if (!path.startsWith('/')) return 'the URI is not a path, from its slash on';
  if (!PATH.test(path)) return 'the path has a character that must be encoded, or a semicolon';
  if (!QUERY.test(query)) return 'the query has a character that must be encoded';
  const segments = path.slice(1).split('/');
  if (path !== '/' && segments.includes('')) return 'the path has an empty segment';
  return segments.map(flawOfSegment).find((flaw) => flaw !== undefined) ?? { path, query };
}

/**
 * A path of a target, or a part of one, as it is to whoever decodes it before it is looked at, and does
 * not tell capital letters from small ones.
 */
export function readLoosely(text: string): string {
  return (text.includes('%') ? decodeURIComponent(text) : text).toLowerCase();
}

function flawOfSegment(segment: string): string | undefined {
  if (segment === '.' || segment === '..') return 'the path has a dot segment';
  const encoded: readonly string[] = segment.match(ENCODED) ?? [];
  if (encoded.length === 0) return undefined;
  if (encoded.includes('%')) return 'the path has a broken percent-encoding';
  let text: string;
  try {
    text = decodeURIComponent(segment);
    // Runs of encoded bytes alone, since a character may take several.
    const runs = segment.match(/(?:%[0-9A-Fa-f]{2})+/g) ?? [];
    if (runs.some((run) => NEVER_ENCODED.test(decodeURIComponent(run)))) {
      return 'the path encodes what may not be encoded';
    }
  } catch {
    return 'the path is no UTF-8';
  }
  // A wide solidus is one to programs that compare texts by what they look like.
  const isPlain = text.normalize('NFKC') === text && text.trim() === text;
  return isPlain ? undefined : 'the path has characters that are others in another form';
}
