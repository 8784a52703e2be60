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

/** True when `a` makes `b` superfluous: same condition, and forbids it, or shows as much as early. */
function covers(a: Permission, b: Permission): boolean {
  if (a.conditionKind !== b.conditionKind || a.conditionValue !== b.conditionValue) return false;
  if (a.quoteLevel === QuoteLevel.ACCESS_FORBIDDEN) return true;
  if (b.quoteLevel === QuoteLevel.ACCESS_FORBIDDEN) return false;
  return RANK[a.quoteLevel] >= RANK[b.quoteLevel] && a.delayMinutes <= b.delayMinutes;
}

function compare(a: Permission, b: Permission): number {
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
  for (const next of [...granted].sort(compare)) {
    if (next.quoteLevel === QuoteLevel.UNSPECIFIED) continue;
    if (!kept.some((other) => covers(other, next))) kept.push(next);
  }
  return kept;
}
