import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { explain, type Verdict } from './explain.ts';
import { grantOf } from './grant.ts';
import type { Holdings } from './model.ts';
import { decide, type Market, type Permission, QuoteLevel } from './permission.ts';
import { keyOf } from './test-key.ts';

/** What shows more comes later; the reference has its own list, not the code's. */
const LEVELS: readonly QuoteLevel[] = [
  QuoteLevel.LAST_PRICE,
  QuoteLevel.BEST_BID_OFFER,
  QuoteLevel.DEPTH_OF_MARKET,
  QuoteLevel.DEPTH_OF_BOOK,
];
const DELAYS = [0, 15, 20];
/** Instants are few, so that starts, ends and the present meet. */
const instant = fc.nat(6);

const conditions = fc.constantFrom(
  ...(['#RBRD', 'XNAS', 'XLON'] as const).map((mic) => ['mic', mic] as const),
  ...(['RU', 'US', ''] as const).map((country) => ['country', country] as const),
  ...(['EU', 'NA', 'XNAS'] as const).map((continent) => ['continent', continent] as const),
  ['worldwide', ''] as const,
);
const permission: fc.Arbitrary<Permission> = fc
  .tuple(fc.constantFrom(...Object.values(QuoteLevel)), fc.constantFrom(...DELAYS), conditions)
  .map(([quoteLevel, delayMinutes, [conditionKind, conditionValue]]) => ({
    quoteLevel,
    delayMinutes,
    conditionKind,
    conditionValue,
  }));
const market: fc.Arbitrary<Market> = fc.constantFrom(
  { mic: '#RBRD', country: 'RU', continent: 'EU' },
  { mic: 'XNAS', country: 'US', continent: 'NA' },
  { mic: 'XCAY', country: 'KY', continent: 'NA' },
  { mic: '#WWCP', country: '', continent: '' },
);

const KEY = keyOf('k', 'c');

/** A client with several plans, of which some run. */
const holdings: fc.Arbitrary<Holdings> = fc
  .array(
    fc.record({
      planId: fc.constantFrom('p', 'q'),
      startsAtMs: instant,
      endsAtMs: fc.option(instant),
      permissions: fc.array(permission, { maxLength: 5 }),
    }),
    { maxLength: 5 },
  )
  .map((all) => all.map((each, i) => ({ ...each, id: `s${i}`, clientId: 'c' })))
  .map((subscriptions) => ({ key: KEY, accounts: [], subscriptions }));

type Met = 'mic' | 'country' | 'continent' | 'worldwide';

/** What the plans that run say of a market for one kind of condition; by the words alone. */
function saidOf(kind: Met, { subscriptions }: Holdings, where: Market, nowMs: number) {
  const said: Permission[] = [];
  for (const { startsAtMs, endsAtMs, permissions } of subscriptions) {
    if (nowMs < startsAtMs) continue;
    if (endsAtMs !== null && nowMs >= endsAtMs) continue;
    for (const each of permissions) {
      if (each.conditionKind !== kind || each.quoteLevel === QuoteLevel.UNSPECIFIED) continue;
      if (kind === 'mic' && each.conditionValue !== where.mic) continue;
      if (kind === 'country' && (where.country === '' || each.conditionValue !== where.country)) {
        continue;
      }
      if (kind === 'continent' && where.continent === '') continue;
      if (kind === 'continent' && each.conditionValue !== where.continent) continue;
      said.push(each);
    }
  }
  return said;
}

/** Slow, and by the words alone: may this level be seen this late? */
function isSeen(of: Holdings, where: Market, nowMs: number, level: QuoteLevel, delay: number) {
  for (const kind of ['mic', 'country', 'continent', 'worldwide'] as const) {
    const said = saidOf(kind, of, where, nowMs);
    if (said.length === 0) continue;
    if (said.some(({ quoteLevel }) => quoteLevel === QuoteLevel.ACCESS_FORBIDDEN)) return false;
    return said.some(
      (each) =>
        LEVELS.indexOf(each.quoteLevel) >= LEVELS.indexOf(level) && each.delayMinutes <= delay,
    );
  }
  return false;
}

