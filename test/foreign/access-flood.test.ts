/** A busy minute of a backend; it needs nothing foreign, but time. */
import { test } from 'node:test';
import { assertNothingSpent } from '../access-flood.ts';

test('100,000 checks leave a trader all of its 200 TokenDetails', () =>
  assertNothingSpent(100_000));
