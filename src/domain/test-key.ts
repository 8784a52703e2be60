/** A key for tests. */
import type { ApiKey } from './model.ts';

/** One that may do anything with all accounts of its client, but for what `more` says. */
export function keyOf(id: string, clientId: string, more: Partial<ApiKey> = {}): ApiKey {
  return {
    id,
    clientId,
    label: '',
    secretMac: '',
    allAccounts: true,
    accountIds: [],
    readonly: false,
    callsMax: {},
    sourceNetworks: [],
    expiresAtMs: null,
    revokedAtMs: null,
    previousSecretMac: null,
    previousSecretEndsAtMs: null,
    ...more,
  };
}
