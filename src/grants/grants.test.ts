import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { type Grant, grantOf } from '../domain/grant.ts';
import type { Holdings } from '../domain/model.ts';
import type { Store } from '../store/store.ts';
import { Grants } from './grants.ts';
import { FakeClock, KEYS, SlowStore } from './test-slow-store.ts';

async function make(grantsCachedMax = 100) {
  const store = new SlowStore();
  const clock = new FakeClock();
  const grants = await Grants.follow({ store: store as unknown as Store, clock, grantsCachedMax });
  return { store, clock, grants };
}

/** A grant, waiting for the store if it must. */
async function get(store: SlowStore, grants: Grants, keyId: string): Promise<Grant | undefined> {
  const held = grants.of(keyId);
  if (held instanceof Promise) void store.answerAll();
  return held;
}

type Step =
  | { readonly do: 'ask' | 'revoke' | 'restore' | 'remove'; readonly keyId: string }
  | { readonly do: 'expire' | 'rotate'; readonly keyId: string; readonly inMs: number }
  | { readonly do: 'accounts'; readonly clientId: string; readonly ids: string[] }
  | { readonly do: 'answer'; readonly which: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'late'; readonly isLate: boolean };

const keyId = fc.constantFrom(...KEYS);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('ask' as const), keyId }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('answer' as const), which: fc.nat(5) }) },
  fc.record({ do: fc.constantFrom('revoke' as const, 'restore' as const), keyId }),
  fc.record({
    do: fc.constantFrom('expire' as const, 'rotate' as const),
    keyId,
    inMs: fc.integer({ min: 1, max: 50 }),
  }),
  fc.record({
    do: fc.constant('accounts' as const),
    clientId: fc.constantFrom('c1', 'c2'),
    ids: fc.subarray(['a', 'b', 'd']),
  }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 60 }) }),
  fc.record({ do: fc.constant('late' as const), isLate: fc.boolean() }),
);

/** Gives a key a new secret; the one before it works for a while. */
function rotate(store: SlowStore, keyId: string, endsAtMs: number): void {
  const previousSecretMac = store.keys.get(keyId)?.secretMac ?? null;
  const secretMac = `mac ${store.states.length} of ${keyId}`;
  store.changeKey(keyId, { secretMac, previousSecretMac, previousSecretEndsAtMs: endsAtMs });
}

/** Secrets that are held are those that work now, and their keys' own. */
function checkSecrets(store: SlowStore, clock: FakeClock, grants: Grants): void {
  const seen = store.states.flatMap(({ holdings }) => [...holdings.values()]);
  for (const secretMac of new Set(seen.map(({ key }) => key.secretMac))) {
    const keyId = grants.keyIdOfSecret(secretMac);
    if (keyId === undefined) continue;
    const key = store.keys.get(keyId);
    if (key?.secretMac === secretMac) continue;
    assert.equal(key?.previousSecretMac, secretMac, 'a secret that was replaced');
    assert.ok(clock.now() < (key.previousSecretEndsAtMs ?? 0), 'a secret that has ended');
  }
}

test('whatever comes between, a grant is what holds at the moment in which it is given', async () => {
  const property = fc.asyncProperty(
    fc.array(step, { minLength: 5, maxLength: 40 }),
    fc.constantFrom(1, 2, 100),
    async (steps, cachedMax) => {
      const { store, clock, grants } = await make(cachedMax);
      let asked = 0;
      let given = 0;
      const check = (id: string, grant: Grant | undefined) => {
        given++;
        const now = store.read(id);
        const { changesAtMs: _, ...expected } = grantOf(now as Holdings, clock.now());
        const { changesAtMs: __, ...actual } = grant as Grant;
        assert.deepEqual(actual, expected);
      };
      const wrong: unknown[] = [];
      for (const each of steps) {
        if (each.do === 'ask') {
          asked++;
          const held = grants.of(each.keyId);
          if (held instanceof Promise) {
            held.then((grant) => check(each.keyId, grant)).catch((error) => wrong.push(error));
          } else {
            check(each.keyId, held);
          }
        } else if (each.do === 'answer') {
          const [answer] = store.waiting.splice(each.which % (store.waiting.length || 1), 1);
          answer?.();
        } else if (each.do === 'revoke') {
          store.changeKey(each.keyId, { revokedAtMs: clock.now() });
        } else if (each.do === 'restore') {
          store.changeKey(each.keyId, { revokedAtMs: null, expiresAtMs: null });
        } else if (each.do === 'expire') {
          store.changeKey(each.keyId, { expiresAtMs: clock.now() + each.inMs });
        } else if (each.do === 'rotate') {
          rotate(store, each.keyId, clock.now() + each.inMs);
        } else if (each.do === 'accounts') {
          store.changeClient(each.clientId, each.ids);
        } else if (each.do === 'wait') {
          clock.ms += each.ms;
        } else if (each.do === 'late') {
          store.readsLate = each.isLate;
        }
        await nextTurn();
        checkSecrets(store, clock, grants);
      }
      await store.answerAll();
      await nextTurn();
      assert.deepEqual(wrong, []);
      assert.equal(given, asked);
    },
  );
  await fc.assert(property, { numRuns: 300 });
});

