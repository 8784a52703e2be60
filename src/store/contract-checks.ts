/** What the tests of the store assert again and again. */
import assert from 'node:assert/strict';
import { AppError, type Reason } from '../domain/errors.ts';
import type { Change, Store } from './store.ts';

/** Declares one test, which gets a store of its own. */
export type Check = (what: string, body: (store: Store) => Promise<void>) => void;

/** Passes when `promise` rejects with AppError of that reason, whose message matches. */
export async function refused(
  promise: Promise<unknown>,
  reason: Reason,
  message: RegExp = /./,
): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof AppError, String(error));
    assert.equal(error.reason, reason);
    assert.match(error.message, message);
    return true;
  });
}

/** The changes that a store announces from now on. */
export function heard(store: Store): Change[] {
  const changes: Change[] = [];
  store.subscribe((change) => changes.push(change));
  return changes;
}

/** Actions and targets of the audit entries, oldest first, but for those of what tests put first. */
export async function targets(store: Store): Promise<string[]> {
  const entries = (await store.audit(0, 1_000)).filter(({ action }) => !action.endsWith('.put'));
  return entries.map((entry) => `${entry.action} ${entry.target}`);
}
