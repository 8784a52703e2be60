/**
 * Timers for what is mostly over in the turn of the event loop that it began in: of Node's own timers
 * one is made only for what is not.
 */

/** Begun in this turn. */
let fresh: TurnTimer[] = [];

/** Rings once, some milliseconds after the end of the turn that it was made in, unless it is cleared. */
export class TurnTimer {
  readonly #ms: number;
  readonly #ring: () => void;
  #timer: NodeJS.Timeout | undefined;
  #isCleared = false;

  constructor(ms: number, ring: () => void) {
    this.#ms = ms;
    this.#ring = ring;
    if (fresh.push(this) === 1) setImmediate(begin);
  }

  clear(): void {
    this.#isCleared = true;
    if (this.#timer !== undefined) clearTimeout(this.#timer);
  }

  /** The turn is over. */
  begin(): void {
    if (!this.#isCleared) this.#timer = setTimeout(this.#ring, this.#ms);
  }
}

function begin(): void {
  const begun = fresh;
  fresh = [];
  for (const timer of begun) timer.begin();
}
