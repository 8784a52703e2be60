/** What the audit log says of the things that it vouches for, and whether they are as it says. */
import type { KeyObject } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { digestOf } from '../../domain/audit-chain.ts';
import type { AuditEntry, Session } from '../../domain/model.ts';
import type { ResourceKind, Stored } from '../store.ts';
import type { Sql } from './query.ts';
import { contentOf, listResources } from './resource-reads.ts';

/** The kinds of resources, each of which the log tells about. */
export const KINDS: readonly ResourceKind[] = [
  ...(['client', 'account', 'plan', 'subscription', 'key', 'operator'] as const),
];

/** What must not be in the log, though it is hashed; the log has a keyed digest of them instead. */
const SECRETS = ['secretMac', 'previousSecretMac', 'tokenMac'];

/** Resources that are in memory at a time. */
const PAGE = 1_000;

/** The action of an entry that says again what one that goes has said. */
const CARRY = 'audit.carry';

/** A resource as the log tells it: without its stamps, which the entry has, and without secrets. */
export function stateOf(
  key: KeyObject,
  kind: ResourceKind,
  stored: Stored<{ readonly id: string }>,
): Record<string, unknown> {
  const entries = Object.entries(contentOf(stored));
  const [secret, told] = [
    entries.filter(([name]) => SECRETS.includes(name)),
    entries.filter(([name]) => !SECRETS.includes(name)),
  ];
  if (secret.length === 0) return Object.fromEntries(told);
  // By name, so that no secret passes for another of the same key.
  const content = secret.map(([name, value]) => JSON.stringify([name, value])).toSorted();
  const secrets = digestOf(key, `${kind}:${stored.id}`, content);
  return { ...Object.fromEntries(told), secrets };
}

/** True when a stored resource is what an entry's `after` says; old ones vouch for no secrets. */
export function isAsTold(
  key: KeyObject,
  kind: ResourceKind,
  stored: Stored<{ readonly id: string }>,
  after: unknown,
): boolean {
  // As it is read from an entry.
  const state = JSON.parse(JSON.stringify(stateOf(key, kind, stored)));
  const isOld = typeof after === 'object' && after !== null && !('secrets' in after);
  if (isOld) delete state.secrets;
  return isDeepStrictEqual(after, state);
}

/** Says what a resource is, which no other entry of the log says (any more). */
export function carryOf(
  key: KeyObject,
  kind: ResourceKind,
  stored: Stored<{ readonly id: string }>,
  atMs: number,
): AuditEntry {
  const detail = { version: stored.version, after: stateOf(key, kind, stored) };
  const what = { actor: 'propusk', action: CARRY, target: `${kind}:${stored.id}` };
  return { ...what, atMs, remoteAddress: '', detail };
}

/** Visits all resources of a kind, which are read in pages. */
export function* everyResource(
  kind: ResourceKind,
  visit: (stored: Stored<{ readonly id: string }>) => Sql<void>,
): Sql<void> {
  let afterId = '';
  for (;;) {
    const page = yield* listResources(kind, { afterId, limit: PAGE });
    for (const stored of page) yield* visit(stored);
    if (page.length < PAGE) return;
    afterId = page.at(-1)?.id ?? '';
  }
}

/** An entry, as far as it may speak of something. */
export interface Spoken {
  readonly sequence: number;
  readonly action: string;
  readonly target: string;
  readonly detail: string;
}

/** What an entry says has become of a resource. */
export interface Told {
  readonly kind: ResourceKind;
  readonly id: string;
  /** The resource's from then on. */
  readonly version: number;
  /** undefined: it was deleted. */
  readonly after: unknown;
}

/** Undefined where the entry says nothing about what a resource is. */
export function toldOf({ sequence, action, target, detail }: Spoken): Told | undefined {
  const kind = KINDS.find((each) => target.startsWith(`${each}:`));
  if (kind === undefined) return undefined;
  const { before, after, version } = parsed(detail);
  if (before === undefined && after === undefined) return undefined;
  const id = target.slice(kind.length + 1);
  const isCarried = action === CARRY && typeof version === 'number';
  return { kind, id, version: isCarried ? version : sequence, after };
}

/** The session that an entry says was made; undefined where it speaks of none. */
export function sessionIdOf({ action, target }: Pick<Spoken, 'action' | 'target'>) {
  if (action !== 'session.create') return undefined;
  return target.startsWith('session:') ? target.slice('session:'.length) : undefined;
}

/** All that a session is from its beginning on; only its revocation comes later. */
export function sessionState({ id, revokedAtMs, ...state }: Session): Readonly<object> {
  return state;
}

/** True when a session is as the entry of its creation says; old ones say less, or nothing. */
export function isSessionAsTold(session: Session, detail: string): boolean {
  const { session: told } = parsed(detail);
  if (typeof told !== 'object' || told === null) return true;
  const state = Object.entries(sessionState(session)).filter(([name]) => name in told);
  return isDeepStrictEqual(told, Object.fromEntries(state));
}

/** The sessions that an entry says were revoked. */
export function revokedIdsOf({ action, target, detail }: Spoken): readonly string[] {
  if (action === 'session.revoke' && target.startsWith('session:')) {
    return [target.slice('session:'.length)];
  }
  if (!detail.includes('"sessionIds"')) return [];
  const { sessionIds } = parsed(detail);
  return Array.isArray(sessionIds) ? sessionIds.map(String) : [];
}

/** A detail; one that somebody made unreadable has nothing in it. */
export function parsed(detail: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(detail) ?? {};
  } catch {
    return {};
  }
}
