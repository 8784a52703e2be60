/** Instants and durations as people give them on a command line. */
import { unusable } from './failure.ts';

const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DURATION = /^(\d+)([smhd])$/;
const DATE = /^\d{4}-\d\d-\d\d$/;
const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d)$/;
/** 9999-12-31T23:59:59.999Z, the last instant that a Timestamp can hold to the millisecond. */
const INSTANT_MS_MAX = 253_402_300_799_999;

/**
 * Milliseconds of a duration such as `90s`, `15m`, `12h` or `30d`.
 * @throws CommandFailure USAGE
 */
export function readDuration(text: string, flag: string): number {
  const [, count, unit] = DURATION.exec(text) ?? [];
  const ms = Number(count) * (UNIT_MS[unit as keyof typeof UNIT_MS] ?? Number.NaN);
  if (!(ms <= INSTANT_MS_MAX))
    throw unusable(`${flag}: "${text}" is not a duration, such as 15m, 12h or 30d`);
  return ms;
}

/**
 * Milliseconds since 1970 of a date (its beginning in UTC), of a date and time with its offset, or of
 * what is as long from now as `+30d` says.
 * @param nowMs milliseconds since 1970
 * @param flag which it was given with
 * @throws CommandFailure USAGE
 */
export function readInstant(text: string, nowMs: number, flag: string): number {
  if (text.startsWith('+')) {
    const ms = nowMs + readDuration(text.slice(1), flag);
    if (ms <= INSTANT_MS_MAX) return ms;
  }
  const ms = DATE.test(text) || DATE_TIME.test(text) ? Date.parse(text) : Number.NaN;
  const [year, month, day] = text.split(/[-T]/, 3).map(Number);
  const last = new Date(Date.UTC(year ?? 0, month ?? 0, 0)).getUTCDate();
  // Date.parse takes the 31st of every month, and calls the 31st of June the 1st of July.
  if (!Number.isNaN(ms) && (day ?? 0) <= last) return ms;
  throw unusable(
    `${flag}: "${text}" is not an instant, such as 2027-01-31, 2027-01-31T18:00:00+03:00 or +30d`,
  );
}
