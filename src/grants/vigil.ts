/** Looking again and again while what is held in memory is not trusted: for who takes silence for a yes. */

/** How often. */
const LOOK_MS = 1_000;

export class Vigil {
  readonly #isTrusted: () => boolean;
  readonly #listeners = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;

  /** @param isTrusted whether what is held is trusted now */
  constructor(isTrusted: () => boolean) {
    this.#isTrusted = isTrusted;
  }

  /** Calls `listener` every second while there is no trust; the result ends it. */
  keep(listener: () => void): () => void {
    this.#listeners.add(listener);
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }

  #look(): void {
    if (this.#isTrusted()) return;
    for (const listener of [...this.#listeners]) listener();
  }
}
