/** The paper venue's day: that of Moscow, where the market's clocks are. */

/** Moscow is this far ahead of UTC all the year round. */
const AHEAD_MS = 3 * 3_600_000;
const DAY_MS = 24 * 3_600_000;

/** The midnight in Moscow that comes next after an instant (milliseconds since 1970). */
export function endOfDayMs(atMs: number): number {
  return (Math.floor((atMs + AHEAD_MS) / DAY_MS) + 1) * DAY_MS - AHEAD_MS;
}
