/** What is remembered: the records, as every store engine holds them. Instants are milliseconds. */
import type { Permission } from './permission.ts';

export interface Client {
  readonly id: string;
  readonly name: string;
}

export interface Account {
  /** As the broker writes it, such as `1899011` or `TRQD05:146559`. */
  readonly id: string;
  readonly clientId: string;
  readonly readonly: boolean;
}

/** A named set of market data permissions. */
export interface Plan {
  readonly id: string;
  readonly name: string;
  readonly permissions: readonly Permission[];
}

/** A client's plan, from and until. */
export interface Subscription {
  readonly id: string;
  readonly clientId: string;
  readonly planId: string;
  readonly startsAtMs: number;
  /** null: it does not end. */
  readonly endsAtMs: number | null;
}

export interface ApiKey {
  readonly id: string;
  readonly clientId: string;
  readonly label: string;
  /** HMAC of the secret, naming its key's version (see secret.ts); unique. */
  readonly secretMac: string;
  /** true: all accounts of the client, also later ones; false: those of accountIds. */
  readonly allAccounts: boolean;
  readonly accountIds: readonly string[];
  readonly readonly: boolean;
  /** Calls in any 60 seconds by the method's name; the others have the method's own limit. */
  readonly callsMax: Readonly<Record<string, number>>;
  /** Networks or addresses (`192.0.2.0/24`) to sign in and renew from; none: from anywhere. */
  readonly sourceNetworks: readonly string[];
  readonly expiresAtMs: number | null;
  readonly revokedAtMs: number | null;
  /** HMAC of the secret before the newest one; null: only the newest works. */
  readonly previousSecretMac: string | null;
  /** Until when the secret before works as well; null exactly where there is none. */
  readonly previousSecretEndsAtMs: number | null;
}

/** What an operator may do; each may what the ones before it may, but for service: see access. */
export type OperatorRole = 'viewer' | 'operator' | 'owner' | 'service';

/** Who administers: a person, or a program of ours. */
export interface Operator {
  readonly id: string;
  readonly name: string;
  readonly role: OperatorRole;
  /** HMAC of the token, naming its key's version; unique. */
  readonly tokenMac: string;
  readonly expiresAtMs: number | null;
  readonly revokedAtMs: number | null;
}

export interface Session {
  readonly id: string;
  readonly keyId: string;
  readonly clientId: string;
  /** What the caller said in source_app_id; empty when it said nothing. */
  readonly sourceAppId: string;
  readonly remoteAddress: string;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  readonly revokedAtMs: number | null;
}

/** Who did what to what, written in the same transaction as the change itself. */
export interface AuditEntry {
  readonly atMs: number;
  /** Who: `key:ID` for a trader's program, `operator:NAME` or `propusk` for ourselves. */
  readonly actor: string;
  /** What, as noun.verb: `session.create`, `key.revoke`. */
  readonly action: string;
  /** To what: `session:ID`. */
  readonly target: string;
  /** From where; empty when it came from this machine. */
  readonly remoteAddress: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** A token signing key as it rests: sealed under the master key (see master-key.ts). */
export interface SealedSigningKey {
  /** The JWT's kid. */
  readonly id: string;
  readonly sealed: string;
  readonly createdAtMs: number;
}

/** Everything that decides what one key may do, read in one piece. */
export interface Holdings {
  readonly key: ApiKey;
  /** All accounts of the key's client. */
  readonly accounts: readonly Account[];
  /** All subscriptions of the key's client, each with what its plan grants. */
  readonly subscriptions: readonly (Subscription & {
    readonly permissions: readonly Permission[];
  })[];
}

/** A record with its place among all of its kind: it grows with each, for all accounts together. */
export type Numbered<T> = T & { readonly sequence: number };
