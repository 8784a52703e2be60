import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../../domain/errors.ts';
import { parseQuery } from './query.ts';

function parsed(query: string): unknown {
  return [...parseQuery(query)].map(({ names, key, values }) => [names.join('/'), key, values]);
}

test('names, values and the keys of maps', () => {
  const queries: [string, unknown][] = [
    ['', []],
    ['&&', []],
    ['a', [['a', undefined, ['']]]],
    ['=x', [['', undefined, ['x']]]],
    ['a=b=c', [['a', undefined, ['b=c']]]],
    ['a.b=1&a.b=2', [['a/b', undefined, ['1', '2']]]],
    ['a=+%2B%20+', [['a', undefined, [' +  ']]]],
    ['%61=%D1%8F', [['a', undefined, ['я']]]],
    ['m[k]=v', [['m', 'k', ['v']]]],
    ['m.n%5Bk%5D=v', [['m/n', 'k', ['v']]]],
    ['m[a][b]=v', [['m[a]', 'b', ['v']]]],
    ['m[]=v', [['m', '', ['v']]]],
    ['[k]=v', [['', 'k', ['v']]]],
    ['m]=v', [['m]', undefined, ['v']]]],
  ];
  for (const [query, expected] of queries) assert.deepEqual(parsed(query), expected, query);
});

test('what readers of queries read differently is refused', () => {
  for (const query of ['a=%', 'a=%zz', '%zz=a', 'a=%ff', 'a=%ED%A0%80', 'a=1;b=2', 'x&a;']) {
    assert.throws(() => parsed(query), AppError, query);
  }
});
