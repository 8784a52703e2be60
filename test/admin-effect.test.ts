/** What an operator changes holds when the change is answered: for tokens, streams and operators. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { after, test } from 'node:test';
import { MDPermission_QuoteLevel as QuoteLevel } from '../src/gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { AccountService } from '../src/gen/propusk/admin/v1/account_service_pb.js';
import { ClientService } from '../src/gen/propusk/admin/v1/client_service_pb.js';
import { KeyService } from '../src/gen/propusk/admin/v1/key_service_pb.js';
import { OperatorService } from '../src/gen/propusk/admin/v1/operator_service_pb.js';
import { PlanService } from '../src/gen/propusk/admin/v1/plan_service_pb.js';
import { SessionService } from '../src/gen/propusk/admin/v1/session_service_pb.js';
import { StatusService } from '../src/gen/propusk/admin/v1/status_service_pb.js';
import { SubscriptionService } from '../src/gen/propusk/admin/v1/subscription_service_pb.js';
import { UsageService } from '../src/gen/propusk/admin/v1/usage_service_pb.js';
import { Role } from '../src/gen/propusk/contract/v1/contract_pb.js';
import {
  AdministeredServer,
  Administrator,
  makeClient,
  makeKey,
  putOperator,
} from './administration.ts';
import { type Client, endOf, failureOf } from './clients/client.ts';
import { unique } from './start.ts';
import { claimsOf } from './steps.ts';

const scene = await AdministeredServer.start('--operator-failures-max=1000');
after(() => scene[Symbol.asyncDispose]());
const { inside, outside } = scene;
const { getStatus } = StatusService.method;

/** A key that is signed in, and the renewal streams that its secret has open. */
async function signedIn(operator: Administrator) {
  const client = await makeClient(operator);
  const key = await makeKey(operator, client.id);
  const token = await outside.rest1.auth(key.secret);
  const streams = outside.streaming.map((each) => each.renewal(key.secret));
  for (const stream of streams) await stream.next();
  return { client, key, token, streams };
}

async function assertNoToken(token: string): Promise<void> {
  for (const each of outside.all) {
    assert.equal((await failureOf(each.tokenDetails(token))).reason, 'TOKEN_INVALID', each.name);
  }
}

async function assertEnded(streams: readonly AsyncGenerator<string, void>[]): Promise<void> {
  for (const stream of streams) assert.equal((await endOf(stream)).reason, 'SECRET_INVALID');
}

/** Over each protocol that an operator may speak. */
function inEachInside(what: string, check: (operator: Administrator) => Promise<void>): void {
  for (const each of inside.all as readonly Client[]) {
    test(`${what}, over ${each.name}`, () => check(scene.as('operator', each)));
  }
}

inEachInside('a revoked key: no token, no secret, no stream', async (operator) => {
  const { key, token, streams } = await signedIn(operator);
  const revoked = await operator.call(KeyService.method.revokeKey, { id: key.id });
  await assertNoToken(token);
  assert.equal((await failureOf(outside.grpc.auth(key.secret))).reason, 'SECRET_INVALID');
  await assertEnded(streams);
  const again = await operator.call(KeyService.method.revokeKey, { id: key.id });
  assert.deepEqual(again, revoked, 'what was revoked stays as it was');
});

inEachInside('a deleted key: no token, no secret, no stream, no session', async (operator) => {
  const { key, token, streams } = await signedIn(operator);
  await operator.call(KeyService.method.deleteKey, { id: key.id });
  await assertNoToken(token);
  assert.equal((await failureOf(outside.grpc.auth(key.secret))).reason, 'SECRET_INVALID');
  await assertEnded(streams);
  const { getSession } = SessionService.method;
  const session = await operator.call(getSession, { id: claimsOf(token).jti });
  assert.ok(session.revokedAt !== undefined);
});

inEachInside('a deleted account: 404 for its tokens', async (operator) => {
  const { client, token, streams } = await signedIn(operator);
  await outside.rest1.tokenDetails(token);
  await operator.call(AccountService.method.deleteAccount, { id: client.account });
  for (const each of outside.all) {
    const failure = await failureOf(each.tokenDetails(token));
    assert.equal(failure.reason, 'ACCOUNT_NOT_IN_TOKEN');
    if (failure.httpStatus !== undefined) assert.equal(failure.httpStatus, 404);
  }
  await Promise.all(streams.map((stream) => stream.return()));
});

