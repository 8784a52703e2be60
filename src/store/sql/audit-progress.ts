/** How far a verification of the audit log has come, for people who wait for it. */
import { VERIFY_SQL } from './audit-verify.ts';
import { VOUCHED_SQL } from './audit-vouched.ts';
import type { Query, Sql } from './query.ts';

/**
 * Does `verification`, and tells of entries, and then of resources, as it comes to them.
 * @param onChecked told how many more there are
 */
export function* watched<R>(
  verification: Sql<R>,
  onChecked: (count: number) => void,
): Generator<Query, R, unknown> {
  let step = verification.next();
  while (step.done !== true) {
    let found: unknown;
    try {
      found = yield step.value;
    } catch (error) {
      step = verification.throw(error);
      continue;
    }
    if (step.value.sql === VERIFY_SQL.keptAudits) onChecked((found as unknown[]).length);
    else if (step.value.sql === VOUCHED_SQL.entry) onChecked(1);
    step = verification.next(found);
  }
  return step.value;
}
