/** What a key may do at an instant, worked out from the records. */
import { AppError } from './errors.ts';
import type { Holdings, Subscription } from './model.ts';
import {
  decide,
  joinPermissions,
  type Market,
  type Permission,
  QuoteLevel,
  reaches,
} from './permission.ts';

export interface Grant {
  readonly keyId: string;
  readonly clientId: string;
  /** null while the key works; else why not, for the log. */
  readonly refusal: 'KEY_REVOKED' | 'KEY_EXPIRED' | null;
  /** The key is readonly, or every account that it reaches is. */
  readonly readonly: boolean;
  /** The key itself is readonly. */
  readonly keyReadonly: boolean;
  /** Sorted. */
  readonly accountIds: readonly string[];
  /** Those of `accountIds` that are readonly by themselves; sorted. */
  readonly readonlyAccountIds: readonly string[];
  /** In a stable order. */
  readonly permissions: readonly Permission[];
  /** Limits of this key's own: calls in any 60 seconds by the method's name. */
  readonly callsMax: Readonly<Record<string, number>>;
  /** From where the key may sign in and have its tokens renewed; none: from everywhere. */
  readonly sourceNetworks: readonly string[];
  /** When the secret before the newest one ends, milliseconds; null where there is none. */
  readonly previousSecretEndsAtMs: number | null;
  /** When this grant changes by itself, milliseconds; Infinity when it does not. */
  readonly changesAtMs: number;
}

/** Shared by all keys that have none of their own, as most do. */
const NO_LIMITS: Grant['callsMax'] = {};

/** True from the start of a subscription up to its end, and not at it. */
export function isActive({ startsAtMs, endsAtMs }: Subscription, nowMs: number): boolean {
  return startsAtMs <= nowMs && (endsAtMs === null || nowMs < endsAtMs);
}

/** Works out what the key of `holdings` may do at `nowMs`. */
export function grantOf(holdings: Holdings, nowMs: number): Grant {
  const { key, subscriptions } = holdings;
  const accounts = holdings.accounts
    .filter((account) => key.allAccounts || key.accountIds.includes(account.id))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const active = subscriptions.filter((each) => isActive(each, nowMs));
  const instants = [
    key.expiresAtMs,
    ...subscriptions.flatMap((s) => [s.startsAtMs, s.endsAtMs]),
  ].filter((at): at is number => at !== null && at > nowMs);
  const expired = key.expiresAtMs !== null && key.expiresAtMs <= nowMs;
  return {
    keyId: key.id,
    clientId: key.clientId,
    refusal: key.revokedAtMs !== null ? 'KEY_REVOKED' : expired ? 'KEY_EXPIRED' : null,
    readonly: key.readonly || (accounts.length > 0 && accounts.every((a) => a.readonly)),
    keyReadonly: key.readonly,
    accountIds: accounts.map((a) => a.id),
    readonlyAccountIds: accounts.filter((a) => a.readonly).map((a) => a.id),
    permissions: joinPermissions(active.flatMap((s) => s.permissions)),
    callsMax: Object.keys(key.callsMax).length === 0 ? NO_LIMITS : key.callsMax,
    sourceNetworks: key.sourceNetworks,
    previousSecretEndsAtMs: key.previousSecretEndsAtMs,
    changesAtMs: Math.min(...instants, Number.POSITIVE_INFINITY),
  };
}

/**
 * Lets the holder of a grant read an account.
 * @throws AppError ACCOUNT_NOT_IN_TOKEN
 */
export function checkAccount(grant: Grant, accountId: string): void {
  if (grant.accountIds.includes(accountId)) return;
  throw new AppError('ACCOUNT_NOT_IN_TOKEN', 'the token does not hold the account');
}

/**
 * Lets the holder of a grant trade on an account.
 * @throws AppError ACCOUNT_NOT_IN_TOKEN, READONLY_SESSION or READONLY_ACCOUNT
 */
export function checkTrade(grant: Grant, accountId: string): void {
  checkAccount(grant, accountId);
  if (grant.keyReadonly) throw readonlySession();
  if (grant.readonlyAccountIds.includes(accountId)) {
    throw new AppError('READONLY_ACCOUNT', 'the account is readonly; trade on another');
  }
}

/**
 * Lets the holder of a grant trade, on whichever account.
 * @throws AppError READONLY_SESSION, also where every account is readonly
 */
export function checkTradeSomewhere(grant: Grant): void {
  if (grant.readonly) throw readonlySession();
}

function readonlySession(): AppError {
  return new AppError(
    'READONLY_SESSION',
    'the session is readonly; sign in with a key that trades',
  );
}

/**
 * Lets the holder of a grant see a market at `wanted` or more; UNSPECIFIED: at whatever there is.
 * @returns the permission that shows it the earliest; where any level will do, the highest
 * @throws AppError ACCESS_FORBIDDEN or QUOTE_LEVEL_TOO_LOW
 */
export function checkMarketData(grant: Grant, market: Market, wanted: QuoteLevel): Permission {
  const decided = decide(grant.permissions, market);
  if (decided[0]?.quoteLevel === QuoteLevel.ACCESS_FORBIDDEN) {
    throw new AppError('ACCESS_FORBIDDEN', `market data of ${market.mic} is forbidden`);
  }
  const enough = decided.filter(({ quoteLevel }) => reaches(quoteLevel, wanted));
  // By level, the highest first; of those that are joined, a lower one is there only if it is earlier.
  const found = wanted === QuoteLevel.UNSPECIFIED ? enough[0] : enough.at(-1);
  if (found !== undefined) return found;
  throw new AppError(
    'QUOTE_LEVEL_TOO_LOW',
    `what is granted of ${market.mic} does not reach the quote level; subscribe to a plan that does`,
  );
}
