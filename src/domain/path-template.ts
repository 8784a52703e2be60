/**
 * Path templates of google.api.http: `/v1/accounts/{account_id}/orders`, `/v1/{name=shelves/*}:close`.
 * Grammar: google/api/http.proto.
 */

/** One piece of a path: a literal, any one segment, or all that are left. */
type Segment = { readonly kind: 'literal'; readonly text: string } | { readonly kind: '*' | '**' };

interface Variable {
  /** A field path of the request, such as `order.id`. */
  readonly fieldPath: string;
  /** Which segments it takes: from, and up to but without. */
  readonly from: number;
  readonly to: number;
}

export interface PathTemplate {
  readonly segments: readonly Segment[];
  readonly variables: readonly Variable[];
  /** The custom verb after the last colon; empty when there is none. */
  readonly verb: string;
}

class TemplateReader {
  readonly segments: Segment[] = [];
  readonly variables: Variable[] = [];
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): PathTemplate {
    this.#expect('/');
    this.#segments(true);
    const verb = this.#take(':') ? this.#literal() : '';
    if (this.#at < this.#text.length) throw this.#flaw('expected the end');
    const deep = this.segments.findIndex((segment) => segment.kind === '**');
    if (deep !== -1 && deep !== this.segments.length - 1) throw this.#flaw('** must come last');
    return { segments: this.segments, variables: this.variables, verb };
  }

  #segments(mayHoldVariables: boolean): void {
    do {
      if (mayHoldVariables && this.#take('{')) this.#variable();
      else if (this.#take('**')) this.segments.push({ kind: '**' });
      else if (this.#take('*')) this.segments.push({ kind: '*' });
      else this.segments.push({ kind: 'literal', text: this.#literal() });
    } while (this.#take('/'));
  }

  #variable(): void {
    const fieldPath = /^[A-Za-z_][\w.]*/.exec(this.#text.slice(this.#at))?.[0];
    if (fieldPath === undefined) throw this.#flaw('expected a field name');
    this.#at += fieldPath.length;
    const from = this.segments.length;
    if (this.#take('=')) this.#segments(false);
    else this.segments.push({ kind: '*' });
    this.#expect('}');
    this.variables.push({ fieldPath, from, to: this.segments.length });
  }

  #literal(): string {
    const text = /^[^/{}*:=]+/.exec(this.#text.slice(this.#at))?.[0];
    if (text === undefined) throw this.#flaw('expected a literal');
    this.#at += text.length;
    return text;
  }

  #take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #expect(text: string): void {
    if (!this.#take(text)) throw this.#flaw(`expected ${text}`);
  }

  #flaw(what: string): Error {
    return new Error(`path template ${this.#text}: ${what} at ${this.#at}`);
  }
}

/** Reads a template; throws when it is not one. */
export function parsePathTemplate(text: string): PathTemplate {
  return new TemplateReader(text).read();
}

/** A template whose literals are others: `read` makes them of those that it has. */
export function withLiterals(
  { segments, variables, verb }: PathTemplate,
  read: (text: string) => string,
): PathTemplate {
  const changed = segments.map((segment) =>
    segment.kind === 'literal' ? { ...segment, text: read(segment.text) } : segment,
  );
  return { segments: changed, variables, verb: read(verb) };
}

/** Undoes percent-encoding; a variable of several segments keeps its encoded slashes apart. */
function decode(segment: string, isMulti: boolean): string {
  if (!segment.includes('%')) return segment;
  const guarded = isMulti ? segment.replace(/%(2f)/gi, '%25$1') : segment;
  return decodeURIComponent(guarded);
}

/**
 * The variables of a path that fits the template, by field path; undefined when it does not fit.
 * @param path without its query, as it was sent
 * @throws URIError when a variable's percent-encoding is broken
 */
export function matchPath(template: PathTemplate, path: string): Map<string, string> | undefined {
  if (!path.startsWith('/')) return undefined;
  let rest = path.slice(1);
  if (template.verb !== '') {
    if (!rest.endsWith(`:${template.verb}`)) return undefined;
    rest = rest.slice(0, -template.verb.length - 1);
    // A verb alone is no segment: there is nothing that it could be done to.
    if (rest === '' || rest.endsWith('/')) return undefined;
  }
  const parts = rest.split('/');
  const { segments } = template;
  const isDeep = segments.at(-1)?.kind === '**';
  if (isDeep ? parts.length < segments.length - 1 : parts.length !== segments.length) {
    return undefined;
  }
  const fits = segments.every((segment, i) => {
    if (segment.kind === 'literal') return parts[i] === segment.text;
    return segment.kind === '**' || parts[i] !== '';
  });
  if (!fits) return undefined;
  const values = new Map<string, string>();
  for (const { fieldPath, from, to } of template.variables) {
    const takesRest = isDeep && to === segments.length;
    const taken = parts.slice(from, takesRest ? undefined : to);
    const isMulti = to - from > 1 || takesRest;
    values.set(fieldPath, taken.map((part) => decode(part, isMulti)).join('/'));
  }
  return values;
}
