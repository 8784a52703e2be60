/**
 * Who asked how often, exactly: a sliding log of each caller's calls. In memory, or shared by
 * several processes; so an answer may be a promise, and is none where none is needed.
 *
 * Promises of every implementation:
 * - No window of WINDOW_MS, wherever it begins, holds more allowed calls of a caller than its limit.
 *   A window holds its beginning and not its end: a call counted at t frees its place at t + WINDOW_MS.
 * - A refused call is not counted.
 * - A caller is forgotten only when none of its calls is in the window any more.
 * - Time is monotonic: a step of the wall clock changes nothing.
 */

/** How much of a limit is used. */
export interface Usage {
  /** Calls allowed in any window. */
  readonly limit: number;
  /** Calls that would pass now. */
  readonly remaining: number;
  /**
   * Milliseconds until more calls would pass than now: until the oldest one counted leaves the
   * window; 0 when nothing is counted.
   */
  readonly resetMs: number;
}

/** What became of a call, and the usage after it. */
export interface Taken extends Usage {
  /** False: it was refused, and not counted. */
  readonly isAllowed: boolean;
}

export interface Counters {
  /**
   * Counts a call, unless that would be one too many. 'full': nothing is known of this caller, and
   * as many others as can be held have calls in the window.
   * @param caller any name
   * @param limit calls allowed in any window, at least 1; may be another the next time
   */
  take(caller: string, limit: number): Taken | 'full' | Promise<Taken | 'full'>;
  /** The usage, without a call. */
  look(caller: string, limit: number): Usage | Promise<Usage>;
}
