/**
 * The code samples of the API's own documents, which lie in documents/ as they were handed out, and
 * the putting in of values: what a reader of the documents does before he runs one.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

const KEPT = path.join(import.meta.dirname, 'documents');
/** Where the documents lie beside a checkout, they are the originals. */
const ORIGINALS = path.join(import.meta.dirname, '..', '..', '..', 'shared', 'seeds');

/** A document of the API, such as `rest-token-details.md`. */
export function documentOf(name: string): string {
  const kept = readFileSync(path.join(KEPT, name), 'utf8');
  const original = path.join(ORIGINALS, name);
  const isSame = !existsSync(original) || kept === readFileSync(original, 'utf8');
  assert.ok(isSame, `${original} is no longer what is kept here`);
  return kept;
}

/** The code under a heading of a document, word for word. */
export function sampleOf(document: string, heading: string): string {
  const [, code] =
    new RegExp(`^### ${heading}\n\n\`\`\`\\w+\n(.*?)\n\`\`\``, 'ms').exec(document) ?? [];
  assert.ok(code, `no sample under ${heading}`);
  return code;
}

/** The part of a sample that signs in: it leaves the token in `token` or `TOKEN`. */
export function signInOf(sample: string): string {
  return sample.slice(0, sample.lastIndexOf('\n\n'));
}

/** What stands in a sample for the reader's own. */
export interface Own {
  /** `HOST:PORT` */
  readonly authority: string;
  readonly secret: string;
  readonly accountId?: string;
  readonly token?: string;
}

/** The text with the reader's own put in. */
export function withOwn(
  text: string,
  { authority, secret, accountId = '', token = '' }: Own,
): string {
  return text
    .replaceAll('api.finam.ru:443', authority)
    .replaceAll('api.finam.ru', authority)
    .replaceAll('YOUR_API_TOKEN', secret)
    .replaceAll('YOUR_ACCOUNT_ID', accountId)
    .replaceAll('eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9...', token);
}

/**
 * Values of an order by their names; of a decimal its text. What a name is not given for stays as it
 * is, and null is nothing: a field that the order's type does not have.
 */
export interface Values {
  readonly [name: string]: string | null | Values;
}

/**
 * The sample with other values in the literals of its order: those alone change, not its fields, nor
 * how its language writes them. Placeholders of nested values (`{"value": "string"}`, the one leg in
 * `[{...}]` or `{"0": {...}}`) are filled in where they stand.
 * @param nothing what the language writes for nothing: null, None
 */
export function withValues(sample: string, values: Values, nothing: string): string {
  let text = sample;
  for (const [name, value] of Object.entries(values)) {
    const [start, end] = literalAt(text, name);
    const literal = filled(text.slice(start, end), value, nothing);
    text = text.slice(0, start) + literal + text.slice(end);
  }
  return text;
}

function filled(literal: string, value: string | null | Values, nothing: string): string {
  if (value === null) return nothing;
  if (typeof value !== 'string') return withValues(literal, value, nothing);
  // The last text in it: the whole of a plain one, the value of a decimal.
  const text = /(["'])[^"']*\1(?=[^"']*$)/;
  assert.match(literal, text);
  return literal.replace(text, (_, quote) => `${quote}${value}${quote}`);
}

/** Where the literal begins and ends that follows the first key of this name. */
function literalAt(text: string, name: string): [number, number] {
  const key = new RegExp(`(["'])${name}\\1\\s*(?::|=>)\\s*`).exec(text);
  assert.ok(key, `the sample has no ${name}`);
  const start = key.index + key[0].length;
  let depth = 0;
  for (const part of text.slice(start).matchAll(/(["'])[^"']*\1|[[{]|[\]}]/g)) {
    if (/^[[{]/.test(part[0])) depth += 1;
    if (/^[\]}]/.test(part[0])) depth -= 1;
    if (depth === 0) return [start, start + part.index + part[0].length];
  }
  assert.fail(`the literal of ${name} has no end`);
}
