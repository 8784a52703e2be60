import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AuthService } from '../gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { deadlinesOf, parseDeadline } from './deadline.ts';
import type { PerMethod } from './method-name.ts';

const { auth, tokenDetails, subscribeJwtRenewal } = AuthService.method;

function read(...texts: readonly string[]): PerMethod[] {
  return texts.map((text) => {
    const one = parseDeadline(text, [AuthService]);
    assert.ok(typeof one !== 'string', String(one));
    return one;
  });
}

test('ten seconds, or what a setting says: its own before all, the last of them', () => {
  const each = (...texts: readonly string[]) =>
    [auth, tokenDetails].map(deadlinesOf(read(...texts)));
  assert.deepEqual(each(), [10_000, 10_000]);
  assert.deepEqual(each('500'), [500, 500]);
  assert.deepEqual(each('Auth=50'), [50, 10_000]);
  assert.deepEqual(each('Auth=50', '500'), [50, 500]);
  assert.deepEqual(
    each('grpc.tradeapi.v1.auth.AuthService/Auth=50', '500', 'Auth=70', '600'),
    [70, 600],
  );
});

test('a stream has none', () => {
  const deadlineOf = deadlinesOf(read('1'));
  assert.equal(deadlineOf(subscribeJwtRenewal), 2 ** 31 - 1);
  const told = parseDeadline('SubscribeJwtRenewal=500', [AuthService]);
  assert.match(String(told), /"SubscribeJwtRenewal=500" names a stream/);
});

test('what is no deadline is told in a sentence that helps', () => {
  for (const text of [
    '',
    '0',
    '-1',
    '1.5',
    '1e3',
    '2147483648',
    'Auth',
    'Auth=',
    'Auth=0',
    '10s',
  ]) {
    assert.match(String(parseDeadline(text, [AuthService])), /is not METHOD=MS or MS, /, text);
  }
  assert.match(
    String(parseDeadline('Nothing=5', [AuthService])),
    /names no method; there are Auth/,
  );
});
