/** A clock that tests can step, and what they do to the records as an operator would. */
import { type Clock, systemClock } from '../src/domain/clock.ts';
import type { Account, ApiKey, AuditEntry } from '../src/domain/model.ts';
import type { ResourceChange, ResourceKind, Resources, Store } from '../src/store/store.ts';

/** The machine's clock, and so many milliseconds more. */
export class StepClock implements Clock {
  offsetMs = 0;

  now(): number {
    return systemClock.now() + this.offsetMs;
  }

  monotonic(): number {
    return systemClock.monotonic();
  }
}

function auditOf(action: string, target: string): AuditEntry {
  const actor = 'operator:test';
  return { atMs: Date.now(), actor, action, target, remoteAddress: '', detail: {} };
}

export async function revokeKey(store: Store, keyId: string): Promise<void> {
  const audit = auditOf('key.revoke', `key:${keyId}`);
  if (!(await store.revokeKey(keyId, Date.now(), audit))) throw new Error(`no key ${keyId}`);
}

export async function revokeSession(store: Store, sessionId: string): Promise<void> {
  const audit = auditOf('session.revoke', `session:${sessionId}`);
  if (!(await store.revokeSession(sessionId, Date.now(), audit))) throw new Error('no session');
}

/** What a token says; nothing is checked. */
export function claimsOf(token: string): Record<string, unknown> & { jti: string; exp: number } {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}

/** Puts resources in place, as an operator does; each is written, changed or not. */
export async function write<K extends ResourceKind>(
  store: Store,
  kind: K,
  values: readonly Resources[K][],
): Promise<void> {
  const changes: ResourceChange<K>[] = [];
  for (const value of values) {
    const expect = (await store.get(kind, value.id))?.version ?? 'absent';
    changes.push({ kind, id: value.id, action: 'put', expect, value });
  }
  await store.change(changes, { actor: 'operator:test', atMs: Date.now(), remoteAddress: '' });
}

/** Writes a key again, changed or not: whoever watches it looks at the clock and the records. */
export async function writeKey(
  store: Store,
  keyId: string,
  change: Partial<ApiKey> = {},
): Promise<void> {
  const found = await store.holdings(keyId);
  if (found === undefined) throw new Error(`no key ${keyId}`);
  await write(store, 'key', [{ ...found.key, ...change }]);
}

/** Writes accounts; `clients` are those that are not there yet. */
export async function putAccounts(
  store: Store,
  accounts: readonly Account[],
  clients: readonly string[] = [],
): Promise<void> {
  const named = clients.map((id) => ({ id, name: id }));
  await write(store, 'client', named);
  await write(store, 'account', accounts);
}

/** Writes a key that reaches all accounts of its client. */
export async function putKey(
  store: Store,
  id: string,
  clientId: string,
  secretMac: string,
): Promise<void> {
  const key: ApiKey = {
    ...{ id, clientId, secretMac, label: id, allAccounts: true, accountIds: [], readonly: false },
    ...{ callsMax: {}, sourceNetworks: [], expiresAtMs: null, revokedAtMs: null },
    ...{ previousSecretMac: null, previousSecretEndsAtMs: null },
  };
  await write(store, 'key', [key]);
}
