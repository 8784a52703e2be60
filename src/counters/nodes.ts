/** How many nodes share the limits, and what is each one's share when they cannot ask each other. */

/** Beats that a count is remembered for: longer than all nodes take to come back to an empty Valkey. */
const BEATS_REMEMBERED = 12;

/**
 * The number of nodes as it was last heard, time and again. The highest of the last counts is believed:
 * nodes come back one by one, and the first must not take the whole limit for its share.
 */
export class Nodes {
  readonly #counts: number[] = [];

  /** At least this one. */
  get count(): number {
    return Math.max(1, ...this.#counts);
  }

  heard(count: number): void {
    this.#counts.push(count);
    if (this.#counts.length > BEATS_REMEMBERED) this.#counts.shift();
  }

  /**
   * What each node may let through, so that all together let through no more than the limit; but at least
   * 1, where there are more nodes than that.
   */
  shareOf(limit: number): number {
    return Math.max(1, Math.floor(limit / this.count));
  }
}
