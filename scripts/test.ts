/**
 * Runs test files: `node scripts/test.ts PATTERN... [WORD...]`. Words narrow the run to the files
 * whose names hold one of them. What is skipped or left for later fails the run: a test that did not
 * run has shown nothing.
 */
import { globSync } from 'node:fs';
import { run } from 'node:test';
import { spec as Spec } from 'node:test/reporters';

/** Milliseconds after which a test file that hangs is ended. */
const FILE_MS_MAX = 900_000;

const args = process.argv.slice(2);
const patterns = args.filter((arg) => arg.includes('*'));
const words = args.filter((arg) => !arg.includes('*'));
const isWanted = (file: string) => words.length === 0 || words.some((word) => file.includes(word));
const files = globSync(patterns).filter(isWanted).sort();
if (files.length === 0) {
  process.stderr.write(`no test file fits: ${args.join(' ')}\n`);
  process.exit(1);
}

const tests = run({ files, concurrency: true, timeout: FILE_MS_MAX });
tests.on('test:fail', () => {
  process.exitCode = 1;
});
tests.on('test:summary', ({ file, counts, success }) => {
  // Only the summary of the whole run names no file.
  if (file !== undefined) return;
  const notRun = counts.skipped + counts.todo + counts.cancelled;
  if (notRun > 0) process.stderr.write(`${notRun} tests did not run, which fails the run\n`);
  if (!success || notRun > 0 || counts.passed === 0) process.exitCode = 1;
});
tests.compose(new Spec()).pipe(process.stdout);