test('nothing is seen of a market that no plan shows, and everything that the plans show', () => {
  fc.assert(
    fc.property(holdings, market, instant, (of, where, nowMs) => {
      const decision = decide(grantOf(of, nowMs).permissions, where);
      for (const level of LEVELS) {
        for (const delay of DELAYS) {
          const isShown = decision.some(
            (each) =>
              each.quoteLevel !== QuoteLevel.ACCESS_FORBIDDEN &&
              LEVELS.indexOf(each.quoteLevel) >= LEVELS.indexOf(level) &&
              each.delayMinutes <= delay,
          );
          assert.equal(isShown, isSeen(of, where, nowMs, level, delay), `${level} ${delay}`);
        }
      }
    }),
    { numRuns: 5000 },
  );
});

test('each that decides is word for word one of a plan that runs', () => {
  fc.assert(
    fc.property(holdings, market, instant, (of, where, nowMs) => {
      const running = of.subscriptions.filter(
        ({ startsAtMs, endsAtMs }) => startsAtMs <= nowMs && (endsAtMs ?? Infinity) > nowMs,
      );
      const granted = running.flatMap(({ permissions }) => permissions);
      for (const each of decide(grantOf(of, nowMs).permissions, where)) {
        assert.ok(granted.includes(each));
      }
    }),
    { numRuns: 2000 },
  );
});

test('what is decided does not need what was joined before', () => {
  fc.assert(
    fc.property(holdings, market, (of, where) => {
      const granted = of.subscriptions.flatMap(({ permissions }) => permissions);
      const all = { ...of, subscriptions: of.subscriptions.map(always) };
      assert.deepEqual(decide(granted, where), decide(grantOf(all, 0).permissions, where));
    }),
    { numRuns: 1000 },
  );
});

function always(subscription: Holdings['subscriptions'][number]) {
  return { ...subscription, startsAtMs: 0, endsAtMs: null };
}

test('until a grant changes by itself it stays as it is', () => {
  fc.assert(
    fc.property(holdings, instant, fc.option(instant), (of, nowMs, expiresAtMs) => {
      const keyed = { ...of, key: { ...KEY, expiresAtMs } };
      const grant = grantOf(keyed, nowMs);
      for (let later = nowMs; later < Math.min(grant.changesAtMs, 8); later++) {
        assert.deepEqual(grantOf(keyed, later), grant);
      }
    }),
    { numRuns: 2000 },
  );
});

test('an explanation tells what is decided, and of every permission what became of it', () => {
  fc.assert(
    fc.property(holdings, market, instant, (of, where, nowMs) => {
      const told = explain(of, where, nowMs);
      assert.deepEqual(told.decision, decide(grantOf(of, nowMs).permissions, where));
      const meets = ({ conditionKind, conditionValue }: Permission) =>
        conditionKind === 'worldwide' ||
        (conditionValue !== '' && where[conditionKind] === conditionValue);
      const count = of.subscriptions.flatMap((s) => s.permissions).filter(meets).length;
      assert.equal(told.findings.length, count, 'none is missing, none is told twice');
      for (const { permission: each, subscriptionId, planId, verdict, why } of told.findings) {
        const subscription = of.subscriptions.find(({ id }) => id === subscriptionId);
        assert.ok(subscription);
        assert.ok(subscription.permissions.includes(each));
        assert.equal(planId, subscription.planId);
        assert.match(why, /^Plan [pq] \(subscription s\d\) .*[^.]\.$/);
        assert.equal(verdict, verdictBy(of, where, nowMs, each, subscription), why);
      }
      assert.equal(
        told.decision.length > 0,
        told.findings.some((f) => f.verdict === 'decides'),
      );
    }),
    { numRuns: 5000 },
  );
});

/** Slow, and by the words alone. */
function verdictBy(
  of: Holdings,
  where: Market,
  nowMs: number,
  each: Permission,
  { startsAtMs, endsAtMs }: Holdings['subscriptions'][number],
): Verdict {
  if (endsAtMs !== null && nowMs >= endsAtMs) return 'ended';
  if (nowMs < startsAtMs) return 'not-started';
  if (each.quoteLevel === QuoteLevel.UNSPECIFIED) return 'grants-nothing';
  const kinds = ['mic', 'country', 'continent', 'worldwide'] as const;
  const isMoreSpecific = kinds.slice(0, kinds.indexOf(each.conditionKind));
  if (isMoreSpecific.some((kind) => saidOf(kind, of, where, nowMs).length > 0)) {
    return 'less-specific';
  }
  if (each.quoteLevel === QuoteLevel.ACCESS_FORBIDDEN) return 'decides';
  const others = saidOf(each.conditionKind, of, where, nowMs);
  if (others.some(({ quoteLevel }) => quoteLevel === QuoteLevel.ACCESS_FORBIDDEN)) {
    return 'forbidden';
  }
  const shows = (one: Permission, other: Permission) =>
    LEVELS.indexOf(one.quoteLevel) >= LEVELS.indexOf(other.quoteLevel) &&
    one.delayMinutes <= other.delayMinutes;
  const isCovered = others.some((other) => shows(other, each) && !shows(each, other));
  return isCovered ? 'covered' : 'decides';
}

