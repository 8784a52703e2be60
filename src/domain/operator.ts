/** How long operators' tokens work, and that one owner is left who can act. */
import type { Operator } from './model.ts';

const DAY_MS = 86_400_000;
/** How long a token works where nothing is said. */
export const OPERATOR_LIFE_MS = 90 * DAY_MS;
/** How long a token works at most. */
export const OPERATOR_LIFE_MS_MAX = 366 * DAY_MS;
/** An end that is set must leave an owner who can act for so long: time to see that, and to mend it. */
const OWNER_MS_MIN = DAY_MS;

/** True for an owner whose token works at an instant, unless something happens before. */
export function isOwnerAt({ role, revokedAtMs, expiresAtMs }: Operator, atMs: number): boolean {
  const isOver = expiresAtMs !== null && expiresAtMs <= atMs;
  return role === 'owner' && revokedAtMs === null && !isOver;
}

/**
 * Until when another owner must be able to act, so that a change leaves one; undefined where it takes
 * nothing from an owner.
 * @param after null where the operator is removed
 */
export function ownerNeededUntil(
  before: Operator,
  after: Operator | null,
  atMs: number,
): number | undefined {
  if (!isOwnerAt(before, atMs)) return undefined;
  if (after === null || !isOwnerAt(after, atMs)) return atMs;
  const [was, is] = [before, after].map((each) => each.expiresAtMs ?? Number.POSITIVE_INFINITY);
  const isShorter = (is as number) < (was as number);
  return isShorter && !isOwnerAt(after, atMs + OWNER_MS_MIN) ? atMs + OWNER_MS_MIN : undefined;
}
