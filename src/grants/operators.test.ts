import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../domain/errors.ts';
import type { Operator } from '../domain/model.ts';
import type { Change, Stored } from '../store/store.ts';
import { Operators } from './operators.ts';

const EVER = Number.POSITIVE_INFINITY;

function operatorWith(id: string, change: Partial<Operator> = {}): Stored<Operator> {
  const rights = { role: 'service', tokenMac: `mac of ${id}`, expiresAtMs: null } as const;
  const stored = { version: 1, createdAtMs: 0, updatedAtMs: 0 };
  return { id, name: id, ...rights, revokedAtMs: null, ...stored, ...change };
}

/** Operators over a store that the test decides, and that counts how often it is asked. */
function make(cachedMax?: number) {
  const records = new Map<string, Stored<Operator>>();
  const state = {
    nowMs: 1_000_000,
    asked: 0,
    wait: Promise.resolve() as Promise<unknown>,
    isCurrent: true,
  };
  let announce: (change: Change) => void = () => {};
  const store = {
    operatorIdOfToken: async (mac: string) => {
      state.asked++;
      return records.values().find(({ tokenMac }) => tokenMac === mac)?.id;
    },
    get: async (_kind: string, id: string) => {
      const found = records.get(id);
      await state.wait;
      return found;
    },
    subscribe: (listener: typeof announce) => {
      announce = listener;
    },
    isCurrent: () => state.isCurrent,
  } as never;
  const masterKey = { macOfSecret: (token: string) => `mac of ${token}` } as never;
  const clock = { now: () => state.nowMs };
  const operators = new Operators({
    ...{ store, masterKey, clock },
    ...(cachedMax !== undefined && { cachedMax }),
  });
  const put = (id: string, change: Partial<Operator> = {}) => {
    records.set(id, operatorWith(id, change));
    announce({ kind: 'operator', operatorId: id });
  };
  const find = async (token: string) => operators.ofMac(operators.macOf(token));
  /** Elsewhere, so that nobody tells of it. */
  const putSilently = (id: string, change: Partial<Operator>) =>
    records.set(id, operatorWith(id, change));
  const tell = (change: Change) => announce(change);
  return { operators, state, put, putSilently, find, announce: tell };
}

async function refusalOf(work: Promise<unknown>): Promise<string | undefined> {
  const error = await work.then(
    () => assert.fail('it was good'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof AppError);
  assert.equal(error.reason, 'OPERATOR_TOKEN_INVALID');
  return error.options.logReason;
}

test('an operator that is known costs no look at the database, and no promise', async () => {
  const { operators, state, put, find, announce } = make();
  put('a');
  assert.equal((await find('a')).id, 'a');
  for (let i = 0; i < 10; i++) assert.ok(!(operators.ofMac('mac of a') instanceof Promise));
  announce({ kind: 'key', keyId: 'a' });
  put('b');
  assert.equal((await find('a')).id, 'a');
  assert.equal(state.asked, 1, 'what became of others changes nothing');
});

test('what is taken from an operator is gone with the next call', async () => {
  const { state, put, find } = make();
  put('a', { expiresAtMs: 1_000_001 });
  await find('a');
  state.nowMs++;
  assert.equal(await refusalOf(find('a')), 'OPERATOR_EXPIRED');
  put('a', { role: 'owner' });
  assert.equal((await find('a')).role, 'owner');
  put('a', { revokedAtMs: 1 });
  assert.equal(await refusalOf(find('a')), 'OPERATOR_REVOKED');
  put('a', { tokenMac: 'mac of another' });
  assert.equal(await refusalOf(find('a')), 'OPERATOR_UNKNOWN');
  assert.equal((await find('another')).id, 'a');
});

test('a look-up under way brings nothing back that a change has dropped', async () => {
  const { state, put, find } = make();
  put('a');
  const disk = Promise.withResolvers<void>();
  state.wait = disk.promise;
  const found = find('a');
  await new Promise(setImmediate);
  put('a', { revokedAtMs: 1 });
  disk.resolve();
  assert.equal(await refusalOf(found), 'OPERATOR_REVOKED');
  assert.equal(await refusalOf(find('a')), 'OPERATOR_REVOKED');
});

test('a token that is of nobody is looked up each time, and takes no room', async () => {
  const { state, put, find } = make(2);
  for (let i = 0; i < 3; i++) assert.equal(await refusalOf(find('late')), 'OPERATOR_UNKNOWN');
  assert.equal(state.asked, 3);
  for (const id of ['a', 'b', 'c', 'late']) put(id);
  for (const id of ['late', 'a', 'b', 'b', 'a']) await find(id);
  assert.equal(state.asked, 6, 'the two newest are held');
  await find('late');
  assert.equal(state.asked, 7, 'the oldest went');
});

test('who attends to an operator looks at each of its changes, until it is over', async () => {
  const { operators, put } = make();
  put('a');
  const seen: string[] = [];
  const looker = {
    look: async () => {
      seen.push('look');
      if (seen.length > 3) throw new Error('no more');
      return EVER;
    },
    failed: (error: unknown) => seen.push(String(error)),
  };
  const settled = () => new Promise(setImmediate);
  operators.attend(operatorWith('a'), looker);
  await settled();
  put('b');
  await settled();
  assert.deepEqual(seen, ['look']);
  put('a');
  put('a');
  await settled();
  assert.equal(seen.length, 3, 'a change during a look is looked at after it');
  put('a');
  await settled();
  put('a');
  await settled();
  assert.deepEqual(seen.slice(3), ['look', 'Error: no more']);
});

test('who attends looks when the instant comes that the last look told', async () => {
  const { operators, state, put } = make();
  put('a');
  const again = Promise.withResolvers<number>();
  let looks = 0;
  const end = operators.attend(operatorWith('a'), {
    look: async () => {
      if (++looks === 2) again.resolve(state.nowMs);
      return looks === 1 ? state.nowMs + 20 : EVER;
    },
    failed: again.reject,
  });
  await again.promise;
  end();
});

test('while the store is not current it is asked with each call', async () => {
  const { operators, state, put, putSilently, find } = make();
  put('a');
  await find('a');
  state.isCurrent = false;
  assert.equal(operators.isCurrent(), false);
  putSilently('a', { revokedAtMs: 1 });
  assert.equal(await refusalOf(find('a')), 'OPERATOR_REVOKED');
  putSilently('a', {});
  for (let i = 0; i < 3; i++) await find('a');
  assert.equal(state.asked, 5);
  await Promise.all(Array.from({ length: 100 }, () => find('a')));
  assert.equal(state.asked, 7, 'those at the same time share two');
  state.isCurrent = true;
  assert.ok(!(operators.ofMac('mac of a') instanceof Promise));
});

test('when anything may have changed, nothing is held, and all who attend look again', async () => {
  const { operators, state, put, putSilently, find, announce } = make();
  put('a');
  put('b');
  const disk = Promise.withResolvers<void>();
  await find('a');
  let looks = 0;
  const look = async () => {
    looks++;
    return EVER;
  };
  const ends = ['a', 'b'].map((id) =>
    operators.attend(operatorWith(id), { look, failed: () => assert.fail('it looked in vain') }),
  );
  state.wait = disk.promise;
  const found = find('b');
  await new Promise(setImmediate);
  for (const id of ['a', 'b']) putSilently(id, { revokedAtMs: 1 });
  announce({ kind: 'everything' });
  disk.resolve();
  assert.equal(await refusalOf(found), 'OPERATOR_REVOKED');
  assert.equal(await refusalOf(find('a')), 'OPERATOR_REVOKED');
  assert.equal(looks, 4);
  for (const end of ends) end();
});
