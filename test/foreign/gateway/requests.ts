/** Requests for every route of the wide contract, with paths, queries and bodies of all kinds. */
import { type DescField, type DescMessage, type DescMethod, getOption } from '@bufbuild/protobuf';
import fc from 'fast-check';
import type { Reason } from '../../../src/domain/errors.ts';
import { http as httpOption } from '../../../src/gen/google/api/annotations_pb.js';
import type { Asked } from './ask.ts';
import { brokenBodies, fieldJson, messageJson } from './bodies.ts';
import { WideService } from './server.ts';
import { mostly, texts, textsOf } from './values.ts';

type Texts = fc.Arbitrary<string>;

interface Route {
  readonly method: DescMethod;
  readonly verb: string;
  readonly path: string;
  readonly body: string;
}

/** Every route, read here anew: what is tested must not say what it is tested with. */
const ROUTES: readonly Route[] = WideService.methods.flatMap((method) => {
  const rule = getOption(method, httpOption);
  return [rule, ...rule.additionalBindings].map(({ pattern, body }) => {
    if (pattern.case === 'custom') {
      return { method, verb: pattern.value.kind, path: pattern.value.path, body };
    }
    return { method, verb: pattern.case?.toUpperCase() ?? '', path: pattern.value ?? '', body };
  });
});

function fieldAt(message: DescMessage, path: string): DescField {
  const [name, ...rest] = path.split('.');
  const field = message.fields.find((each) => each.name === name);
  if (field === undefined) throw new Error(`${message} has no ${path}`);
  if (rest.length === 0 || field.message === undefined) return field;
  return fieldAt(field.message, rest.join('.'));
}

/** Encodes more than it must, or in lower case. */
function encoded(text: string, mustKeep: RegExp): Texts {
  const plain = encodeURIComponent(text.toWellFormed());
  const every = [...Buffer.from(text)].map((b) => `%${b.toString(16).padStart(2, '0')}`).join('');
  const bare = plain.replace(/%[0-9A-F]{2}/g, (code) => {
    const character = String.fromCharCode(Number.parseInt(code.slice(1), 16));
    return mustKeep.test(character) ? character : code;
  });
  return fc.constantFrom(plain, plain, every, bare, plain.toLowerCase());
}

