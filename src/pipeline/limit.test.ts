import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AuthService } from '../gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { limitedMethods, parseLimit } from './limit.ts';
import type { PerMethod } from './method-name.ts';

const { auth, tokenDetails, subscribeJwtRenewal } = AuthService.method;

test('a limit of one method, by its short or full name, or of all', () => {
  for (const [text, method, number] of [
    ['TokenDetails=1000', tokenDetails, 1000],
    ['grpc.tradeapi.v1.auth.AuthService/Auth=1', auth, 1],
    ['1000000000', undefined, 1e9],
  ] as const) {
    assert.deepEqual(parseLimit(text, [AuthService]), { method, number }, text);
  }
});

test('what is no limit is told in a sentence that helps', () => {
  for (const text of [
    '',
    'TokenDetails',
    'TokenDetails=',
    'Auth=0',
    'Auth=-1',
    'Auth=1.5',
    '1e3',
  ]) {
    assert.match(String(parseLimit(text, [AuthService])), /is not METHOD=CALLS or CALLS/, text);
  }
  const unknown = parseLimit('Nothing=5', [AuthService]);
  assert.match(String(unknown), /"Nothing=5" names no method; there are Auth, TokenDetails/);
});

test('the contract says 200; a setting says otherwise, the last of them, its own before all', () => {
  const limits = (...settings: PerMethod[]) =>
    [auth, tokenDetails, subscribeJwtRenewal].map(
      (method) => limitedMethods([AuthService], settings).get(method)?.callsMax,
    );
  assert.deepEqual(limits(), [200, 200, 200]);
  const all = { method: undefined, number: 7 };
  assert.deepEqual(limits({ method: auth, number: 5 }, all), [5, 7, 7]);
  assert.deepEqual(limits(all, { method: undefined, number: 9 }), [9, 9, 9]);
});

test('two methods of one name would share one limit, and are not let in', () => {
  // Options are read off the proto, which the copies share.
  const methods = AuthService.methods.map((method) => ({ ...method }));
  const other = { ...AuthService, methods };
  assert.throws(() => limitedMethods([AuthService, other], []), /share one limit/);
});