test('a look-up that began before a revocation does not bring the key back', async () => {
  const { store, grants } = await make();
  const asked = grants.of('k0');
  assert.ok(asked instanceof Promise);
  store.changeKey('k0', { revokedAtMs: 1 });
  await store.answerAll();
  assert.equal((await asked)?.refusal, 'KEY_REVOKED');
  const held = grants.of('k0');
  assert.ok(!(held instanceof Promise));
  assert.equal(held?.refusal, 'KEY_REVOKED');
});

test('a held grant is given without a look-up, until its key or client changes', async () => {
  const { store, grants } = await make();
  for (const id of KEYS) await get(store, grants, id);
  assert.equal(store.lookUps, 3);
  for (const id of KEYS) assert.ok(!(grants.of(id) instanceof Promise));
  store.changeClient('c1', ['a', 'd']);
  assert.deepEqual((await get(store, grants, 'k0'))?.accountIds, ['a', 'd']);
  assert.deepEqual((await get(store, grants, 'k1'))?.accountIds, ['a', 'd']);
  assert.ok(!(grants.of('k2') instanceof Promise), 'of another client');
  assert.equal(store.lookUps, 5);
});

test('a secret is held with its key, and dropped with it', async () => {
  const { store, clock, grants } = await make(2);
  assert.equal(grants.keyIdOfSecret('mac of k0'), undefined, 'nobody has looked');
  await get(store, grants, 'k0');
  assert.equal(grants.keyIdOfSecret('mac of k0'), 'k0');
  rotate(store, 'k0', clock.now() + 5);
  assert.equal(grants.keyIdOfSecret('mac of k0'), undefined);
  await get(store, grants, 'k0');
  assert.equal(grants.keyIdOfSecret('mac of k0'), 'k0', 'the secret before, for a while');
  clock.ms += 5;
  assert.equal(grants.keyIdOfSecret('mac of k0'), undefined);
  const newest = store.keys.get('k0')?.secretMac ?? '';
  assert.equal(grants.keyIdOfSecret(newest), 'k0');
  store.changeClient('c1', []);
  assert.equal(grants.keyIdOfSecret(newest), undefined);
  for (const id of KEYS) await get(store, grants, id);
  assert.equal(grants.keyIdOfSecret(newest), undefined, 'there is room for two');
  assert.equal(grants.keyIdOfSecret('mac of k2'), 'k2');
  store.isOld = true;
  assert.equal(grants.keyIdOfSecret('mac of k2'), undefined, 'what is held is not trusted');
  store.isOld = false;
  store.changes.announce([{ kind: 'everything' }]);
  assert.equal(grants.keyIdOfSecret('mac of k2'), undefined);
});

test('what becomes of orders drops nothing, and no look-up is made again', async () => {
  const { store, grants } = await make();
  const announce = () => store.changes.announce([{ kind: 'orders', accountId: 'a' }]);
  let heard = 0;
  grants.watch({ keyId: 'k0', sessionId: 's0', clientId: 'c1' }, () => {
    heard++;
  });
  const asked = grants.of('k0');
  announce();
  await store.answerAll();
  assert.deepEqual((await asked)?.accountIds, ['a']);
  announce();
  assert.ok(!(grants.of('k0') instanceof Promise));
  assert.deepEqual([store.lookUps, heard], [1, 0]);
});

