/** Paths that fit a route's template, or nearly do. */
import type { DescField, DescMessage, DescMethod } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { encoded } from './encoded.ts';
import { ODD_SEGMENTS } from './odd.ts';
import { mostly, texts, textsOf } from './values.ts';

type Texts = fc.Arbitrary<string>;

export interface Route {
  readonly method: DescMethod;
  readonly verb: string;
  readonly path: string;
  readonly body: string;
}

/** The field at a path such as `item.id`. */
export function fieldAt(message: DescMessage, path: string): DescField {
  const [name, ...rest] = path.split('.');
  const field = message.fields.find((each) => each.name === name);
  if (field === undefined) throw new Error(`${message} has no ${path}`);
  if (rest.length === 0 || field.message === undefined) return field;
  return fieldAt(field.message, rest.join('.'));
}

const BARE_IN_PATH = /[!$&'()*+,:=@;]/;
function segments(values: Texts): Texts {
  return mostly(
    values.chain((text) => encoded(text, BARE_IN_PATH)),
    fc.constantFrom(...ODD_SEGMENTS),
    5,
  );
}

/** A path that fits the route's template, or nearly does. */
export function paths({ path, method }: Route): Texts {
  const parts: Texts[] = [];
  let from = 0;
  for (const found of path.matchAll(/\{([\w.]+)(?:=([^}]*))?\}/g)) {
    const [whole, name = '', pattern = '*'] = found;
    parts.push(fc.constant(path.slice(from, found.index)));
    const values = textsOf(fieldAt(method.input, name));
    for (const [i, piece] of pattern.split('/').entries()) {
      if (i > 0) parts.push(fc.constant('/'));
      if (piece === '*') parts.push(segments(values));
      else if (piece !== '**') parts.push(fc.constant(piece));
      else parts.push(fc.array(segments(texts), { maxLength: 3 }).map((all) => all.join('/')));
    }
    from = found.index + whole.length;
  }
  parts.push(fc.constant(path.slice(from)));
  const right = fc.tuple(...parts).map((all) => all.join(''));
  return mostly(right, right.chain(nearly), 12);
}

function nearly(path: string): Texts {
  const pieces = path.split('/');
  return fc.constantFrom(
    `${path}/`,
    `${path}/more`,
    `/${path}`,
    pieces.slice(0, -1).join('/'),
    path.replace('/v1', '/V1'),
    path.replace('/v1', '/%761'),
    path.replace('/v1/', '/v1//'),
    `${path}:close`,
    `${path}:open`,
    `${path}#part`,
    path.replaceAll('/', '%2F').replace('%2F', '/'),
  );
}
