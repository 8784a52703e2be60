/** Records for tests of the store; short ids say what belongs to what. */
import type {
  Account,
  ApiKey,
  AuditEntry,
  Client,
  Plan,
  Session,
  Subscription,
} from '../domain/model.ts';
import type { Permission } from '../domain/permission.ts';
import type { Records } from './store.ts';

/** The instant at which the tests take place. */
export const NOW_MS = 1_750_000_000_000;

/** Records with nothing in them but what is given. */
export function records(some: Partial<Records>): Records {
  return { clients: [], accounts: [], plans: [], subscriptions: [], keys: [], ...some };
}

export function client(id: string): Client {
  return { id, name: `Client ${id}` };
}

export function account(id: string, clientId: string, readonly = false): Account {
  return { id, clientId, readonly };
}

export function permission(mic: string, more: Partial<Permission> = {}): Permission {
  return {
    quoteLevel: 3,
    delayMinutes: 15,
    conditionKind: 'mic',
    conditionValue: mic,
    ...more,
  };
}

export function plan(id: string, ...permissions: Permission[]): Plan {
  return { id, name: `Plan ${id}`, permissions };
}

export function subscription(id: string, clientId: string, planId: string): Subscription {
  return { id, clientId, planId, startsAtMs: NOW_MS - 1_000, endsAtMs: null };
}

export function key(id: string, clientId: string, more: Partial<ApiKey> = {}): ApiKey {
  return {
    id,
    clientId,
    label: `Key ${id}`,
    secretMac: `mac-of-${id}`,
    allAccounts: true,
    accountIds: [],
    readonly: false,
    callsMax: {},
    expiresAtMs: null,
    revokedAtMs: null,
    ...more,
  };
}

export function session(id: string, keyId: string, more: Partial<Session> = {}): Session {
  return {
    id,
    keyId,
    clientId: 'c1',
    sourceAppId: 'terminal',
    remoteAddress: '192.0.2.7',
    issuedAtMs: NOW_MS,
    expiresAtMs: NOW_MS + 903_000,
    revokedAtMs: null,
    ...more,
  };
}

export function audit(action: string, target: string, more: Partial<AuditEntry> = {}): AuditEntry {
  return {
    atMs: NOW_MS,
    actor: 'operator:test',
    action,
    target,
    remoteAddress: '',
    detail: {},
    ...more,
  };
}

/** Client c1 with accounts a1 and a2 (readonly), plan p1 by subscription s1, and key k1. */
export const HOUSEHOLD: Records = {
  clients: [client('c1')],
  accounts: [account('a1', 'c1'), account('a2', 'c1', true)],
  plans: [plan('p1', permission('MISX'), permission('#RBRD', { delayMinutes: 0 }))],
  subscriptions: [subscription('s1', 'c1', 'p1')],
  keys: [key('k1', 'c1', { callsMax: { Auth: 7, TokenDetails: 5 } })],
};
