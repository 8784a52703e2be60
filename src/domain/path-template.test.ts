import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { matchPath, parsePathTemplate } from './path-template.ts';

function match(template: string, path: string): Record<string, string> | undefined {
  const values = matchPath(parsePathTemplate(template), path);
  return values && Object.fromEntries(values);
}

const literal = fc.stringMatching(/^[a-z][a-z0-9_.-]{0,8}$/);
const value = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 });

/** A piece of a template, with what a path has there and what its variable must then hold. */
interface Piece {
  readonly template: (name: string) => string;
  readonly path: string;
  readonly value: string | undefined;
}

const literalPiece = literal.map(
  (text): Piece => ({ template: () => text, path: text, value: undefined }),
);
const anyPiece = value.map(
  (text): Piece => ({
    template: () => '*',
    path: encodeURIComponent(text),
    value: undefined,
  }),
);
const variablePiece = fc.tuple(value, fc.boolean()).map(
  ([text, isLong]): Piece => ({
    template: (name) => (isLong ? `{${name}=*}` : `{${name}}`),
    path: encodeURIComponent(text),
    value: text,
  }),
);
/** `{name=shelves/*}`: its own slashes stay apart from those inside a segment. */
const multiPiece = fc.tuple(literal, value).map(
  ([text, inside]): Piece => ({
    template: (name) => `{${name}=${text}/*}`,
    path: `${text}/${encodeURIComponent(inside)}`,
    value: `${text}/${inside.replaceAll('/', '%2F')}`,
  }),
);
const restPiece = fc.array(value, { minLength: 1, maxLength: 4 }).map(
  (texts): Piece => ({
    template: (name) => `{${name}=**}`,
    path: texts.map(encodeURIComponent).join('/'),
    value: texts.map((text) => text.replaceAll('/', '%2F')).join('/'),
  }),
);

const route = fc
  .tuple(
    fc.array(fc.oneof(literalPiece, anyPiece, variablePiece, multiPiece), {
      minLength: 1,
      maxLength: 5,
    }),
    fc.option(restPiece),
    fc.option(fc.stringMatching(/^[a-z]{1,6}$/)),
  )
  .map(([pieces, rest, verb]) => {
    const all = rest === null ? pieces : [...pieces, rest];
    const named = all.map((piece, i) => ({ ...piece, name: `field${i}.inner` }));
    const end = verb === null ? '' : `:${verb}`;
    return {
      template: `/${named.map(({ template, name }) => template(name)).join('/')}${end}`,
      path: `/${named.map(({ path }) => path).join('/')}${end}`,
      values: Object.fromEntries(
        named.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]])),
      ),
      isDeep: rest !== null,
      end,
    };
  });

test('a path that was made from a template gives back what it was made of', () => {
  fc.assert(
    fc.property(route, ({ template, path, values }) => {
      assert.deepEqual(match(template, path), values, `${template} ${path}`);
    }),
    { numRuns: 1000 },
  );
});

test('a path with a segment more or less does not fit, but for **', () => {
  fc.assert(
    fc.property(route, ({ template, path, isDeep, end }) => {
      const bare = path.slice(0, path.length - end.length);
      if (!isDeep) {
        assert.equal(match(template, `${bare}/more${end}`), undefined);
        const less = bare.slice(0, bare.lastIndexOf('/'));
        if (less !== '') assert.equal(match(template, `${less}${end}`), undefined);
      }
      assert.equal(match(template, path.slice(1)), undefined, 'no slash at its start');
      if (end !== '') assert.equal(match(template, `${path}x`), undefined, 'another verb');
    }),
  );
});

test('any path is matched or not, or has broken percent-encoding', () => {
  const path = fc.string({ unit: fc.constantFrom(...'/v1ab%:.2fF é') });
  fc.assert(
    fc.property(route, path, ({ template }, text) => {
      try {
        const values = match(template, `/${text}`);
        assert.ok(values === undefined || typeof values === 'object');
      } catch (error) {
        assert.ok(error instanceof URIError, String(error));
      }
    }),
    { numRuns: 1000 },
  );
});

test('examples', () => {
  const order = '/v1/accounts/{account_id}/orders/{order_id}';
  assert.deepEqual(match(order, '/v1/accounts/TRQD05:146559/orders/7'), {
    account_id: 'TRQD05:146559',
    order_id: '7',
  });
  assert.deepEqual(match(order, '/v1/accounts/a%2Fb/orders/%D1%8F'), {
    account_id: 'a/b',
    order_id: 'я',
  });
  assert.equal(match(order, '/v1/accounts//orders/7'), undefined);
  assert.equal(match(order, '/v1/accounts/a/orders/'), undefined);
  assert.deepEqual(match('/v1/{name=shelves/*}:close', '/v1/shelves/a:close'), {
    name: 'shelves/a',
  });
  assert.equal(match('/v1/{name=shelves/*}:close', '/v1/shelves/a'), undefined);
  // Nothing to close.
  assert.equal(match('/v1/files/{rest=**}:close', '/v1/files/:close'), undefined);
  assert.equal(match('/{rest=**}:close', '/:close'), undefined);
  assert.deepEqual(match('/v1/{a}:close', '/v1/x:close:close'), { a: 'x:close' });
  assert.deepEqual(match('/v1/{a}/{rest=**}', '/v1/x%2Fy/p/q%2Fr/s%2ft'), {
    a: 'x/y',
    rest: 'p/q%2Fr/s%2ft',
  });
  assert.deepEqual(match('/v1/{rest=**}', '/v1'), { rest: '' });
  assert.deepEqual(match('/v1/sessions', '/v1/sessions'), {});
  assert.equal(match('/v1/sessions', '/v1/sessions/'), undefined);
});

test('what is no template is said to be none, and where', () => {
  for (const template of [
    '',
    'v1',
    '/',
    '/v1/',
    '/v1//a',
    '/v1/{}',
    '/v1/{a',
    '/v1/{1a}',
    '/v1/{a=}',
    '/v1/{a={b}}',
    '/v1/a}',
    '/v1/**/a',
    '/v1/{a=**}/b',
    '/v1/a:',
    '/v1/a:b:c',
    '/v1/{a b}',
  ]) {
    assert.throws(() => parsePathTemplate(template), /path template .* at \d+/, template);
  }
});
