/** How far a long command is, on a terminal; anywhere else nothing is shown. */

const SHOW_MS = 100;

export class Progress {
  readonly #stream: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly #now: () => number;
  #shownAtMs = Number.NEGATIVE_INFINITY;
  #isShown = false;

  /** @param now milliseconds of a clock that does not go back */
  constructor(stream: NodeJS.WritableStream & { readonly isTTY?: boolean }, now: () => number) {
    this.#stream = stream;
    this.#now = now;
  }

  /** Shows how far it is, but not too often. */
  show(what: string, done: number, total: number): void {
    if (!this.#stream.isTTY) return;
    const nowMs = this.#now();
    if (nowMs - this.#shownAtMs < SHOW_MS && done !== total) return;
    this.#shownAtMs = nowMs;
    this.#isShown = true;
    const of = ` of ${total} (${Math.floor((done / total) * 100)} %)`;
    this.#stream.write(`\r\u001b[K${what}: ${done}${of}`);
  }

  /** Takes the line away. */
  end(): void {
    if (this.#isShown) this.#stream.write('\r\u001b[K');
    this.#isShown = false;
  }
}
