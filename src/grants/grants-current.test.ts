/** What is held is trusted only while the store is current. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { AppError } from '../domain/errors.ts';
import { type Grant, grantOf } from '../domain/grant.ts';
import type { Holdings } from '../domain/model.ts';
import type { Store } from '../store/store.ts';
import { Grants } from './grants.ts';
import { FakeClock, KEYS, SlowStore } from './test-slow-store.ts';

/** One that ends while a property runs, and one that does not. */
const SESSIONS = [
  { sessionId: 's0', expiresAt: 2 },
  { sessionId: 's1', expiresAt: 1000 },
] as const;
const LIVING = SESSIONS[1];

async function make(grantsCachedMax = 100) {
  const store = new SlowStore();
  const clock = new FakeClock();
  const grants = await Grants.follow({ store: store as unknown as Store, clock, grantsCachedMax });
  return { store, clock, grants };
}

/** Asks, with all questions answered. */
async function ask({ store, grants }: Awaited<ReturnType<typeof make>>, session = LIVING) {
  const held = grants.of('k0', session);
  if (held instanceof Promise) await Promise.all([held.catch(() => {}), store.answerAll()]);
  return { grant: await held, isRevoked: grants.isSessionRevoked(session.sessionId) };
}

type Step =
  | { readonly do: 'ask'; readonly keyId: string; readonly session: number }
  | { readonly do: 'revoke'; readonly keyId: string }
  | { readonly do: 'restore'; readonly keyId: string }
  | { readonly do: 'expire'; readonly keyId: string; readonly inMs: number }
  | { readonly do: 'accounts'; readonly clientId: string; readonly ids: string[] }
  | { readonly do: 'revokeSession'; readonly session: number }
  | { readonly do: 'answer'; readonly which: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'late'; readonly is: boolean }
  | { readonly do: 'away'; readonly is: boolean }
  | { readonly do: 'old'; readonly is: boolean }
  | { readonly do: 'catchUp'; readonly is: boolean }
  | { readonly do: 'cut' };

