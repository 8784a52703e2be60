import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AppError } from '../../domain/errors.ts';
import { AccessService, Action } from '../../gen/propusk/access/v1/access_service_pb.js';
import { readRequest } from './request.ts';
import { Router } from './router.ts';

const match = new Router([AccessService]).match('POST', '/access/v1/check');
assert.ok('binding' in match);

/** The request, or what is wrong with it. */
function read(text: string, query = ''): unknown {
  assert.ok('binding' in match);
  try {
    return readRequest(match, query, Buffer.from(text));
  } catch (error) {
    assert.ok(error instanceof AppError);
    return { message: error.message, violations: error.options.violations };
  }
}

const NAMES = [
  'token',
  'account_id',
  'accountId',
  'action',
  'mic',
  'quote_level',
  'quoteLevel',
  'x',
];
const VALUES = [
  ...['', 'a', 'ACTION_TRADE', 'ACTION_UNSPECIFIED', 'QUOTE_LEVEL_DEPTH_OF_BOOK', 'NOWHERE'],
  ...[0, 1, 2, 9, -1, true, false, null, [], {}],
];

test('a plain body is read as by the reader that looks at each letter', () => {
  const members = fc.array(fc.tuple(fc.constantFrom(...NAMES), fc.constantFrom(...VALUES)), {
    maxLength: 4,
  });
  fc.assert(
    fc.property(members, (list) => {
      const texts = list.map(
        ([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`,
      );
      const text = `{${texts.join(', ')}}`;
      // What is escaped is the same, and is not plain any more.
      const escaped = text.replace(/"([a-z])/, (_, letter: string) => {
        return `"\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`;
      });
      assert.deepEqual(read(text), read(escaped));
    }),
    { numRuns: 2000 },
  );
});

test('enums are read by their names', () => {
  const text = '{"token": "a", "action": "ACTION_TRADE", "quoteLevel": "QUOTE_LEVEL_UNSPECIFIED"}';
  const { token, action, quoteLevel } = read(text) as Record<string, unknown>;
  assert.deepEqual(
    { token, action, quoteLevel },
    { token: 'a', action: Action.TRADE, quoteLevel: 0 },
  );
});

test('a strict method takes no query beside its body', () => {
  assert.match(String((read('{"token": "a"}', 'a=b') as AppError).message), /take the query away/);
});
