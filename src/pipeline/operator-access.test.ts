import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryCounters } from '../counters/memory.ts';
import { AppError } from '../domain/errors.ts';
import type { Operator, OperatorRole } from '../domain/model.ts';
import { ClientService } from '../gen/propusk/admin/v1/client_service_pb.js';
import { OperatorService } from '../gen/propusk/admin/v1/operator_service_pb.js';
import { StatusService } from '../gen/propusk/admin/v1/status_service_pb.js';
import { Operators } from '../grants/operators.ts';
import type { Call } from './call.ts';
import { OperatorAccess } from './operator-access.ts';

const FAILURES_MAX = 3;
const { getClient, createClient } = ClientService.method;

/** Operators by the token that they show, and the state that the test decides. */
function make() {
  const state = { nowMs: 1_000_000, fails: false };
  const operators = new Map<string, Operator>();
  const clock = { now: () => state.nowMs, monotonic: () => state.nowMs };
  let announce: (change: { kind: 'operator'; operatorId: string }) => void = () => {};
  const find = (mac: string) => operators.values().find(({ tokenMac }) => tokenMac === mac);
  const store = {
    operatorIdOfToken: async (mac: string) => {
      if (state.fails) throw new AppError('UNAVAILABLE', 'the disk is gone');
      return find(mac)?.id;
    },
    get: async (_kind: string, id: string) => operators.get(id),
    isCurrent: () => true,
    subscribe: (listener: typeof announce) => {
      announce = listener;
    },
  } as never;
  const masterKey = { macOfSecret: (token: string) => `mac of ${token}` } as never;
  const access = new OperatorAccess({
    operators: new Operators({ store, masterKey, clock }),
    failures: new MemoryCounters({ clock, callersMax: 10 }),
    failuresMax: FAILURES_MAX,
  });
  const put = (token: string, role: OperatorRole, change: Partial<Operator> = {}) => {
    const rights = { role, tokenMac: `mac of ${token}`, expiresAtMs: null, revokedAtMs: null };
    operators.set(token, { id: token, name: token, ...rights, ...change });
    announce({ kind: 'operator', operatorId: token });
  };
  const remove = (token: string) => {
    operators.delete(token);
    announce({ kind: 'operator', operatorId: token });
  };
  const check = async (authorization: string, method = getClient, remoteAddress = '192.0.2.1') =>
    access.check(
      { head: { headers: { authorization }, remoteAddress } } as unknown as Call,
      method,
    );
  return { state, put, remove, check, access };
}

/** The reason of a refusal, and what the log knows of it. */
async function refusal(work: Promise<unknown>): Promise<readonly [string, string | undefined]> {
  const error = await work.then(
    () => assert.fail('it was let in'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof AppError, String(error));
  return [error.reason, error.options.logReason];
}

test('a role may do what its method asks, and all that the roles before it may', async () => {
  const { put, check } = make();
  const roles = ['service', 'viewer', 'operator', 'owner'] as const;
  const methods = [
    StatusService.method.getStatus,
    getClient,
    createClient,
    OperatorService.method.listOperators,
  ] as never[];
  for (const role of roles) put(role, role);
  for (const [i, role] of roles.entries()) {
    for (const [j, method] of methods.entries()) {
      if (j <= i) assert.equal((await check(role, method)).role, role);
      else assert.deepEqual(await refusal(check(role, method)), ['ROLE_INSUFFICIENT', undefined]);
    }
  }
});

test('a token is shown raw or after Bearer', async () => {
  const { put, check } = make();
  put('t', 'viewer');
  for (const text of ['t', 'Bearer t', 'bearer  t ']) assert.equal((await check(text)).id, 't');
});

test('what is wrong with a token only the log knows', async () => {
  const { put, check } = make();
  put('revoked', 'owner', { revokedAtMs: 1 });
  put('expired', 'owner', { expiresAtMs: 1_000_000 });
  for (const [token, reason] of [
    ['', 'OPERATOR_UNKNOWN'],
    ['revoked', 'OPERATOR_REVOKED'],
    ['expired', 'OPERATOR_EXPIRED'],
  ] as const) {
    assert.deepEqual(await refusal(check(token)), ['OPERATOR_TOKEN_INVALID', reason]);
  }
});

test('an address that fails too often is not looked at until its failures are a minute old', async () => {
  const { state, put, check } = make();
  put('good', 'viewer');
  for (let i = 0; i < FAILURES_MAX; i++) {
    assert.equal((await refusal(check('guess')))[0], 'OPERATOR_TOKEN_INVALID');
  }
  assert.equal((await refusal(check('guess')))[0], 'RATE_LIMITED');
  assert.equal((await refusal(check('good')))[0], 'RATE_LIMITED', 'a right guess is none');
  assert.equal((await check('good', getClient, '192.0.2.2')).id, 'good', 'others go on');
  state.nowMs += 60_000;
  assert.equal((await check('good')).id, 'good');
  assert.equal((await refusal(check('guess')))[0], 'OPERATOR_TOKEN_INVALID');
});

test('who works at an address is not kept out by who guesses there', async () => {
  const { put, remove, check } = make();
  put('good', 'viewer');
  await check('good');
  for (let i = 0; i < FAILURES_MAX; i++) await refusal(check(`guess ${i}`));
  assert.equal((await check('good')).id, 'good');
  assert.equal((await refusal(check('guess')))[0], 'RATE_LIMITED');
  remove('good');
  assert.equal((await refusal(check('good')))[0], 'RATE_LIMITED');
  put('good', 'viewer');
  assert.equal((await refusal(check('good')))[0], 'RATE_LIMITED', 'it is as unknown as the others');
});

test('too small a role and a database that does not answer are no failures of the caller', async () => {
  const { state, put, check } = make();
  put('good', 'viewer');
  for (let i = 0; i <= FAILURES_MAX; i++) {
    assert.equal((await refusal(check('good', createClient as never)))[0], 'ROLE_INSUFFICIENT');
  }
  state.fails = true;
  for (let i = 0; i <= FAILURES_MAX; i++) {
    assert.equal((await refusal(check('other')))[0], 'UNAVAILABLE');
  }
  state.fails = false;
  assert.equal((await refusal(check('other')))[0], 'OPERATOR_TOKEN_INVALID');
});

test('who was let in is looked at again, by what it may do then', async () => {
  const { put, check, access } = make();
  put('t', 'operator');
  const before = await check('t');
  const again = async (method: unknown) => access.checkAgain({} as Call, method as never, before);
  await again(createClient);
  put('t', 'viewer');
  await again(getClient);
  assert.deepEqual(await refusal(again(createClient)), ['ROLE_INSUFFICIENT', undefined]);
  put('t', 'viewer', { revokedAtMs: 1 });
  assert.deepEqual(await refusal(again(getClient)), ['OPERATOR_TOKEN_INVALID', 'OPERATOR_REVOKED']);
  put('t', 'viewer', { tokenMac: 'mac of another' });
  assert.deepEqual(await refusal(again(getClient)), ['OPERATOR_TOKEN_INVALID', 'OPERATOR_UNKNOWN']);
});
