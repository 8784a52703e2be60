import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Operator } from './model.ts';
import { isOwnerAt, ownerNeededUntil } from './operator.ts';

const NOW = 1_000_000_000;
const DAY = 86_400_000;

function owner(more: Partial<Operator> = {}): Operator {
  const base = { id: 'o', name: 'O', role: 'owner', tokenMac: 'm' } as const;
  return { ...base, expiresAtMs: NOW + 90 * DAY, revokedAtMs: null, ...more };
}

test('an owner acts until the end of its token, unless it is revoked', () => {
  assert.ok(isOwnerAt(owner(), NOW));
  assert.ok(isOwnerAt(owner({ expiresAtMs: null }), NOW));
  assert.ok(isOwnerAt(owner({ expiresAtMs: NOW + 1 }), NOW));
  assert.ok(!isOwnerAt(owner({ expiresAtMs: NOW }), NOW));
  assert.ok(!isOwnerAt(owner({ revokedAtMs: 1 }), NOW));
  assert.ok(!isOwnerAt(owner({ role: 'operator' }), NOW));
});

test('another owner is needed where one goes, now, or ends soon, for a day', () => {
  const cases: [before: Operator, after: Operator | null, expected: number | undefined][] = [
    [owner(), null, NOW],
    [owner(), owner({ role: 'viewer' }), NOW],
    [owner(), owner({ revokedAtMs: NOW }), NOW],
    [owner(), owner({ expiresAtMs: NOW - 1 }), NOW],
    [owner(), owner({ expiresAtMs: NOW + 1 }), NOW + DAY],
    [owner(), owner({ expiresAtMs: NOW + DAY }), NOW + DAY],
    [owner(), owner({ expiresAtMs: NOW + DAY + 1 }), undefined],
    [owner({ expiresAtMs: null }), owner({ expiresAtMs: NOW + 1 }), NOW + DAY],
    [owner({ expiresAtMs: null }), owner(), undefined],
    // What lasts as long as before takes nothing.
    [owner({ expiresAtMs: NOW + 5 }), owner({ expiresAtMs: NOW + 5, name: 'P' }), undefined],
    [owner({ expiresAtMs: NOW + 5 }), owner({ expiresAtMs: NOW + 6 }), undefined],
    // Nor does what happens to somebody who could not act.
    [owner({ role: 'operator' }), null, undefined],
    [owner({ revokedAtMs: 1 }), null, undefined],
    [owner({ expiresAtMs: NOW }), null, undefined],
  ];
  for (const [i, [before, after, expected]] of cases.entries()) {
    assert.equal(ownerNeededUntil(before, after, NOW), expected, String(i));
  }
});