inEachInside('a revoked session: its token alone is over', async (operator) => {
  const { key, token, streams } = await signedIn(operator);
  const other = await outside.rest1.auth(key.secret);
  const id = claimsOf(token).jti;
  const revoked = await operator.call(SessionService.method.revokeSession, { id });
  assert.ok(revoked.revokedAt !== undefined);
  await assertNoToken(token);
  await outside.rest1.tokenDetails(other);
  const again = await operator.call(SessionService.method.revokeSession, { id });
  assert.deepEqual(again, revoked, 'what was revoked stays as it was');
  await Promise.all(streams.map((stream) => stream.return()));
});

inEachInside(
  'all sessions of a key or a client: listed, and ended with their streams',
  async (operator) => {
    const { listSessions, revokeSessions } = SessionService.method;
    for (const owner of ['key', 'client'] as const) {
      const { client, key, token, streams } = await signedIn(operator);
      const query = owner === 'key' ? { keyId: key.id } : { clientId: client.id };
      const ids: string[] = [];
      for (let pageToken = '', i = 0; i === 0 || pageToken !== ''; i++) {
        const page = await operator.call(listSessions, { ...query, pageSize: 2, pageToken });
        ids.push(...page.sessions.map((session) => session.id));
        pageToken = page.nextPageToken;
      }
      assert.equal(ids.length, 1 + streams.length);
      assert.equal(new Set(ids).size, ids.length);
      assert.ok(ids.includes(claimsOf(token).jti));
      const { revoked } = await operator.call(revokeSessions, query);
      assert.equal(revoked, ids.length);
      await assertNoToken(token);
      await assertEnded(streams);
      assert.deepEqual((await operator.call(listSessions, query)).sessions, []);
      // The key itself goes on.
      await outside.grpc.tokenDetails(await outside.grpc.auth(key.secret));
    }
  },
);

inEachInside('plans and subscriptions: what a token may see', async (operator) => {
  const { client, token, streams } = await signedIn(operator);
  const { createPlan, updatePlan } = PlanService.method;
  const { createSubscription, deleteSubscription, updateSubscription } = SubscriptionService.method;
  const seen = async () => {
    const { message } = await outside.rest1.tokenDetails(token);
    return message.mdPermissions.map(({ condition, quoteLevel }) => [condition.value, quoteLevel]);
  };
  const permission = (mic: string, quoteLevel: QuoteLevel) => ({
    quoteLevel,
    condition: { case: 'mic' as const, value: mic },
  });
  assert.deepEqual(await seen(), []);
  const permissions = [permission('MISX', QuoteLevel.LAST_PRICE)];
  const plan = await operator.call(createPlan, { plan: { name: 'P', permissions } });
  const subscription = { clientId: client.id, planId: plan.id };
  const { id } = await operator.call(createSubscription, { subscription });
  assert.deepEqual(await seen(), [['MISX', QuoteLevel.LAST_PRICE]]);
  await operator.call(updatePlan, {
    plan: { id: plan.id, permissions: [permission('RTSX', QuoteLevel.DEPTH_OF_BOOK)] },
    updateMask: { paths: ['permissions'] },
  });
  assert.deepEqual(await seen(), [['RTSX', QuoteLevel.DEPTH_OF_BOOK]]);
  const endsAt = { seconds: BigInt(Math.floor(Date.now() / 1000)) };
  await operator.call(updateSubscription, {
    subscription: { id, startsAt: { seconds: 1n }, endsAt },
    updateMask: { paths: ['starts_at', 'ends_at'] },
  });
  assert.deepEqual(await seen(), []);
  await operator.call(deleteSubscription, { id });
  await Promise.all(streams.map((stream) => stream.return()));
});