const BARE_IN_PATH = /[!$&'()*+,:=@;]/;
const BARE_IN_QUERY = /[!$'()*,:@/?[\]]/;

const oddSegments = fc.constantFrom(
  ...[
    '',
    '.',
    '..',
    '%2F',
    'a%2fb',
    '%25',
    '%2541',
    '%252F',
    '+',
    '%20',
    '*',
    '**',
    '{text}',
    '%00',
  ],
  ...[
    'a:b',
    'x:close',
    ':close',
    'x%3Aclose',
    ':',
    'a;b',
    'a=b',
    'known',
    'inner',
    '%ff',
    '%ED%A0%80',
  ],
  ...['%zz', '%', '%4', 'a%', '%E2%98', "'", '"', '<', '^', '`', '|', '\\'],
);

function segments(values: Texts): Texts {
  return mostly(
    values.chain((text) => encoded(text, BARE_IN_PATH)),
    oddSegments,
    5,
  );
}

/** A path that fits the route's template, or nearly does. */
function paths({ path, method }: Route): Texts {
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

/** A name of a field that a query may set, of either form, and of fields within fields. */
function names(message: DescMessage, depth: number): fc.Arbitrary<[string, DescField]> {
  return fc.constantFrom(...message.fields).chain((field): fc.Arbitrary<[string, DescField]> => {
    const name = fc.constantFrom(field.name, field.jsonName);
    const isFree = field.message?.typeName.startsWith('google.protobuf.') ?? true;
    if (isFree || depth === 0) return name.map((text) => [text, field]);
    const inner = names(field.message as DescMessage, depth - 1);
    return mostly(
      fc.tuple(name, inner).map(([text, [rest, last]]) => [`${text}.${rest}`, last]),
      name.map((text) => [text, field]),
      6,
    );
  });
}

const oddPairs = fc.constantFrom(
  ...[
    '',
    '&',
    '=',
    '=x',
    'a',
    'text',
    'text=',
    'unknown=1',
    'item.unknown=1',
    'text.more=x',
    'a;b=1',
  ],
  ...[
    'item.=x',
    '.=x',
    '.text=x',
    'item..id=x',
    'text=a;b',
    'text=%zz',
    '%zz=1',
    'text=%ff',
    '%ff=1',
  ],
  ...[
    'text=%',
    '__proto__=x',
    '__proto__.text=x',
    'texts[]=a',
    'texts[0]=a',
    'text[a]=b',
    'item[id]=x',
  ],
  ...[
    'items.id=x',
    'items=x',
    'item=x',
    'item=',
    'item={}',
    'unknown[a]=b',
    'text_by_text=a',
    '?text=a',
  ],
  ...[
    'text_by_text.a=b',
    'item_by_text[a].id=b',
    'item_by_text.a.id=b',
    'text=a%00b',
    'text=a=b',
    'constructor=1',
  ],
  ...[
    'text_by_text[a]=b',
    'textByText[a]=b&text_by_text[c]=d',
    'text_by_text[a]=b&text_by_text[a]=c',
  ],
  ...['text_by_text[]=b', 'text_by_text[a][b]=c', 'number_by_number[1]=2', 'number_by_number[x]=2'],
  ...[
    'real_by_flag[true]=1',
    'real_by_flag[1]=1.5',
    'color_by_number[1]=COLOR_RED',
    'item_by_text[a]={}',
  ],
  ...[
    'time_by_number[1]=2025-01-01T00:00:00Z',
    'raw_by_text[a]=AQ',
    'wrapped_text.value=a',
    'at.seconds=5',
  ],
  ...[
    'record.fields=1',
    'any_json.number_value=1',
    'left=a&right=1',
    'left=a&word=b',
    'shade=1&middle.id=a',
  ],
  ...[
    'middle.id=a&middle.amount=1',
    'word=a&word=b',
    'text=a&text=b',
    'item.id=a&item.id=b',
    'alias=a',
  ],
  ...[
    'is_on=true&isOn=true',
    'alias=a&renamed=b',
    'item.inner.inner.id=deep',
    'item.made_at=x',
    'nothing=',
  ],
  ...[
    'nothing={}',
    'nothing=1',
    'mask=text,item.id',
    'mask=',
    'mask=isOn',
    'mask=is_on',
    'lasting=1.5s',
  ],
  ...[
    'record={"a":1}',
    'record=[]',
    'any_json=1',
    'any_json="a"',
    'any_json=a',
    'any_list=[1]',
    'any_json=',
  ],
  ...['text_by_text=a&text_by_text=b', '[text]=a', 'text]=a', 'item.id[a]=b', 'items[0].id=x'],
);

/** The query of a request, with its question mark; empty often. */
function queries(message: DescMessage): Texts {
  const pair = names(message, 2).chain(([name, field]) => {
    const value = textsOf(field).chain((text) => encoded(text, BARE_IN_QUERY));
    const key =
      field.fieldKind === 'map'
        ? texts.map((k) => `${name}[${encodeURIComponent(k.toWellFormed())}]`)
        : fc.constant(name);
    const times =
      field.fieldKind === 'list' ? { minLength: 1, maxLength: 3 } : { minLength: 1, maxLength: 1 };
    return fc
      .tuple(key, fc.array(value, times))
      .map(([text, values]) =>
        values.map((each) => `${text}=${each.replaceAll('%20', '+')}`).join('&'),
      );
  });
  const pairs = fc.array(mostly(pair, oddPairs, 5), { minLength: 1, maxLength: 3 });
  return pairs.map((all) => `?${all.join('&')}`);
}

function bodies({ method, body }: Route): fc.Arbitrary<string | Uint8Array> {
  const { input } = method;
  if (body === '*') return mostly<string | Uint8Array>(messageJson(input), fc.constant(''));
  if (body === '')
    return mostly<string | Uint8Array>(
      fc.constant(''),
      fc.constantFrom('{', 'x', '{"text":"a"}', Buffer.of(0xff)),
      6,
    );
  return mostly<string | Uint8Array>(
    fieldJson(fieldAt(input, body)),
    fc.constantFrom('', ' ', '{}'),
  );
}

function requestsOf(route: Route): fc.Arbitrary<Asked> {
  const query = fc.oneof(fc.constant(''), queries(route.method.input));
  return fc.record({
    verb: fc.constant(route.verb),
    target: fc.tuple(paths(route), query).map(([path, text]) => path + text),
    body: bodies(route),
  });
}

function routeOf(verb: string, path: string): Route {
  const found = ROUTES.find((route) => route.verb === verb && route.path === path);
  if (found === undefined) throw new Error(`no route ${verb} ${path}`);
  return found;
}

/** Any route, whatever fits it. */
export const anyRequests: fc.Arbitrary<Asked> = fc
  .constantFrom(...ROUTES.filter(({ method }) => method.name !== 'Fail'))
  .chain((route) => requestsOf(route));

/** Verbs that the path does not know. */
export const wrongVerbs: fc.Arbitrary<Asked> = fc
  .tuple(anyRequests, fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'))
  .map(([asked, verb]) => ({ ...asked, verb }))
  // Go's HTTP server answers such a request with a body, which HEAD must not have.
  .filter(({ verb, target }) => verb !== 'HEAD' || !/%(?![0-9a-f]{2})/i.test(target));

/** Queries of the method whose fields they all may set. */
export const queryRequests: fc.Arbitrary<Asked> = queries(
  routeOf('GET', '/v1/wide').method.input,
).map((query) => ({ verb: 'GET', target: `/v1/wide${query}` }));

/** Bodies of the method that takes them whole. */
export const bodyRequests: fc.Arbitrary<Asked> = messageJson(
  routeOf('POST', '/v1/wide').method.input,
).map((body) => ({ verb: 'POST', target: '/v1/wide', body }));

export const brokenRequests: fc.Arbitrary<Asked> = fc
  .tuple(
    fc.constantFrom('/v1/wide', '/v1/wide/known', '/v1/answers/item'),
    brokenBodies(routeOf('POST', '/v1/wide').method.input),
  )
  .map(([target, body]) => ({ verb: 'POST', target, body }));

/** Bodies that are said to be something else than JSON. */
export const otherTypes: fc.Arbitrary<Asked> = fc
  .tuple(
    anyRequests,
    fc.constantFrom(
      ...['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'],
      ...['application/octet-stream', 'nonsense', 'a/b; c', 'application/json; charset=utf-16'],
    ),
  )
  .map(([asked, type]) => ({ ...asked, type }));

/** The reasons for which a service may refuse, and which have no HTTP status of their own. */
const REASONS: readonly Reason[] = [
  ...(['INVALID_REQUEST', 'SECRET_INVALID', 'TOKEN_INVALID', 'ACCOUNT_NOT_IN_TOKEN'] as const),
  ...([
    'RATE_LIMITED',
    'METHOD_NOT_FOUND',
    'INTERNAL',
    'UNAVAILABLE',
    'DEADLINE_EXCEEDED',
  ] as const),
  'CANCELLED',
];

/** What the service itself refuses. */
export const failureRequests: fc.Arbitrary<Asked> = fc
  .record(
    {
      reason: fc.constantFrom(...REASONS),
      // The gateway puts it into a header, as it is.
      message: fc.stringMatching(/^[ -~]*$/),
      metadata: fc.dictionary(texts, texts, { maxKeys: 2 }),
      fields: fc.array(texts, { maxLength: 2 }),
      limit_per_minute: fc.nat(),
      retry_after_ms: fc.nat(),
    },
    { requiredKeys: ['reason', 'message'] },
  )
  .map((body) => ({ verb: 'POST', target: '/v1/failures', body: JSON.stringify(body) }));
