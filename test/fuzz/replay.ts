/**
 * Sends inputs of the fuzzer again: node scripts/node.js test/fuzz/replay.ts SEED INDEX... Prints each input, what
 * became of it, and what was wrong; exits with 1 when something was.
 */
import { type Input, inputOf } from './input.ts';
import { fuzz } from './run.ts';

/** Bytes that are printed of each input at most. */
const SHOWN_BYTES_MAX = 4000;

function bytesOf(input: Input): Buffer {
  switch (input.carrier) {
    case 'none':
      return Buffer.alloc(0);
    case 'http1':
      return input.bytes;
    case 'http2':
      return Buffer.concat(input.frames(1));
    default:
      return Buffer.concat(input.pieces);
  }
}

const [seed, ...indexes] = process.argv.slice(2).map(Number);
if (seed === undefined || indexes.length === 0 || ![seed, ...indexes].every(Number.isInteger)) {
  process.stderr.write('usage: node scripts/node.js test/fuzz/replay.ts SEED INDEX...\n');
  process.exit(2);
}
for (const index of indexes) {
  const input = inputOf(seed, index);
  const bytes = bytesOf(input);
  const shown = JSON.stringify(bytes.subarray(0, SHOWN_BYTES_MAX).toString('latin1'));
  console.log(`${index}, ${input.kind}, ${bytes.length} bytes: ${shown}`);
}
const report = await fuzz({
  seed,
  indexes,
  count: indexes.length,
  onOver: ({ index }, outcome) => console.log(`${index}: ${outcome}`),
});
for (const { first, count } of report.ledger.findings.values()) {
  console.log(`FOUND ${count} times, first by ${first.index ?? 'an unknown input'}: ${first.what}`);
}
process.exit(report.ledger.findings.size === 0 ? 0 : 1);
