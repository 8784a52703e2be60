/** Changes as rows of the feed. */
import type { Change } from '../store.ts';

export interface FeedRow {
  readonly kind: string;
  readonly id: string;
  /** Of a session. */
  readonly expiresAtMs: number | null;
}

/** What a write announces as it is kept. */
export function changeRow(change: Change): FeedRow {
  const { kind } = change;
  switch (kind) {
    case 'client':
      return { kind, id: change.clientId, expiresAtMs: null };
    case 'key':
      return { kind, id: change.keyId, expiresAtMs: null };
    case 'session-revoked':
      return { kind, id: change.sessionId, expiresAtMs: change.expiresAtMs };
    case 'operator':
      return { kind, id: change.operatorId, expiresAtMs: null };
    case 'orders':
      return { kind, id: change.accountId, expiresAtMs: null };
    default:
      throw new Error(`no write announces ${kind}`);
  }
}

/** What a row says; a kind that this program does not know may be about anything. */
export function changeOf({ kind, id, expiresAtMs }: FeedRow): Change {
  switch (kind) {
    case 'client':
      return { kind, clientId: id };
    case 'key':
      return { kind, keyId: id };
    case 'session-revoked':
      return { kind, sessionId: id, expiresAtMs: expiresAtMs ?? 0 };
    case 'operator':
      return { kind, operatorId: id };
    case 'orders':
      return { kind, accountId: id };
    default:
      return { kind: 'everything' };
  }
}
