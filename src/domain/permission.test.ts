import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CONDITION_KINDS, joinPermissions, type Permission, QuoteLevel } from './permission.ts';

/** What shows more comes later; the reference has its own list, not the code's. */
const LEVELS: readonly QuoteLevel[] = [
  QuoteLevel.LAST_PRICE,
  QuoteLevel.BEST_BID_OFFER,
  QuoteLevel.DEPTH_OF_MARKET,
  QuoteLevel.DEPTH_OF_BOOK,
];
const DELAYS = [0, 15, 20];

/** Few values, so that permissions meet. */
const permission: fc.Arbitrary<Permission> = fc
  .record(
    {
      quoteLevel: fc.constantFrom(...Object.values(QuoteLevel)),
      delayMinutes: fc.constantFrom(...DELAYS),
      conditionKind: fc.constantFrom(...CONDITION_KINDS),
      conditionValue: fc.constantFrom('A', 'B', '#C', '_d'),
    },
    { noNullPrototype: true },
  )
  .map((each) => (each.conditionKind === 'worldwide' ? { ...each, conditionValue: '' } : each));
const permissions = fc.array(permission, { maxLength: 12 });

function conditionOf({ conditionKind, conditionValue }: Permission): string {
  return `${conditionKind} ${conditionValue}`;
}

/** Slow, and by the words alone: each condition with each thing that may be seen there. */
function shown(granted: readonly Permission[]): string[] {
  const seen: string[] = [];
  for (const condition of new Set(granted.map(conditionOf))) {
    const here = granted.filter((each) => conditionOf(each) === condition);
    if (here.some(({ quoteLevel }) => quoteLevel === QuoteLevel.ACCESS_FORBIDDEN)) {
      seen.push(`${condition} forbidden`);
      continue;
    }
    for (const [rank, level] of LEVELS.entries()) {
      for (const delay of DELAYS) {
        const isShown = here.some(
          (each) => LEVELS.indexOf(each.quoteLevel) >= rank && each.delayMinutes <= delay,
        );
        if (isShown) seen.push(`${condition} ${level} after ${delay}`);
      }
    }
  }
  return seen.sort();
}

test('joined permissions show what the plans show, no more and no less', () => {
  fc.assert(
    fc.property(permissions, (granted) => {
      assert.deepEqual(shown(joinPermissions(granted)), shown(granted));
    }),
    { numRuns: 1000 },
  );
});

test('the result does not depend on the order, and is joined already', () => {
  const shuffled = permissions.chain((granted) =>
    fc.tuple(fc.constant(granted), fc.shuffledSubarray(granted, { minLength: granted.length })),
  );
  fc.assert(
    fc.property(shuffled, ([granted, other]) => {
      const joined = joinPermissions(granted);
      assert.deepEqual(joinPermissions(other), joined);
      assert.deepEqual(joinPermissions(joined), joined);
    }),
  );
});

test('each is one of those given, and none is superfluous', () => {
  fc.assert(
    fc.property(permissions, (granted) => {
      const joined = joinPermissions(granted);
      for (const [i, each] of joined.entries()) {
        assert.ok(granted.includes(each));
        assert.notEqual(each.quoteLevel, QuoteLevel.UNSPECIFIED);
        const others = joined.toSpliced(i, 1);
        assert.notDeepEqual(shown(others), shown(joined), JSON.stringify(each));
      }
    }),
  );
});

test('the order: by condition, then the highest level, then the shortest delay', () => {
  const make = (
    quoteLevel: QuoteLevel,
    delayMinutes: number,
    conditionKind: Permission['conditionKind'],
    conditionValue: string,
  ): Permission => ({ quoteLevel, delayMinutes, conditionKind, conditionValue });
  const ordered = [
    make(QuoteLevel.DEPTH_OF_BOOK, 15, 'mic', '#RBRD'),
    make(QuoteLevel.LAST_PRICE, 0, 'mic', '#RBRD'),
    make(QuoteLevel.ACCESS_FORBIDDEN, 0, 'mic', 'XNAS'),
    make(QuoteLevel.BEST_BID_OFFER, 0, 'mic', '_SPBZ'),
    make(QuoteLevel.LAST_PRICE, 0, 'country', 'RU'),
    make(QuoteLevel.LAST_PRICE, 0, 'continent', 'EU'),
    make(QuoteLevel.LAST_PRICE, 20, 'worldwide', ''),
  ];
  assert.deepEqual(joinPermissions(ordered.toReversed()), ordered);
});

test('a grant elsewhere does not lift what is forbidden here, nor the reverse', () => {
  const here = { conditionKind: 'mic', conditionValue: 'XNAS', delayMinutes: 0 } as const;
  const forbidden = { ...here, quoteLevel: QuoteLevel.ACCESS_FORBIDDEN };
  const granted = { ...here, quoteLevel: QuoteLevel.DEPTH_OF_BOOK };
  const everywhere = { ...granted, conditionKind: 'worldwide', conditionValue: '' } as const;
  assert.deepEqual(joinPermissions([granted, forbidden]), [forbidden]);
  assert.deepEqual(joinPermissions([everywhere, forbidden]), [forbidden, everywhere]);
});

test('nothing joined is nothing', () => {
  assert.deepEqual(joinPermissions([]), []);
});
