/** Explanations over the network: of a key, of a token, and of one that does not work any more. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  MDPermission_QuoteLevel as QuoteLevel,
  type TokenDetailsResponse,
} from '../src/gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import {
  ExplainService,
  ExplainResponse_Outcome as Outcome,
  Finding_Verdict as Verdict,
} from '../src/gen/propusk/admin/v1/explain_service_pb.js';
import { KeyService } from '../src/gen/propusk/admin/v1/key_service_pb.js';
import { PlanService } from '../src/gen/propusk/admin/v1/plan_service_pb.js';
import { SessionService } from '../src/gen/propusk/admin/v1/session_service_pb.js';
import { SubscriptionService } from '../src/gen/propusk/admin/v1/subscription_service_pb.js';
import { AdministeredServer, type Administrator, makeClient, makeKey } from './administration.ts';
import { claimsOf, StepClock } from './steps.ts';

const clock = new StepClock();
const scene = await AdministeredServer.startWith({ clock });
after(() => scene[Symbol.asyncDispose]());
const { explain } = ExplainService.method;

/** A client with two plans, one for Russia and one for the whole world. */
async function signedIn(operator: Administrator) {
  const { id: clientId } = await makeClient(operator);
  const plans: string[] = [];
  for (const permission of [
    { quoteLevel: QuoteLevel.DEPTH_OF_BOOK, condition: { case: 'country' as const, value: 'RU' } },
    {
      quoteLevel: QuoteLevel.LAST_PRICE,
      delayMinutes: 15,
      condition: { case: 'worldwide' as const, value: true },
    },
  ]) {
    const plan = { name: 'P', permissions: [permission] };
    const { id: planId } = await operator.call(PlanService.method.createPlan, { plan });
    const { createSubscription } = SubscriptionService.method;
    await operator.call(createSubscription, { subscription: { clientId, planId } });
    plans.push(planId);
  }
  const key = await makeKey(operator, clientId);
  return { clientId, plans, key, token: await scene.outside.rest1.auth(key.secret) };
}

test('a key and its token are explained alike: what decides, and what does not', async () => {
  for (const client of scene.inside.all) {
    const operator = scene.as('operator', client);
    const { clientId, plans, key, token } = await signedIn(operator);
    const ofKey = { case: 'keyId', value: key.id } as const;
    const found = await operator.call(explain, { subject: ofKey, mic: '#RBRD' });
    const ofToken = { case: 'token', value: token } as const;
    assert.deepEqual(await operator.call(explain, { subject: ofToken, mic: '#RBRD' }), found);
    assert.deepEqual([found.keyId, found.clientId, found.refusal], [key.id, clientId, '']);
    assert.deepEqual([found.mic, found.country, found.continent], ['#RBRD', 'RU', 'EU']);
    assert.equal(found.outcome, Outcome.GRANTED);
    assert.deepEqual(
      found.findings.map(({ planId, verdict }) => [planId, verdict]),
      [
        [plans[0], Verdict.DECIDES],
        [plans[1], Verdict.LESS_SPECIFIC],
      ],
    );
    assert.ok(found.findings.every(({ why }) => why !== '') && found.why !== '');
    const { message } = await scene.outside.rest1.tokenDetails(token);
    assert.deepEqual(found.decision, permissionsFor(message, 'RU'));
    const world = await operator.call(explain, { subject: ofKey, mic: '#WWCP' });
    assert.deepEqual([world.country, world.continent], ['', '']);
    assert.deepEqual(world.decision, permissionsFor(message, true));
  }
});

function permissionsFor({ mdPermissions }: TokenDetailsResponse, value: string | boolean) {
  return mdPermissions.filter(({ condition }) => condition.value === value);
}

test('what does not work any more is refused, and still explained', async () => {
  const operator = scene.as('operator');
  const first = await signedIn(operator);
  const subject = { case: 'token', value: first.token } as const;
  const refusalOf = async () => {
    const found = await operator.call(explain, { subject, mic: 'MISX' });
    assert.equal(found.outcome, found.refusal === '' ? Outcome.GRANTED : Outcome.NOTHING);
    assert.equal(found.decision.length, found.refusal === '' ? 1 : 0);
    assert.equal(found.findings.length, 2);
    return found.refusal;
  };
  assert.equal(await refusalOf(), '');
  const { revokeSession } = SessionService.method;
  await operator.call(revokeSession, { id: claimsOf(first.token).jti });
  assert.equal(await refusalOf(), 'SESSION_REVOKED');
  clock.offsetMs += 3_600_000;
  assert.equal(await refusalOf(), 'TOKEN_EXPIRED');
  await operator.call(KeyService.method.revokeKey, { id: first.key.id });
  const ofKey = { case: 'keyId', value: first.key.id } as const;
  const revoked = await operator.call(explain, { subject: ofKey, mic: 'MISX' });
  assert.equal(revoked.refusal, 'KEY_REVOKED');
  assert.deepEqual([revoked.outcome, revoked.decision], [Outcome.NOTHING, []]);
});