test('a grant that changes by itself is looked up again at that very instant', async () => {
  const { store, clock, grants } = await make();
  store.changeKey('k0', { expiresAtMs: clock.now() + 10 });
  await get(store, grants, 'k0');
  clock.ms += 9;
  assert.ok(!(grants.of('k0') instanceof Promise));
  clock.ms += 1;
  assert.equal((await get(store, grants, 'k0'))?.refusal, 'KEY_EXPIRED');
});

test('only so many grants are held; the oldest goes first', async () => {
  const { store, grants } = await make(2);
  for (const id of KEYS) await get(store, grants, id);
  assert.ok(!(grants.of('k2') instanceof Promise));
  assert.ok(!(grants.of('k1') instanceof Promise));
  assert.ok(grants.of('k0') instanceof Promise);
  await store.answerAll();
});

test('an unknown key is undefined, and is not held', async () => {
  const { store, grants } = await make();
  assert.equal(await get(store, grants, 'no-such'), undefined);
  assert.ok(grants.of('no-such') instanceof Promise);
  await store.answerAll();
});

test('revoked sessions are known from the start, and from then on', async () => {
  const { store, clock } = await make();
  store.revoked = [{ sessionId: 'before', expiresAtMs: 5000 }];
  const options = { store: store as unknown as Store, clock, grantsCachedMax: 10 };
  const grants = await Grants.follow(options);
  assert.ok(grants.isSessionRevoked('before'));
  assert.ok(!grants.isSessionRevoked('after'));
  store.changes.announce([{ kind: 'session-revoked', sessionId: 'after', expiresAtMs: 5000 }]);
  assert.ok(grants.isSessionRevoked('after'));
  // Many more, whose time has passed, are swept; those that would still live are not.
  clock.ms = 70_000;
  const expired = Array.from({ length: 2000 }, (_, i) => `s${i}`);
  for (const sessionId of [...expired, 'alive']) {
    const expiresAtMs = sessionId === 'alive' ? 90_000 : 5001;
    store.changes.announce([{ kind: 'session-revoked', sessionId, expiresAtMs }]);
  }
  assert.ok(grants.isSessionRevoked('alive'));
  assert.ok(!grants.isSessionRevoked('before'));
});

test('a watcher hears of its key, its client and its session, until it stops', async () => {
  const { store, grants } = await make();
  await get(store, grants, 'k0');
  let heard = 0;
  const stop = grants.watch({ keyId: 'k0', sessionId: 's0', clientId: 'c1' }, () => {
    heard++;
  });
  store.changeKey('k0', { readonly: true });
  assert.equal(heard, 1);
  await get(store, grants, 'k0');
  store.changeClient('c1', []);
  assert.equal(heard, 2);
  store.changes.announce([{ kind: 'session-revoked', sessionId: 's0', expiresAtMs: 1 }]);
  assert.equal(heard, 3);
  store.changeKey('k1', { readonly: true });
  store.changeClient('c2', []);
  store.changes.announce([{ kind: 'session-revoked', sessionId: 's1', expiresAtMs: 1 }]);
  assert.equal(heard, 3, 'what is not its own');
  stop();
  store.changeKey('k0', { readonly: false });
  assert.equal(heard, 3);
});

test('a watcher hears of its client also while the grant is not held', async () => {
  const { store, grants } = await make(1);
  await get(store, grants, 'k0');
  let heard = 0;
  const stop = grants.watch({ keyId: 'k0', sessionId: 's0', clientId: 'c1' }, () => {
    heard++;
  });
  // There is room for one.
  await get(store, grants, 'k2');
  store.changeClient('c1', []);
  assert.equal(heard, 1);
  stop();
});

test('what others change without end keeps no look-up from its end', async () => {
  const { store, grants } = await make();
  const asked = grants.of('k0');
  store.changeKey('k1', { readonly: true });
  store.changeClient('c2', ['d']);
  await store.answerAll();
  assert.equal(store.lookUps, 1);
  assert.equal((await asked)?.keyId, 'k0');
  for (const change of [
    () => store.changeKey('k2', { readonly: true }),
    () => store.changeClient('c2', ['b']),
    () => store.changes.announce([{ kind: 'everything' }]),
  ]) {
    store.lookUps = 0;
    store.changes.announce([{ kind: 'key', keyId: 'k2' }]);
    const about = grants.of('k2');
    change();
    await store.answerAll();
    assert.equal((await about)?.keyId, 'k2');
    assert.equal(store.lookUps, 2);
  }
});
