/** Changes of resources in a SQL database: what is expected, what follows, and who hears of it. */
import { isDeepStrictEqual } from 'node:util';
import { AppError } from '../../domain/errors.ts';
import type { Account, ApiKey, AuditEntry, Operator } from '../../domain/model.ts';
import { ownerNeededUntil } from '../../domain/operator.ts';
import {
  type Change,
  type ChangeBy,
  type ChangeOutcome,
  REQUEST_MS_KEPT,
  type RequestRecord,
  type ResourceChange,
  type ResourceKind,
  type Resources,
  type Stored,
} from '../store.ts';
import type { Written } from '../writes.ts';
import type { AuditLog } from './audit.ts';
import { stateOf } from './audit-states.ts';
import { changed, first, rows, type Sql } from './query.ts';
import { contentOf, readResource } from './resource-reads.ts';
import { drop, PUT } from './resource-writes.ts';
import { endSessions, noteRevokedWith, revocationsOf } from './sessions.ts';

/** Every statement of a change that is about more than the resource itself. */
export const CHANGE_SQL = {
  planHolders: 'SELECT DISTINCT client_id AS "clientId" FROM subscription WHERE plan_id = ?',
  otherOwner: `
    SELECT id FROM operator
    WHERE role = 'owner' AND id <> ?1 AND revoked_at_ms IS NULL
      AND (expires_at_ms IS NULL OR expires_at_ms > ?2)
    LIMIT 1`,
  accountKeys: 'SELECT key_id AS id FROM api_key_account WHERE account_id = ?',
  request: `
    SELECT body_hash AS "bodyHash", resource_id AS "resourceId", at_ms AS "atMs" FROM request
    WHERE operator_id = ? AND request_id = ?`,
  noteRequest: `
    INSERT INTO request (operator_id, request_id, body_hash, resource_id, at_ms)
    VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (operator_id, request_id) DO UPDATE SET body_hash = excluded.body_hash,
      resource_id = excluded.resource_id, at_ms = excluded.at_ms`,
  // Two for each that comes: they never pile up.
  dropRequests: `
    DELETE FROM request WHERE (operator_id, request_id) IN
      (SELECT operator_id, request_id FROM request WHERE at_ms <= ? ORDER BY at_ms LIMIT 2)`,
} as const;

/** See Store.change. */
export function* changeResources(
  log: AuditLog,
  changes: readonly ResourceChange[],
  by: ChangeBy,
  request?: RequestRecord,
): Sql<Written<ChangeOutcome>> {
  const before = request && (yield* repeatedOf(request));
  if (before !== undefined) return { result: { repeatedOf: before, stored: [] }, changes: [] };
  const work = new Work(log, by);
  const stored: (Stored<Resources[ResourceKind]> | null)[] = [];
  for (const change of changes) stored.push(yield* work.apply(change));
  const [change] = changes;
  if (request !== undefined && change !== undefined) yield* noteRequest(request, change.id);
  return { result: { repeatedOf: undefined, stored }, changes: work.announcements() };
}

/** See Store.revokeKey: the audit entry is the caller's own, and tells before and after as well. */
export function* revokeKey(
  log: AuditLog,
  keyId: string,
  atMs: number,
  by: ChangeBy & { readonly action: string; readonly target: string },
): Sql<Written<boolean>> {
  const key = yield* readResource('key', keyId);
  if (key === undefined || key.revokedAtMs !== null) return { result: false, changes: [] };
  const work = new Work(log, by);
  const value = { ...contentOf(key), revokedAtMs: atMs };
  yield* work.put('key', value, key, by);
  return { result: true, changes: work.announcements() };
}

/** See Store.repeatedOf. */
export function* repeatedOf(request: RequestRecord): Sql<string | undefined> {
  const { operatorId, requestId, bodyHash, atMs } = request;
  const sql = CHANGE_SQL.request;
  const found = yield* first<{ bodyHash: string; resourceId: string; atMs: number }>(
    ...[sql, operatorId, requestId],
  );
  if (found === undefined || found.atMs <= atMs - REQUEST_MS_KEPT) return undefined;
  if (found.bodyHash === bodyHash) return found.resourceId;
  const message = `request id ${requestId} was used for another request; choose another`;
  throw new AppError('REQUEST_ID_REUSED', message);
}

function* noteRequest(request: RequestRecord, resourceId: string): Sql<void> {
  const { operatorId, requestId, bodyHash, atMs } = request;
  yield* changed(CHANGE_SQL.dropRequests, atMs - REQUEST_MS_KEPT);
  yield* changed(CHANGE_SQL.noteRequest, operatorId, requestId, bodyHash, resourceId, atMs);
}

/** One call's changes, and who must hear of them. */
class Work {
  readonly #log: AuditLog;
  readonly #by: ChangeBy;
  readonly #clientIds = new Set<string>();
  readonly #keyIds = new Set<string>();
  readonly #operatorIds = new Set<string>();
  readonly #sessions: Change[] = [];

  constructor(log: AuditLog, by: ChangeBy) {
    this.#log = log;
    this.#by = by;
  }

