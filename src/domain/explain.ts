/** Why a key sees of a market what it sees: the answer of `decide`, told permission by permission. */
import { type Grant, grantOf, isActive } from './grant.ts';
import type { ApiKey, Holdings, Subscription } from './model.ts';
import {
  comparePermissions,
  covers,
  decide,
  isFor,
  type Market,
  type Permission,
  QuoteLevel,
} from './permission.ts';

/** What became of one permission. */
export type Verdict =
  /** What is answered is this. */
  | 'decides'
  /** Another condition that matches is more specific. */
  | 'less-specific'
  /** Another permission forbids access for the same condition. */
  | 'forbidden'
  /** Another permission for the same condition shows at least as much, no later. */
  | 'covered'
  /** Its level is UNSPECIFIED. */
  | 'grants-nothing'
  /** Its subscription starts later, or has ended: it does not apply. */
  | 'not-started'
  | 'ended';

/** One permission of a plan whose condition the market meets. */
export interface Finding {
  readonly permission: Permission;
  readonly planId: string;
  readonly subscriptionId: string;
  readonly verdict: Verdict;
  /** One English sentence. */
  readonly why: string;
}

export interface Explanation {
  readonly market: Market;
  /** null while the key works; else it is let see nothing. */
  readonly refusal: Grant['refusal'];
  readonly outcome: 'granted' | 'forbidden' | 'nothing';
  /** What is granted or forbids; empty for nothing. The same as `decide` says of the key's grant. */
  readonly decision: readonly Permission[];
  /** One English sentence about the outcome. */
  readonly why: string;
  /**
   * Those that decide, then the others that apply, then those whose subscription does not run; each
   * by condition and level.
   */
  readonly findings: readonly Finding[];
  /** When the answer may change by itself, milliseconds; Infinity when it does not. */
  readonly changesAtMs: number;
}

/** A permission with what grants it. */
interface Granted {
  readonly permission: Permission;
  readonly subscription: Subscription;
}

/** What is seen at each level, in words. */
const SEEN: Readonly<Record<QuoteLevel, string>> = {
  [QuoteLevel.UNSPECIFIED]: 'nothing',
  [QuoteLevel.LAST_PRICE]: 'the last price',
  [QuoteLevel.BEST_BID_OFFER]: 'the best bid and offer',
  [QuoteLevel.DEPTH_OF_MARKET]: 'the aggregated book',
  [QuoteLevel.DEPTH_OF_BOOK]: 'the full book',
  [QuoteLevel.ACCESS_FORBIDDEN]: 'nothing',
};

/**
 * Explains what the key of `holdings` may see of a market at `nowMs`. Where the key itself is
 * refused nothing is granted, and the findings tell what its client's plans would grant.
 */
export function explain(holdings: Holdings, market: Market, nowMs: number): Explanation {
  const grant = grantOf(holdings, nowMs);
  const decided = decide(grant.permissions, market);
  const granted = holdings.subscriptions
    .flatMap((subscription) =>
      subscription.permissions.map((permission) => ({ permission, subscription })),
    )
    .filter(({ permission }) => isFor(permission, market))
    .toSorted(compareGranted);
  const running = granted.filter(({ subscription }) => isActive(subscription, nowMs));
  const resting = granted.filter(({ subscription }) => !isActive(subscription, nowMs));
  const judged = running.map((each) => judge(each, decided, running));
  const decision = grant.refusal === null ? decided : [];
  return {
    market,
    refusal: grant.refusal,
    outcome: outcomeOf(decision),
    decision,
    why: whyRefused(grant, holdings.key) ?? whyOutcome(decision, market),
    findings: [
      ...judged.filter(({ verdict }) => verdict === 'decides'),
      ...judged.filter(({ verdict }) => verdict !== 'decides'),
      ...resting.map((each) => rest(each, nowMs)),
    ],
    changesAtMs: grant.changesAtMs,
  };
}

function compareGranted(a: Granted, b: Granted): number {
  const inOrder = (x: string, y: string) => (x < y ? -1 : x > y ? 1 : 0);
  return (
    comparePermissions(a.permission, b.permission) ||
    inOrder(a.subscription.planId, b.subscription.planId) ||
    inOrder(a.subscription.id, b.subscription.id)
  );
}

function outcomeOf([first]: readonly Permission[]): Explanation['outcome'] {
  if (first === undefined) return 'nothing';
  return first.quoteLevel === QuoteLevel.ACCESS_FORBIDDEN ? 'forbidden' : 'granted';
}

