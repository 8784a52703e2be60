/** Who hears of what, by the names of what is watched. */
export class Watchers {
  readonly #byName = new Map<string, Set<() => void>>();

  /** Calls `listener` whenever one of the names is told; the result ends it. */
  watch(names: readonly string[], listener: () => void): () => void {
    for (const name of names) {
      const watching = this.#byName.get(name) ?? new Set();
      this.#byName.set(name, watching.add(listener));
    }
    return () => {
      for (const name of names) {
        const watching = this.#byName.get(name);
        watching?.delete(listener);
        if (watching?.size === 0) this.#byName.delete(name);
      }
    };
  }

  /** Tells everybody, each once. */
  tellAll(): void {
    const listeners = new Set([...this.#byName.values()].flatMap((watching) => [...watching]));
    for (const listener of listeners) listener();
  }

  tell(name: string): void {
    for (const listener of [...(this.#byName.get(name) ?? [])]) listener();
  }
}