test('the order of subscriptions and permissions changes nothing', () => {
  const shuffled = holdings.chain((of) =>
    fc.tuple(
      fc.constant(of),
      fc.shuffledSubarray([...of.subscriptions], { minLength: of.subscriptions.length }),
    ),
  );
  fc.assert(
    fc.property(shuffled, market, instant, ([of, subscriptions], where, nowMs) => {
      const turned = subscriptions.map((each) => ({
        ...each,
        permissions: each.permissions.toReversed(),
      }));
      const told = explain({ ...of, subscriptions: turned }, where, nowMs);
      assert.deepEqual(told, explain(of, where, nowMs));
    }),
  );
});

const NOW = Date.UTC(2026, 6, 24);
const XNAS: Market = { mic: 'XNAS', country: 'US', continent: 'NA' };

function plan(planId: string, permissions: readonly Permission[], change = {}) {
  return {
    ...{ id: `of-${planId}`, clientId: 'c', planId, startsAtMs: 0, endsAtMs: null, permissions },
    ...change,
  };
}

function on(
  conditionKind: Permission['conditionKind'],
  conditionValue: string,
  quoteLevel: QuoteLevel,
  delayMinutes = 0,
): Permission {
  return { conditionKind, conditionValue, quoteLevel, delayMinutes };
}

test('an explanation can be read', () => {
  const subscriptions = [
    plan('deep', [on('mic', 'XNAS', QuoteLevel.DEPTH_OF_BOOK, 15)]),
    plan('fast', [
      on('mic', 'XNAS', QuoteLevel.LAST_PRICE),
      on('mic', 'XNAS', QuoteLevel.UNSPECIFIED),
      on('mic', 'XLON', QuoteLevel.DEPTH_OF_BOOK),
      on('worldwide', '', QuoteLevel.LAST_PRICE, 20),
    ]),
    plan('slow', [on('mic', 'XNAS', QuoteLevel.DEPTH_OF_MARKET, 20)]),
    plan('past', [on('country', 'US', QuoteLevel.LAST_PRICE)], { endsAtMs: NOW }),
    plan('next', [on('mic', 'XNAS', QuoteLevel.LAST_PRICE)], { startsAtMs: NOW + 1 }),
  ];
  const told = explain({ key: KEY, accounts: [], subscriptions }, XNAS, NOW);
  assert.equal(told.outcome, 'granted');
  assert.equal(
    told.why,
    'Of XNAS the key sees the full book 15 minutes late and the last price in real time, by what is granted for the MIC XNAS.',
  );
  assert.equal(told.changesAtMs, NOW + 1);
  assert.deepEqual(
    told.findings.map(({ verdict, why }) => `${verdict}: ${why}`),
    [
      'decides: Plan deep (subscription of-deep) shows the full book 15 minutes late for the MIC XNAS, and nothing is more specific than a MIC.',
      'decides: Plan fast (subscription of-fast) shows the last price in real time for the MIC XNAS, and nothing is more specific than a MIC.',
      'covered: Plan slow (subscription of-slow) shows the aggregated book 20 minutes late for the MIC XNAS, but Plan deep (subscription of-deep) shows the full book 15 minutes late there, which is at least as much and no later.',
      'grants-nothing: Plan fast (subscription of-fast) names no quote level, and so grants nothing.',
      'less-specific: Plan fast (subscription of-fast) shows the last price 20 minutes late for the whole world, but Plan deep (subscription of-deep) has a permission for the MIC XNAS, which is more specific.',
      'not-started: Plan next (subscription of-next) starts at 2026-07-24T00:00:00.001Z.',
      'ended: Plan past (subscription of-past) ended at 2026-07-24T00:00:00.000Z.',
    ],
  );
});