  announcements(): Change[] {
    return [
      ...[...this.#clientIds].map((clientId): Change => ({ kind: 'client', clientId })),
      ...[...this.#keyIds].map((keyId): Change => ({ kind: 'key', keyId })),
      ...[...this.#operatorIds].map((operatorId): Change => ({ kind: 'operator', operatorId })),
      ...this.#sessions,
    ];
  }

  /** What is there after it; null when it was deleted. */
  *apply<K extends ResourceKind>(change: ResourceChange<K>): Sql<Stored<Resources[K]> | null> {
    const { kind, id, value } = change;
    const before = yield* readResource(kind, id);
    checkExpected(change, before);
    if (kind === 'operator')
      yield* this.#checkOwner(before as Stored<Operator>, value as Operator | null);
    const entry = { action: `${kind}.${change.action}`, target: `${kind}:${id}` };
    if (value !== null) {
      if (value.id !== id) throw new Error(`${kind} ${id} cannot become ${value.id}`);
      const isThere = change.expect === 'any' && before !== undefined;
      if (isThere && isDeepStrictEqual(contentOf(before), normal(value))) return before;
      return yield* this.put(kind, value, before, entry);
    }
    if (before === undefined) throw notFound(kind, id);
    yield* this.#touch(kind, contentOf(before));
    if (kind === 'account') yield* this.#leaveKeys(id);
    const ended = kind === 'key' ? yield* endSessions(id, this.#by.atMs) : [];
    yield* drop(kind, id);
    const was = { before: stateOf(this.#log.key, kind, before) };
    yield* noteRevokedWith(this.#log, this.#entryOf(entry, was), ended);
    this.#sessions.push(...revocationsOf(ended));
    return null;
  }

  /** One owner is left who can act, whatever is asked for at the same time. */
  *#checkOwner(before: Stored<Operator> | undefined, after: Operator | null): Sql<void> {
    const untilMs = before && ownerNeededUntil(before, after, this.#by.atMs);
    if (untilMs === undefined) return;
    if ((yield* first(CHANGE_SQL.otherOwner, before?.id ?? '', untilMs)) !== undefined) return;
    const advice = 'make another owner first, or give the token an end more than a day from now';
    throw new AppError('LAST_OWNER', `no owner would be left who can act; ${advice}`);
  }

  /** Puts the value in place, with an audit entry of this action and target. */
  *put<K extends ResourceKind>(
    kind: K,
    value: Resources[K],
    before: Stored<Resources[K]> | undefined,
    entry: { readonly action: string; readonly target: string },
  ): Sql<Stored<Resources[K]>> {
    if (before !== undefined) yield* this.#touch(kind, contentOf(before));
    if (kind === 'account' && before !== undefined) {
      // The kind says which it is.
      const [was, is] = [before, value] as unknown as [Account, Account];
      if (was.clientId !== is.clientId) yield* this.#leaveKeys(is.id);
    }
    const { atMs } = this.#by;
    const version = yield* this.#log.nextSequence();
    yield* PUT[kind](value, [version, atMs, before?.createdAtMs ?? atMs]);
    yield* this.#touch(kind, value);
    const after = yield* readResource(kind, value.id);
    if (after === undefined) throw new Error(`${kind} ${value.id} is not there after it was put`);
    const was = before === undefined ? {} : { before: stateOf(this.#log.key, kind, before) };
    const is = { after: stateOf(this.#log.key, kind, after) };
    yield* this.#log.append(this.#entryOf(entry, { ...was, ...is }));
    return after;
  }

  /** An account goes: the keys that list it list it no more, each by a change of its own. */
  *#leaveKeys(accountId: string): Sql<void> {
    for (const { id } of yield* rows<{ id: string }>(CHANGE_SQL.accountKeys, accountId)) {
      const key = yield* readResource('key', id);
      if (key === undefined) continue;
      const accountIds = key.accountIds.filter((each) => each !== accountId);
      const entry = { action: 'key.update', target: `key:${id}` };
      yield* this.put('key', { ...contentOf(key), accountIds }, key, entry);
    }
  }

  #entryOf(
    { action, target }: { readonly action: string; readonly target: string },
    change: Readonly<Record<string, unknown>>,
  ): AuditEntry {
    const { actor, atMs, remoteAddress, detail } = this.#by;
    const entry = { actor, atMs, remoteAddress, action, target };
    return { ...entry, detail: { ...detail, ...change } };
  }

  *#touch<K extends ResourceKind>(kind: K, value: Resources[K]): Sql<void> {
    if (kind === 'key') this.#keyIds.add(value.id);
    else if (kind === 'operator') this.#operatorIds.add(value.id);
    else if (kind === 'client') this.#clientIds.add(value.id);
    else if (kind === 'plan') {
      const holders = yield* rows<{ clientId: string }>(CHANGE_SQL.planHolders, value.id);
      for (const { clientId } of holders) this.#clientIds.add(clientId);
    } else if ('clientId' in value) this.#clientIds.add(value.clientId);
  }
}

function checkExpected(change: ResourceChange, before: Stored<object> | undefined): void {
  const { kind, id, expect } = change;
  if (expect === 'any') return;
  if (expect === 'absent') {
    if (before === undefined) return;
    throw new AppError('RESOURCE_EXISTS', `there is a ${kind} ${id} already`);
  }
  if (before === undefined) throw notFound(kind, id);
  if (before.version === expect) return;
  const message = `${kind} ${id} is at version ${before.version}, not ${expect}; read it again`;
  throw new AppError('VERSION_CONFLICT', message);
}

function notFound(kind: ResourceKind, id: string): AppError {
  return new AppError('RESOURCE_NOT_FOUND', `there is no ${kind} ${id}`);
}

/** A value as it is read back: a key's accounts are sorted, each once. */
function normal<R extends object>(value: R): R {
  if (!('accountIds' in value)) return value;
  const { accountIds } = value as unknown as ApiKey;
  return { ...value, accountIds: [...new Set(accountIds)].toSorted() };
}