const keyId = fc.constantFrom(...KEYS);
const session = fc.nat(SESSIONS.length - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('ask' as const), keyId, session }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('answer' as const), which: fc.nat(5) }) },
  fc.record({ do: fc.constantFrom('revoke' as const, 'restore' as const), keyId }),
  fc.record({ do: fc.constant('expire' as const), keyId, inMs: fc.integer({ min: 1, max: 50 }) }),
  fc.record({
    do: fc.constant('accounts' as const),
    clientId: fc.constantFrom('c1', 'c2'),
    ids: fc.subarray(['a', 'b', 'd']),
  }),
  fc.record({ do: fc.constant('revokeSession' as const), session }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 600 }) }),
  fc.record({ do: fc.constantFrom('late' as const, 'away' as const), is: fc.boolean() }),
  { weight: 2, arbitrary: fc.record({ do: fc.constant('old' as const), is: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('catchUp' as const), is: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cut' as const) }) },
);

/** Asks in the course of a property, and checks what is given in the moment in which it is. */
class Asker {
  asked = 0;
  answered = 0;
  readonly wrong: unknown[] = [];
  readonly #parts: Awaited<ReturnType<typeof make>>;

  constructor(parts: Awaited<ReturnType<typeof make>>) {
    this.#parts = parts;
  }

  ask(id: string, which: number): void {
    const { store, grants } = this.#parts;
    this.asked++;
    const { newest } = store.place;
    const session = SESSIONS[which] ?? LIVING;
    const held = grants.of(id, session);
    const good = (grant: Grant | undefined) => this.#check(id, session.sessionId, newest, grant);
    if (!(held instanceof Promise)) {
      assert.ok(store.isCurrent(), 'it was not asked though it is not current');
      good(held);
      return;
    }
    held.then(good, (error) => this.#refused(error)).catch((error) => this.wrong.push(error));
  }

  /** It is what held at some instant of the call, and none before what was told by now. */
  #check(id: string, sessionId: string, sinceState: number, grant: Grant | undefined): void {
    this.answered++;
    const { store, clock, grants } = this.#parts;
    const { newest, told } = store.place;
    const states = store.states.slice(Math.max(sinceState, told), newest + 1);
    const found = states.map(({ holdings }) =>
      textOf(grantOf(holdings.get(id) as Holdings, clock.now())),
    );
    assert.ok(found.includes(textOf(grant)), 'a grant that did not hold any more');
    const isRevoked = grants.isSessionRevoked(sessionId);
    if (states[0]?.revoked.has(sessionId)) assert.ok(isRevoked, 'a session that was revoked');
    if (isRevoked) assert.ok(states.at(-1)?.revoked.has(sessionId), 'a session that was not');
  }

  #refused(error: unknown): void {
    this.answered++;
    assert.ok(error instanceof AppError && error.reason === 'UNAVAILABLE');
    assert.ok(this.#parts.store.isAway);
  }
}

/** When a grant changes by itself depends on when it was looked up. */
function textOf(grant: Grant | undefined): string {
  return JSON.stringify({ ...grant, changesAtMs: undefined });
}

function take(step: Step, { store, clock }: Awaited<ReturnType<typeof make>>, asker: Asker): void {
  if (step.do === 'ask') asker.ask(step.keyId, step.session);
  else if (step.do === 'answer') {
    const [answer] = store.waiting.splice(step.which % (store.waiting.length || 1), 1);
    answer?.();
  } else if (step.do === 'revoke') store.changeKey(step.keyId, { revokedAtMs: clock.now() });
  else if (step.do === 'restore') {
    store.changeKey(step.keyId, { revokedAtMs: null, expiresAtMs: null });
  } else if (step.do === 'expire') {
    store.changeKey(step.keyId, { expiresAtMs: clock.now() + step.inMs });
  } else if (step.do === 'accounts') store.changeClient(step.clientId, step.ids);
  else if (step.do === 'revokeSession') {
    const { sessionId, expiresAt } = SESSIONS[step.session] ?? LIVING;
    store.revokeSession(sessionId, expiresAt * 1000);
  } else if (step.do === 'wait') clock.ms += step.ms;
  else if (step.do === 'late') store.readsLate = step.is;
  else if (step.do === 'away') store.isAway = step.is;
  else if (step.do === 'old') store.isOld = step.is;
  else if (step.do === 'cut') store.isCut = true;
  else store.catchUp(step.is);
}

test('whatever comes between, nothing is given that was taken before the call or is known to be', async () => {
  const property = fc.asyncProperty(
    fc.array(step, { minLength: 5, maxLength: 50 }),
    fc.constantFrom(1, 2, 100),
    async (steps, cachedMax) => {
      const parts = await make(cachedMax);
      const { store, grants } = parts;
      store.immediate.clear();
      const asker = new Asker(parts);
      for (const each of steps) {
        take(each, parts, asker);
        await nextTurn();
      }
      store.isAway = false;
      store.isOld = false;
      store.catchUp();
      await store.answerAll();
      assert.deepEqual(asker.wrong, []);
      assert.equal(asker.answered, asker.asked);
      // It recovers by itself with the next call, whatever failed before.
      await Promise.all([grants.of('k0', LIVING), store.answerAll()]);
      assert.ok(grants.isCurrent());
      if (steps.length > 0) await Promise.all([grants.of('k0', LIVING), store.answerAll()]);
      assert.ok(!(grants.of('k0', LIVING) instanceof Promise));
    },
  );
  await fc.assert(property, { numRuns: 1000 });
});

test('a store that is not current is asked with each call, for the session as well', async () => {
  const parts = await make();
  const { store, grants } = parts;
  await ask(parts);
  assert.ok(!(grants.of('k0', LIVING) instanceof Promise));
  store.isCut = true;
  store.changeKey('k0', { revokedAtMs: 1 });
  store.revokeSession(LIVING.sessionId, 1_000_000);
  for (let i = 2; i < 5; i++) {
    const { grant, isRevoked } = await ask(parts);
    assert.equal(grant?.refusal, 'KEY_REVOKED');
    assert.ok(isRevoked);
    assert.equal(store.asked.holdings, i);
  }
  assert.equal(store.asked.session, 1, 'what was revoked once stays so');
});

test('a database that is away is no answer while the store is not current', async () => {
  const parts = await make();
  const { store } = parts;
  await ask(parts);
  store.isAway = true;
  assert.equal((await ask(parts)).isRevoked, false, 'nobody asks it');
  store.isOld = true;
  await assert.rejects(ask(parts), { reason: 'UNAVAILABLE' });
  store.isOld = false;
  assert.ok((await ask(parts)).grant);
});

test('a look-up that began before the call is not shared once the store is not current', async () => {
  const { store, grants } = await make();
  const first = grants.of('k0', LIVING);
  store.isCut = true;
  store.changeKey('k0', { revokedAtMs: 1 });
  const second = grants.of('k0', LIVING);
  await store.answerAll();
  assert.equal((await second)?.refusal, 'KEY_REVOKED');
  assert.equal((await first)?.refusal, 'KEY_REVOKED');
});

test('calls at the same time share what they ask a store that is not current', async () => {
  const { store, grants } = await make();
  store.immediate.clear();
  store.isOld = true;
  const first = grants.of('k0', LIVING);
  store.isCut = true;
  store.changeKey('k0', { revokedAtMs: 1 });
  const others = Array.from({ length: 100 }, () => grants.of('k0', LIVING));
  await store.answerAll();
  await first;
  for (const each of others) assert.equal((await each)?.refusal, 'KEY_REVOKED');
  assert.deepEqual([store.asked.holdings, store.asked.session], [2, 2]);
});

test('what was looked up while the store was not current is held, and dropped by what is told then', async () => {
  const parts = await make();
  const { store, grants } = parts;
  store.isCut = true;
  await ask(parts);
  store.changeKey('k0', { readonly: true });
  const seen = await ask(parts);
  assert.equal(seen.grant?.readonly, true);
  store.changeKey('k0', { readonly: false });
  store.catchUp();
  assert.ok(grants.of('k0', LIVING) instanceof Promise);
  assert.equal((await ask(parts)).grant?.readonly, false);
});

test('when anything may have changed, nothing is held and every session is asked about', async () => {
  const parts = await make();
  const { store, grants } = parts;
  const heard: string[] = [];
  const watched = { keyId: 'k0', sessionId: 's1', clientId: 'c1' };
  grants.watch(watched, () => heard.push(`current: ${grants.isCurrent()}`));
  await ask(parts);
  await Promise.all([grants.of('k1'), store.answerAll()]);
  assert.ok(!(grants.of('k1', LIVING) instanceof Promise));
  store.immediate.clear();
  store.isCut = true;
  store.changeKey('k0', { readonly: true });
  store.revokeSession(LIVING.sessionId, 1_000_000);
  store.catchUp(true);
  assert.ok(store.isCurrent());
  assert.equal(grants.isCurrent(), false);
  assert.deepEqual(heard, []);
  const held = grants.of('k0', LIVING);
  // The question of the call, not the reading, which comes first.
  const [reading] = store.waiting.splice(0, 1);
  await store.answerAll();
  assert.equal((await held)?.readonly, true);
  assert.ok(grants.isSessionRevoked(LIVING.sessionId));
  assert.deepEqual(heard, []);
  reading?.();
  await nextTurn();
  assert.deepEqual(heard, ['current: true'], 'once, though it watches three names');
  assert.ok(grants.of('k1', LIVING) instanceof Promise);
  await store.answerAll();
});

test('a reading of revoked sessions that fails is tried again with the next call', async () => {
  const parts = await make();
  const { store, grants } = parts;
  store.isAway = true;
  store.catchUp(true);
  await nextTurn();
  assert.equal(grants.isCurrent(), false);
  await assert.rejects(ask(parts), { reason: 'UNAVAILABLE' });
  store.isAway = false;
  store.revokeSession('other', 1_000_000);
  await ask(parts);
  assert.ok(grants.isCurrent());
  assert.ok(grants.isSessionRevoked('other'));
});

test('doubt that comes while revoked sessions are read has them read again', async () => {
  const { store, grants } = await make();
  store.immediate.clear();
  store.catchUp(true);
  store.isCut = true;
  store.revokeSession('s1', 1_000_000);
  store.catchUp(true);
  assert.equal(store.waiting.length, 1);
  await store.answerAll();
  assert.equal(store.asked.revokedSessions, 3, 'at the start, and twice now');
  assert.ok(grants.isSessionRevoked('s1'));
  assert.ok(grants.isCurrent());
});

test('a session that is over is asked about: streams outlive the tokens that they began with', async () => {
  const parts = await make();
  const { store, clock } = parts;
  await ask(parts, SESSIONS[0] as never);
  assert.equal(store.asked.session, 0);
  store.isCut = true;
  store.revokeSession('s0', 2000);
  clock.ms = 200_000;
  store.catchUp(true);
  await nextTurn();
  assert.ok((await ask(parts, SESSIONS[0] as never)).isRevoked);
  assert.equal(store.asked.session, 1);
});

test('who takes silence for a yes looks every second while what is held is not trusted', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { store, grants } = await make();
  let looks = 0;
  const end = grants.attendClosely(
    { keyId: 'k0', sessionId: 's1', clientId: 'c1' },
    {
      look: async () => {
        looks++;
        return Number.POSITIVE_INFINITY;
      },
      failed: () => assert.fail('it looked in vain'),
    },
  );
  const second = async () => {
    t.mock.timers.tick(1000);
    await nextTurn();
  };
  await second();
  assert.equal(looks, 1, 'at once, and not again while all is well');
  store.isOld = true;
  for (let i = 0; i < 3; i++) await second();
  assert.equal(looks, 4);
  store.isOld = false;
  await second();
  assert.equal(looks, 4);
  end();
  store.isOld = true;
  await second();
  assert.equal(looks, 4);
});
