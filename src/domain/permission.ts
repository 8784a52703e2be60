/** Market data permissions: their levels, their order, and how those of several plans join. */

/** The quote levels by their contract numbers. The number is a name, not a rank. */
export const QuoteLevel = {
  UNSPECIFIED: 0,
  LAST_PRICE: 1,
  BEST_BID_OFFER: 2,
  DEPTH_OF_MARKET: 3,
  DEPTH_OF_BOOK: 4,
  ACCESS_FORBIDDEN: 5,
} as const;
export type QuoteLevel = (typeof QuoteLevel)[keyof typeof QuoteLevel];

/** How much each level shows; explicit, because the contract's numbers promise no order. */
const RANK: Readonly<Record<QuoteLevel, number>> = {
  [QuoteLevel.UNSPECIFIED]: 0,
  [QuoteLevel.LAST_PRICE]: 1,
  [QuoteLevel.BEST_BID_OFFER]: 2,
  [QuoteLevel.DEPTH_OF_MARKET]: 3,
  [QuoteLevel.DEPTH_OF_BOOK]: 4,
  [QuoteLevel.ACCESS_FORBIDDEN]: 5,
};

/** Where a permission holds, from the most specific kind to the least. */
export const CONDITION_KINDS = ['mic', 'country', 'continent', 'worldwide'] as const;
export type ConditionKind = (typeof CONDITION_KINDS)[number];

export interface Permission {
  readonly quoteLevel: QuoteLevel;
  /** Minutes by which the data is late; 0 is real time. */
  readonly delayMinutes: number;
  readonly conditionKind: ConditionKind;
  /** The MIC, country or continent; empty for worldwide. */
  readonly conditionValue: string;
}

/** A market as conditions see it. */
export interface Market {
  readonly mic: string;
  /** ISO 3166, two letters; empty for a market of no country, or of an unknown one. */
  readonly country: string;
  /** Two letters (see country.ts); empty where the country is. */
  readonly continent: string;
}

/** True when `a` makes `b` superfluous: same condition, and forbids it, or shows as much as early. */
export function covers(a: Permission, b: Permission): boolean {
  if (a.conditionKind !== b.conditionKind || a.conditionValue !== b.conditionValue) return false;
  if (a.quoteLevel === QuoteLevel.ACCESS_FORBIDDEN) return true;
  if (b.quoteLevel === QuoteLevel.ACCESS_FORBIDDEN) return false;
  return RANK[a.quoteLevel] >= RANK[b.quoteLevel] && a.delayMinutes <= b.delayMinutes;
}

/** By condition, the most specific kind first, then the highest level, then the shortest delay. */
export function comparePermissions(a: Permission, b: Permission): number {
  return (
    CONDITION_KINDS.indexOf(a.conditionKind) - CONDITION_KINDS.indexOf(b.conditionKind) ||
    (a.conditionValue < b.conditionValue ? -1 : a.conditionValue > b.conditionValue ? 1 : 0) ||
    RANK[b.quoteLevel] - RANK[a.quoteLevel] ||
    a.delayMinutes - b.delayMinutes
  );
}

/**
 * Joins what several plans grant, without granting what none of them does: a permission is dropped
 * only where another for the same condition has at least its level and no more delay.
 * UNSPECIFIED grants nothing. The result's order is stable: by condition, then by level.
 */
export function joinPermissions(granted: Iterable<Permission>): Permission[] {
  const kept: Permission[] = [];
  for (const next of [...granted].sort(comparePermissions)) {
    if (next.quoteLevel === QuoteLevel.UNSPECIFIED) continue;
    if (!kept.some((other) => covers(other, next))) kept.push(next);
  }
  return kept;
}

/** True where the permission's condition is met. */
export function isFor({ conditionKind, conditionValue }: Permission, market: Market): boolean {
  if (conditionKind === 'worldwide') return true;
  return conditionValue !== '' && conditionValue === market[conditionKind];
}

/**
 * What may be seen of a market: of all that is granted, what is for the most specific condition
 * that matches, joined. One that forbids stands alone; several show more the later; none grants
 * nothing.
 */
export function decide(granted: Iterable<Permission>, market: Market): Permission[] {
  const matching = joinPermissions([...granted].filter((each) => isFor(each, market)));
  // A market meets one condition of each kind, and the joined begin with the most specific kind.
  const kind = matching[0]?.conditionKind;
  return matching.filter(({ conditionKind }) => conditionKind === kind);
}

/** True where who sees `level` sees at least what `wanted` shows; nobody sees what is forbidden. */
export function reaches(level: QuoteLevel, wanted: QuoteLevel): boolean {
  return level !== QuoteLevel.ACCESS_FORBIDDEN && RANK[level] >= RANK[wanted];
}