/** What becomes of a permission that applies. */
function judge(
  { permission, subscription }: Granted,
  decided: readonly Permission[],
  running: readonly Granted[],
): Finding {
  const told = { permission, planId: subscription.planId, subscriptionId: subscription.id };
  const plan = nameOf(subscription);
  const finding = (verdict: Verdict, why: string): Finding => ({ ...told, verdict, why });
  if (permission.quoteLevel === QuoteLevel.UNSPECIFIED) {
    return finding('grants-nothing', `${plan} names no quote level, and so grants nothing.`);
  }
  const its = `${plan} ${shown(permission)} for ${conditionOf(permission)}`;
  const better = decided.find((each) => covers(each, permission)) ?? decided[0];
  // Of several that say the same, the first by plan: which of them was kept when they were joined is chance.
  const by = better && running.find((each) => comparePermissions(each.permission, better) === 0);
  if (better === undefined || by === undefined) {
    throw new Error('of the permissions that apply one decides');
  }
  if (better.conditionKind !== permission.conditionKind) {
    const other = `${nameOf(by.subscription)} has a permission for ${conditionOf(better)}`;
    return finding('less-specific', `${its}, but ${other}, which is more specific.`);
  }
  // As much as each other: from two plans, or both forbid.
  if (covers(permission, better))
    return finding('decides', `${its}, and ${whyDecides(permission)}.`);
  const other = `${nameOf(by.subscription)} ${shown(better)} there`;
  return better.quoteLevel === QuoteLevel.ACCESS_FORBIDDEN
    ? finding('forbidden', `${its}, but ${other}, which beats every level.`)
    : finding('covered', `${its}, but ${other}, which is at least as much and no later.`);
}

function whyDecides({ quoteLevel, conditionKind }: Permission): string {
  const isMic = conditionKind === 'mic';
  const specific = isMic ? 'nothing is more specific than a MIC' : 'nothing more specific applies';
  if (quoteLevel !== QuoteLevel.ACCESS_FORBIDDEN) return specific;
  return `${specific}, and to forbid beats every level`;
}

/** What becomes of a permission whose subscription does not run. */
function rest({ permission, subscription }: Granted, nowMs: number): Finding {
  const { id, planId, startsAtMs, endsAtMs } = subscription;
  const told = { permission, planId, subscriptionId: id };
  const plan = nameOf(subscription);
  if (endsAtMs !== null && endsAtMs <= nowMs) {
    return { ...told, verdict: 'ended', why: `${plan} ended at ${instant(endsAtMs)}.` };
  }
  return { ...told, verdict: 'not-started', why: `${plan} starts at ${instant(startsAtMs)}.` };
}

/** Why the key sees nothing, whatever is granted; undefined while it works. */
function whyRefused({ refusal }: Grant, { id, revokedAtMs, expiresAtMs }: ApiKey) {
  if (refusal === null) return undefined;
  const verb = refusal === 'KEY_REVOKED' ? 'was revoked' : 'expired';
  const atMs = refusal === 'KEY_REVOKED' ? revokedAtMs : expiresAtMs;
  return `The key ${id} ${verb} at ${instant(atMs ?? 0)} and sees nothing, whatever its client's plans grant.`;
}

function whyOutcome(decision: readonly Permission[], { mic, country }: Market): string {
  const [first] = decision;
  // Where the MIC itself does not decide it counts that nothing for a country can be found.
  const isSomewhere = country !== '' || first?.conditionKind === 'mic';
  const market = isSomewhere ? mic : `${mic}, for which no country is known,`;
  if (first === undefined)
    return `No plan that runs grants anything for ${market.replace(/,$/, '')}.`;
  const condition = conditionOf(first);
  if (first.quoteLevel === QuoteLevel.ACCESS_FORBIDDEN) {
    return `Access to ${market} is forbidden by what is granted for ${condition}.`;
  }
  const seen = decision.map(({ quoteLevel, delayMinutes }) => seenAt(quoteLevel, delayMinutes));
  return `Of ${market} the key sees ${seen.join(' and ')}, by what is granted for ${condition}.`;
}

function nameOf({ id, planId }: Subscription): string {
  return `Plan ${planId} (subscription ${id})`;
}

function shown({ quoteLevel, delayMinutes }: Permission): string {
  if (quoteLevel === QuoteLevel.ACCESS_FORBIDDEN) return 'forbids access';
  return `shows ${seenAt(quoteLevel, delayMinutes)}`;
}

function seenAt(quoteLevel: QuoteLevel, delayMinutes: number): string {
  const when = delayMinutes === 0 ? 'in real time' : `${delayMinutes} minutes late`;
  return `${SEEN[quoteLevel]} ${when}`;
}

function conditionOf({ conditionKind, conditionValue }: Permission): string {
  if (conditionKind === 'worldwide') return 'the whole world';
  return `the ${conditionKind === 'mic' ? 'MIC' : conditionKind} ${conditionValue}`;
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}