test('a limit of a key: counted at once, and shown by its usage', async () => {
  const operator = scene.as('operator');
  const { client, key, token, streams } = await signedIn(operator);
  await operator.call(KeyService.method.updateKey, {
    key: { id: key.id, callsPerMinute: { TokenDetails: 2 } },
    updateMask: { paths: ['calls_per_minute'] },
  });
  await outside.rest1.tokenDetails(token);
  const { methods } = await operator.call(UsageService.method.getUsage, { keyId: key.id });
  const [details] = methods.filter(({ method }) => method === 'TokenDetails');
  assert.deepEqual([details?.limit, details?.remaining], [2, 1]);
  const listed = await operator.call(UsageService.method.listUsage, { clientId: client.id });
  assert.deepEqual(
    listed.usage.map(({ keyId }) => keyId),
    [key.id],
  );
  await outside.rest1.tokenDetails(token);
  assert.equal((await failureOf(outside.rest1.tokenDetails(token))).reason, 'RATE_LIMITED');
  await Promise.all(streams.map((stream) => stream.return()));
});

test('an operator: the role, the token and the revocation count from the next call on', async () => {
  const methods = OperatorService.method;
  const owner = scene.as('owner');
  for (const each of inside.all) {
    const made = await owner.call(methods.createOperator, {
      operator: { name: 'New', role: Role.VIEWER },
      requestId: each.name.replaceAll(/\W/g, ''),
    });
    const id = made.operator?.id ?? '';
    assert.match(made.token, /^pop_[0-9A-Za-z]{33}$/);
    const days = (Number(made.operator?.expiresAt?.seconds) - Date.now() / 1000) / 86_400;
    assert.equal(Math.round(days), 90);
    const first = new Administrator(each, made.token);
    assert.equal((await first.call(getStatus, {})).operator?.name, 'New');
    const list = () => first.call(methods.listOperators, {});
    assert.equal((await failureOf(list())).reason, 'ROLE_INSUFFICIENT');
    const change = { operator: { id, role: Role.OWNER }, updateMask: { paths: ['role'] } };
    await owner.call(methods.updateOperator, change);
    assert.ok((await list()).operators.length > 0);
    const rotated = await owner.call(methods.rotateOperatorToken, { id });
    assert.equal((await failureOf(list())).reason, 'OPERATOR_TOKEN_INVALID');
    const second = new Administrator(each, rotated.token);
    await second.call(methods.listOperators, {});
    await owner.call(methods.revokeOperator, { id });
    const failure = await failureOf(second.call(getStatus, {}));
    assert.equal(failure.reason, 'OPERATOR_TOKEN_INVALID');
    // A new token would be of no use, and would seem to be.
    const useless = await failureOf(owner.call(methods.rotateOperatorToken, { id }));
    assert.deepEqual([useless.code, useless.reason], [9, 'OPERATOR_REVOKED']);
  }
});

test('an operator that is revoked while its request arrives has not made it', async () => {
  const { id, token } = await putOperator(scene.server, 'operator');
  const body = JSON.stringify({ id: unique() });
  const headers = { authorization: token, 'content-length': body.length };
  const port = scene.server.internalPort;
  const options = { port, method: 'POST', path: '/admin/v1/clients', headers };
  const request = http.request({ host: '127.0.0.1', ...options });
  const answered = once(request, 'response') as Promise<[http.IncomingMessage]>;
  request.write(body.slice(0, 5));
  // Either way it is refused; most likely its head has arrived by now, and was good.
  await new Administrator(inside.rest1, token).call(getStatus, {});
  await scene.as('owner').call(OperatorService.method.revokeOperator, { id });
  request.end(body.slice(5));
  const [response] = await answered;
  assert.equal(response.statusCode, 401);
  response.resume();
  const { listClients } = ClientService.method;
  const { clients } = await scene.as('viewer').call(listClients, { pageSize: 1000 });
  assert.ok(!clients.some((client) => body.includes(client.id)));
});

test('nobody takes away its own rights', async () => {
  const methods = OperatorService.method;
  const owner = scene.as('owner');
  const { id } = scene.operators.owner;
  for (const refused of [
    () => owner.call(methods.deleteOperator, { id }),
    () => owner.call(methods.revokeOperator, { id }),
    () =>
      owner.call(methods.updateOperator, {
        operator: { id, role: Role.VIEWER },
        updateMask: { paths: ['role'] },
      }),
  ]) {
    assert.equal((await failureOf(refused())).reason, 'OPERATOR_IS_CALLER');
  }
  const named = await owner.call(methods.updateOperator, {
    operator: { id, name: 'Me' },
    updateMask: { paths: ['name'] },
  });
  assert.deepEqual([named.name, named.role], ['Me', Role.OWNER]);
});
