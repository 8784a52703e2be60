import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { AppError } from '../domain/errors.ts';
import type { Grant } from '../domain/grant.ts';
import {
  AuthService,
  TokenDetailsRequestSchema,
} from '../gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { Admission } from '../grants/admission.ts';
import { admitter } from './admit.ts';
import { Authenticator } from './authenticate.ts';
import { Call, type CallHead } from './call.ts';
import { Limiter, limitedMethods } from './limit.ts';

const { tokenDetails } = AuthService.method;
const CLAIMS = { clientId: 'c', sessionId: 's', keyId: 'k', issuedAt: 1, expiresAt: 901 };

/** Lets calls of one token in over counters that answer when the test says so. */
function make() {
  const state = { refusal: null as Grant['refusal'], revoked: false, nowMs: 1000 };
  const asked: (() => void)[] = [];
  const admission = new Admission({
    reader: { read: () => CLAIMS },
    grants: {
      of: () => ({ keyId: 'k', clientId: 'c', refusal: state.refusal }),
      isSessionRevoked: () => state.revoked,
    },
    clock: { now: () => state.nowMs },
    tokensCachedMax: 1,
  } as never);
  const taken = { name: 'TokenDetails', limit: 200, remaining: 199, resetMs: 1, isAllowed: true };
  const take = () => new Promise((resolve) => asked.push(() => resolve(taken)));
  const limiter = new Limiter({ take } as never, limitedMethods([AuthService], []));
  const authenticator = new Authenticator(admission);
  const others = { access: {}, operatorAccess: {}, openServices: [] } as never;
  const admit = admitter({ ...(others as object), authenticator, limiter } as never);
  const call = new Call({ headers: {} } as CallHead, 'r');
  const request = create(TokenDetailsRequestSchema, { token: 't' });
  const admitted = Promise.resolve(admit(call, tokenDetails, () => request));
  return { state, asked, call, request, admitted };
}

/** Resolves when the counters were asked. */
async function askedOf({ asked }: ReturnType<typeof make>): Promise<() => void> {
  for (;;) {
    const [answer] = asked;
    if (answer !== undefined) return answer;
    await new Promise(setImmediate);
  }
}

test('a call is let in when the counters have answered', async () => {
  const made = make();
  const answer = await askedOf(made);
  answer();
  assert.equal(await made.admitted, made.request);
  assert.deepEqual(made.call.caller?.claims, CLAIMS);
});

test('what is taken away while the counters are asked is gone', async () => {
  const ways: [string, (state: ReturnType<typeof make>['state']) => void][] = [
    ['KEY_REVOKED', (state) => Object.assign(state, { refusal: 'KEY_REVOKED' })],
    ['SESSION_REVOKED', (state) => Object.assign(state, { revoked: true })],
    ['TOKEN_EXPIRED', (state) => Object.assign(state, { nowMs: 901_000 })],
  ];
  for (const [reason, takeAway] of ways) {
    const made = make();
    const answer = await askedOf(made);
    takeAway(made.state);
    answer();
    const error = await made.admitted.then(
      () => assert.fail('it was let in'),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof AppError, String(error));
    assert.deepEqual([error.reason, error.options.logReason], ['TOKEN_INVALID', reason]);
  }
});