test('of plans that say the same the first by its name is told, whatever their order', () => {
  const seen = on('mic', 'XNAS', QuoteLevel.LAST_PRICE);
  const world = [on('worldwide', '', QuoteLevel.ACCESS_FORBIDDEN)];
  // Each its own: no plan has the objects of another.
  const plans = [plan('a', [{ ...seen }]), plan('b', [{ ...seen }]), plan('c', world)];
  for (const subscriptions of [plans, plans.toReversed()]) {
    const told = explain({ key: KEY, accounts: [], subscriptions }, XNAS, NOW);
    assert.match(
      told.findings.at(-1)?.why ?? '',
      /but Plan a .* has a permission for the MIC XNAS/,
    );
  }
});

test('what is forbidden is told so, by every plan that forbids it', () => {
  const subscriptions = [
    plan('a', [on('country', 'US', QuoteLevel.ACCESS_FORBIDDEN, 15)]),
    plan('b', [on('country', 'US', QuoteLevel.ACCESS_FORBIDDEN)]),
    plan('c', [on('country', 'US', QuoteLevel.DEPTH_OF_BOOK)]),
  ];
  const told = explain({ key: KEY, accounts: [], subscriptions }, XNAS, NOW);
  assert.equal(told.outcome, 'forbidden');
  assert.equal(told.why, 'Access to XNAS is forbidden by what is granted for the country US.');
  assert.deepEqual(
    told.findings.map(({ verdict, why }) => `${verdict}: ${why}`),
    [
      'decides: Plan b (subscription of-b) forbids access for the country US, and nothing more specific applies, and to forbid beats every level.',
      'decides: Plan a (subscription of-a) forbids access for the country US, and nothing more specific applies, and to forbid beats every level.',
      'forbidden: Plan c (subscription of-c) shows the full book in real time for the country US, but Plan b (subscription of-b) forbids access there, which beats every level.',
    ],
  );
});

test('a key that is refused sees nothing, whatever is granted', () => {
  const subscriptions = [plan('p', [on('mic', 'XNAS', QuoteLevel.LAST_PRICE)])];
  for (const [change, refusal, why] of [
    [{ revokedAtMs: NOW - 1000 }, 'KEY_REVOKED', 'was revoked at 2026-07-23T23:59:59.000Z'],
    [{ expiresAtMs: NOW }, 'KEY_EXPIRED', 'expired at 2026-07-24T00:00:00.000Z'],
  ] as const) {
    const told = explain({ key: { ...KEY, ...change }, accounts: [], subscriptions }, XNAS, NOW);
    assert.equal(told.refusal, refusal);
    assert.equal(told.outcome, 'nothing');
    assert.deepEqual(told.decision, []);
    assert.equal(told.why, `The key k ${why} and sees nothing, whatever its client's plans grant.`);
    assert.deepEqual(
      told.findings.map(({ verdict }) => verdict),
      ['decides'],
    );
  }
});

test('where no country is known, and the MIC does not decide, that is told', () => {
  const nowhere = { mic: '#WWCP', country: '', continent: '' };
  const whyBy = (...permissions: Permission[]) => {
    const subscriptions = [plan('p', permissions)];
    return explain({ key: KEY, accounts: [], subscriptions }, nowhere, NOW).why;
  };
  assert.equal(
    whyBy(),
    'No plan that runs grants anything for #WWCP, for which no country is known.',
  );
  assert.equal(
    whyBy(on('worldwide', '', QuoteLevel.LAST_PRICE)),
    'Of #WWCP, for which no country is known, the key sees the last price in real time, by what is granted for the whole world.',
  );
  assert.equal(
    whyBy(on('worldwide', '', QuoteLevel.ACCESS_FORBIDDEN)),
    'Access to #WWCP, for which no country is known, is forbidden by what is granted for the whole world.',
  );
  assert.equal(
    whyBy(on('mic', '#WWCP', QuoteLevel.LAST_PRICE)),
    'Of #WWCP the key sees the last price in real time, by what is granted for the MIC #WWCP.',
  );
});

test('where nothing is granted that is told', () => {
  const told = explain({ key: KEY, accounts: [], subscriptions: [] }, XNAS, NOW);
  assert.equal(told.outcome, 'nothing');
  assert.equal(told.why, 'No plan that runs grants anything for XNAS.');
  assert.deepEqual(told.findings, []);
});
