import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AuthService } from '../gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { type Fault, Faults, parseFault } from './faults.ts';

function parse(text: string): Fault {
  const fault = parseFault(text, [AuthService]);
  assert.equal(typeof fault, 'object', String(fault));
  return fault as Fault;
}

test('a fault by its code or its HTTP status, of a method by its short or full name', () => {
  const { tokenDetails } = AuthService.method;
  for (const [text, reason, probability] of [
    ['TokenDetails=UNAVAILABLE@0.1', 'UNAVAILABLE', 0.1],
    ['TokenDetails=unavailable', 'UNAVAILABLE', 1],
    ['TokenDetails=503@0', 'UNAVAILABLE', 0],
    ['TokenDetails=401@1', 'TOKEN_INVALID', 1],
    ['TokenDetails=404', 'ACCOUNT_NOT_IN_TOKEN', 1],
    ['TokenDetails=NOT_FOUND', 'ACCOUNT_NOT_IN_TOKEN', 1],
    ['grpc.tradeapi.v1.auth.AuthService/TokenDetails=429@.5', 'RATE_LIMITED', 0.5],
  ] as const) {
    assert.deepEqual(parse(text), { method: tokenDetails, reason, probability }, text);
  }
  assert.equal(parse('Auth=401').reason, 'SECRET_INVALID');
  assert.equal(parse('SubscribeJwtRenewal=UNAVAILABLE').reason, 'UNAVAILABLE');
});

test('what is no fault is told in a sentence that helps', () => {
  for (const [text, expected] of [
    ['', /is not METHOD=CODE@PROBABILITY/],
    ['TokenDetails', /is not METHOD=CODE@PROBABILITY/],
    ['TokenDetails=', /is not METHOD=CODE@PROBABILITY/],
    ['TokenDetails=500@', /is not METHOD=CODE@PROBABILITY/],
    ['TokenDetails=500@-1', /is not METHOD=CODE@PROBABILITY/],
    ['TokenDetails=500@1.5', /between 0 and 1/],
    ['TokenDetails=500@1.2.3', /between 0 and 1/],
    ['Nothing=500', /names no method; there are Auth, TokenDetails, SubscribeJwtRenewal/],
    ['tokenDetails=500', /names no method/],
    ['Auth=404', /Auth does not answer 404; it answers UNAUTHENTICATED \(401\)/],
    ['TokenDetails=418', /does not answer 418/],
    ['TokenDetails=OK', /does not answer OK/],
    ['TokenDetails=200', /does not answer 200/],
  ] as const) {
    const told = parseFault(text, [AuthService]);
    assert.equal(typeof told, 'string', text);
    assert.match(told as string, expected);
    assert.ok(!(told as string).includes('\n'));
  }
});

test('a fault comes as often as it is drawn, the first of them first', () => {
  let drawn = 0;
  const faults = new Faults(
    [parse('Auth=500@0.25'), parse('Auth=503@0.75'), parse('TokenDetails=504')],
    () => drawn,
  );
  const { auth, tokenDetails, subscribeJwtRenewal } = AuthService.method;
  const pick = (draw: number) => {
    drawn = draw;
    return faults.pick(auth)?.reason;
  };
  assert.equal(pick(0), 'INTERNAL');
  assert.equal(pick(0.24), 'INTERNAL');
  assert.equal(pick(0.25), 'UNAVAILABLE');
  assert.equal(pick(0.75), undefined);
  drawn = 0.999;
  assert.equal(faults.pick(tokenDetails)?.reason, 'DEADLINE_EXCEEDED');
  assert.equal(faults.pick(subscribeJwtRenewal), undefined);
});
