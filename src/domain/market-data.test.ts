import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AppError } from './errors.ts';
import { checkMarketData, type Grant } from './grant.ts';
import { CONDITION_KINDS, joinPermissions, type Permission, QuoteLevel } from './permission.ts';

const MARKET = { mic: 'XNAS', country: 'US', continent: 'NA' };
const VALUES = { mic: 'XNAS', country: 'US', continent: 'NA', worldwide: '' } as const;
/** What each level shows, from the least to the most; the reference has its own list. */
const LEVELS = [
  QuoteLevel.LAST_PRICE,
  QuoteLevel.BEST_BID_OFFER,
  QuoteLevel.DEPTH_OF_MARKET,
  QuoteLevel.DEPTH_OF_BOOK,
] as const;

const permission: fc.Arbitrary<Permission> = fc
  .record({
    quoteLevel: fc.constantFrom(...Object.values(QuoteLevel)),
    delayMinutes: fc.constantFrom(0, 15, 20),
    conditionKind: fc.constantFrom(...CONDITION_KINDS),
    isOther: fc.boolean(),
  })
  .map(({ isOther, ...each }) => ({
    ...each,
    conditionValue:
      isOther && each.conditionKind !== 'worldwide' ? 'XX' : VALUES[each.conditionKind],
  }));

/** By the words alone: the shortest delay at which the level is seen, or the reason. */
function expected(granted: readonly Permission[], wanted: QuoteLevel): number | string {
  for (const kind of CONDITION_KINDS) {
    const here = granted.filter(
      (each) =>
        each.conditionKind === kind &&
        each.conditionValue === VALUES[kind] &&
        each.quoteLevel !== QuoteLevel.UNSPECIFIED,
    );
    if (here.length === 0) continue;
    if (here.some((each) => each.quoteLevel === QuoteLevel.ACCESS_FORBIDDEN)) {
      return 'ACCESS_FORBIDDEN';
    }
    const least = (LEVELS as readonly QuoteLevel[]).indexOf(wanted);
    const delays = here
      .filter((each) => (LEVELS as readonly QuoteLevel[]).indexOf(each.quoteLevel) >= least)
      .map(({ delayMinutes }) => delayMinutes);
    return delays.length === 0 ? 'QUOTE_LEVEL_TOO_LOW' : Math.min(...delays);
  }
  return 'QUOTE_LEVEL_TOO_LOW';
}

test('of a market is seen what is wanted, the earliest that is granted, or it is said why not', () => {
  const permissions = fc.array(permission, { maxLength: 8 });
  fc.assert(
    fc.property(permissions, fc.constantFrom(...LEVELS), (granted, wanted) => {
      const grant = { permissions: joinPermissions(granted) } as unknown as Grant;
      let seen: number | string;
      try {
        seen = checkMarketData(grant, MARKET, wanted).delayMinutes;
      } catch (error) {
        seen = error instanceof AppError ? error.reason : String(error);
      }
      assert.equal(seen, expected(granted, wanted));
    }),
    { numRuns: 2000 },
  );
});

test('where any level will do the highest is told', () => {
  const at = (quoteLevel: QuoteLevel, delayMinutes: number): Permission => ({
    ...{ quoteLevel, delayMinutes, conditionKind: 'mic', conditionValue: 'XNAS' },
  });
  const late = at(QuoteLevel.DEPTH_OF_BOOK, 15);
  const permissions = joinPermissions([at(QuoteLevel.LAST_PRICE, 0), late]);
  const grant = { permissions } as unknown as Grant;
  assert.deepEqual(checkMarketData(grant, MARKET, QuoteLevel.UNSPECIFIED), late);
});
