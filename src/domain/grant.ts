/** What a key may do at an instant, worked out from the records. */
import type { Holdings } from './model.ts';
import { joinPermissions, type Permission } from './permission.ts';

export interface Grant {
  readonly keyId: string;
  readonly clientId: string;
  /** null while the key works; else why not, for the log. */
  readonly refusal: 'KEY_REVOKED' | 'KEY_EXPIRED' | null;
  /** The key is readonly, or every account that it reaches is. */
  readonly readonly: boolean;
  /** Sorted. */
  readonly accountIds: readonly string[];
  /** In a stable order. */
  readonly permissions: readonly Permission[];
  /** Limits of this key's own: calls in any 60 seconds by the method's name. */
  readonly callsMax: Readonly<Record<string, number>>;
  /** When this grant changes by itself, milliseconds; Infinity when it does not. */
  readonly changesAtMs: number;
}

/** Works out what the key of `holdings` may do at `nowMs`. */
export function grantOf(holdings: Holdings, nowMs: number): Grant {
  const { key, subscriptions } = holdings;
  const accounts = holdings.accounts
    .filter((account) => key.allAccounts || key.accountIds.includes(account.id))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const active = subscriptions.filter(
    (s) => s.startsAtMs <= nowMs && (s.endsAtMs === null || nowMs < s.endsAtMs),
  );
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
    accountIds: accounts.map((a) => a.id),
    permissions: joinPermissions(active.flatMap((s) => s.permissions)),
    callsMax: key.callsMax,
    changesAtMs: Math.min(...instants, Number.POSITIVE_INFINITY),
  };
}
