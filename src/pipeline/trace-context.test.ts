import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseTraceparent } from './trace-context.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const spanId = 'b7ad6b7169203331';

test('the trace and the span of who calls', () => {
  for (const header of [
    `00-${traceId}-${spanId}-01`,
    `00-${traceId}-${spanId}-00`,
    `00-${traceId}-${spanId}-ff`,
    ` \t00-${traceId}-${spanId}-01 `,
    // Of versions to come, what is in them as it is in the first.
    `01-${traceId}-${spanId}-01`,
    `cc-${traceId}-${spanId}-01`,
    `cc-${traceId}-${spanId}-01-`,
    `cc-${traceId}-${spanId}-01-what-the-future-will-be-like`,
    `fe-${traceId}-${spanId}-01`,
  ]) {
    assert.deepEqual(parseTraceparent(header), { traceId, spanId }, header);
  }
});

test('what is no traceparent, by the letter, is none', () => {
  const zeros = '0'.repeat(32);
  for (const header of [
    undefined,
    '',
    [],
    [`00-${traceId}-${spanId}-01`],
    // Two headers, joined.
    `00-${traceId}-${spanId}-01, 00-${traceId}-${spanId}-01`,
    `ff-${traceId}-${spanId}-01`,
    `FF-${traceId}-${spanId}-01`,
    `.0-${traceId}-${spanId}-01`,
    `0-${traceId}-${spanId}-01`,
    `000-${traceId}-${spanId}-01`,
    `00-${zeros}-${spanId}-01`,
    `cc-${zeros}-${spanId}-01`,
    `00-${traceId.toUpperCase()}-${spanId}-01`,
    `00-${traceId.slice(1)}-${spanId}-01`,
    `00-${traceId}0-${spanId}-01`,
    `00-${traceId.slice(1)}.-${spanId}-01`,
    `00-${traceId}-${zeros.slice(16)}-01`,
    `00-${traceId}-${spanId.toUpperCase()}-01`,
    `00-${traceId}-${spanId.slice(1)}-01`,
    `00-${traceId}-${spanId}0-01`,
    `00-${traceId}-${spanId}-1`,
    `00-${traceId}-${spanId}-001`,
    `00-${traceId}-${spanId}-.0`,
    `00-${traceId}-${spanId}-0X`,
    `00-${traceId}-${spanId}`,
    `00-${traceId}-${spanId}-01.`,
    `00-${traceId}-${spanId}-01-`,
    `00-${traceId}-${spanId}-01-more`,
    `cc-${traceId}-${spanId}-01.more`,
    `cc-${traceId}-${spanId}-011`,
    `00${traceId}${spanId}01`,
  ]) {
    assert.equal(parseTraceparent(header), undefined, String(header));
  }
});

test('what is read is what was written', () => {
  const hex = (digits: number) =>
    fc
      .string({
        unit: fc.constantFrom(...'0123456789abcdef'),
        minLength: digits,
        maxLength: digits,
      })
      .filter((text) => /[^0]/.test(text));
  fc.assert(
    fc.property(hex(32), hex(16), fc.integer({ min: 0, max: 255 }), (trace, span, flags) => {
      const header = `00-${trace}-${span}-${flags.toString(16).padStart(2, '0')}`;
      assert.deepEqual(parseTraceparent(header), { traceId: trace, spanId: span });
    }),
  );
});
