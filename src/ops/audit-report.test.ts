/** What people read of the audit log. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tellReport } from './audit-report.ts';

const head = (chain: number, sequence: number) => ({
  ...{ chain, sequence },
  ...{ writer: 'w', hash: 'h', mac: 'm' },
});
const REPORT = { faults: [], entries: 0, unchained: 0, untold: 0, checkpoint: 0, heads: [] };

test('a log is told by its entries, one of several chains by all of them', () => {
  const told = (report: Partial<Parameters<typeof tellReport>[0]>) =>
    tellReport({ ...REPORT, ...report }).join('\n');
  assert.equal(told({}), 'the audit log has no chained entry yet');
  const verifies = 'the audit log verifies:';
  assert.equal(
    told({ entries: 4, checkpoint: 5, heads: [head(1, 9)] }),
    `${verifies} entries 6 to 9`,
  );
  assert.equal(told({ checkpoint: 9, heads: [head(1, 9)] }), `${verifies} it is empty after 9`);
  const heads = [head(1, 30), head(2, 12)];
  assert.equal(
    told({ entries: 20, checkpoint: 5, heads }),
    `${verifies} 20 entries in 2 chains, after 5 and up to 30`,
  );
  assert.equal(
    told({ faults: ['chain 2: x'], heads }),
    'the audit log does NOT verify:\n  chain 2: x',
  );
});
