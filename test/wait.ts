/** Waiting for what must come, without guessing how long it takes. */
import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_MS = 2;

/**
 * Resolves with what `look` finds as soon as it finds something.
 * @param what for the error, when it does not come within `msMax`
 */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  msMax = 5000,
): Promise<T> {
  const giveUpAt = performance.now() + msMax;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > giveUpAt) throw new Error(`${what}: not within ${msMax} ms`);
    await sleep(LOOK_MS);
  }
}

/** A line of the log, parsed. */
export type LogLine = Readonly<Record<string, unknown>>;

/** The lines of a log. */
export function linesOf(log: readonly string[]): LogLine[] {
  return log.map((line) => JSON.parse(line) as LogLine);
}

/** The log's one line about a call, which may come a moment after its answer. */
export async function lineOf(log: readonly string[], requestId: string | undefined) {
  const find = () => linesOf(log).filter((line) => line.requestId === requestId);
  await until(`a log line of ${requestId}`, () => find().length > 0);
  const [line, ...others] = find();
  if (line === undefined || others.length > 0) throw new Error(`not one line of ${requestId}`);
  return line;
}
