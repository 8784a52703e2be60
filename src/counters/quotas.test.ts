import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Grant } from '../domain/grant.ts';
import { TestClock } from './contract-suite.ts';
import { MemoryCounters } from './memory.ts';
import { Quotas } from './quotas.ts';

const AUTH = { name: 'Auth', callsMax: 2 };
const DETAILS = { name: 'TokenDetails', callsMax: 3 };

function make() {
  const counters = () => new MemoryCounters({ clock: new TestClock(), callersMax: 10 });
  return new Quotas({
    keys: counters(),
    addresses: counters(),
    services: counters(),
    methods: [AUTH, DETAILS],
    addressCallsMax: 4,
    serviceCallsMax: 2,
  });
}

function grant(keyId: string, callsMax: Grant['callsMax'] = {}): Grant {
  return { keyId, callsMax } as Grant;
}

test('each method and each key has a limit of its own', async () => {
  const quotas = make();
  const key = grant('k1');
  const took = { name: 'Auth', isAllowed: true, limit: 2, remaining: 1, resetMs: 60_000 };
  assert.deepEqual(await quotas.take(AUTH, key), took);
  assert.deepEqual(await quotas.take(AUTH, grant('k2')), took);
  assert.deepEqual(await quotas.of(key), [
    { name: 'Auth', limit: 2, remaining: 1, resetMs: 60_000 },
    { name: 'TokenDetails', limit: 3, remaining: 3, resetMs: 0 },
  ]);
});

test('what the key says beats what the method says', async () => {
  const quotas = make();
  const key = grant('k1', { Auth: 1 });
  await quotas.take(AUTH, key);
  assert.deepEqual(
    (await quotas.of(key)).map(({ limit, remaining }) => [limit, remaining]),
    [
      [1, 0],
      [3, 3],
    ],
  );
});

test('addresses of one IPv6 network share what they have', async () => {
  const quotas = make();
  const take = async (address: string) => {
    const taken = await quotas.takeOfAddress(address);
    assert.ok(taken !== 'full');
    return [taken.name, taken.remaining];
  };
  assert.deepEqual(await take('2001:db8::1'), ['address', 3]);
  assert.deepEqual(await take('2001:db8::2:3'), ['address', 2]);
  assert.deepEqual(await take('2001:db8:0:1::2:3'), ['address', 3]);
  assert.deepEqual(await take('192.0.2.1'), ['address', 3]);
  assert.deepEqual(await take('192.0.2.2'), ['address', 3]);
});
