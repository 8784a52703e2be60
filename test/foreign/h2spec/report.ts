/** Runs h2spec and reads its report. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { temporaryFolder } from '../../start.ts';
import { runTool } from '../tools.ts';

/** How long an answer is waited for, in seconds: half of h2spec's own, it is always close by. */
const ANSWER_SECONDS_MAX = '1';

export interface Report {
  /** The numbers of all cases that were run, such as `http2/5.1/8`. */
  readonly run: ReadonlySet<string>;
  /** Those that were begun and found not to apply. */
  readonly skipped: ReadonlySet<string>;
  /** Those that failed, each with the answers that were expected and, last, the one that came. */
  readonly failed: ReadonlyMap<string, string>;
}

/**
 * A reset connection is a closed one: later versions of h2spec see it so, and this one means to, but
 * looks for the error where Go no longer puts it.
 */
function isClosedAfterAll(failure: string): boolean {
  return failure.includes('Connection closed\n') && failure.endsWith('connection reset by peer');
}

function read(xml: string): Report {
  const run = new Set<string>();
  const skipped = new Set<string>();
  const failed = new Map<string, string>();
  const numbers = new Map<string, number>();
  const cases = xml.matchAll(/<testcase package="([^"]+)"[^>]*>([\s\S]*?)<\/testcase>/g);
  for (const [, group = '', outcome = ''] of cases) {
    const number = (numbers.get(group) ?? 0) + 1;
    numbers.set(group, number);
    const id = `${group}/${number}`;
    run.add(id);
    if (outcome.includes('<skipped>')) skipped.add(id);
    const [, failure] = /<(?:error|failure)>([\s\S]*)<\/(?:error|failure)>/.exec(outcome) ?? [];
    if (failure !== undefined && !isClosedAfterAll(failure)) failed.set(id, failure);
  }
  return { run, skipped, failed };
}

export interface Target {
  readonly port: number;
  readonly path: string;
  readonly isTls: boolean;
}

/** Runs these cases, or all. */
async function runCases(target: Target, ids: readonly string[]): Promise<Report> {
  const file = path.join(temporaryFolder(), 'report.xml');
  const args = ['-h', '127.0.0.1', '-p', `${target.port}`, '-P', target.path];
  if (target.isTls) args.push('-t', '-k');
  args.push('-o', ANSWER_SECONDS_MAX, '-j', file, ...ids);
  const { stdout, stderr } = await runTool('h2spec', args);
  try {
    return read(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`h2spec wrote no report: ${stdout}${stderr}`, { cause: error });
  }
}

/**
 * Runs all cases. One that fails, and is not known to, is run once more by itself: on a busy machine
 * its frames may come too late to be what the case is about.
 */
export async function h2spec(target: Target, isKnown: (id: string) => boolean): Promise<Report> {
  const report = await runCases(target, []);
  const failed = new Map(report.failed);
  for (const id of report.failed.keys()) {
    if (isKnown(id)) continue;
    // The report numbers the cases that were run: a case alone is always the first.
    const again = await runCases(target, [id]);
    if (again.run.size === 1 && again.failed.size === 0) failed.delete(id);
  }
  return { ...report, failed };
}
