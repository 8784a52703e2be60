/**
 * What was changed since a look-up began: one under way brings nothing back that a change has dropped, and
 * is not done again for what it is not about, or it would never end where others change a lot.
 */

/** Names that are kept apart at most; with more, all count as changed. */
const NAMES_MAX = 10_000;

export class Since {
  /** Counts changes. */
  #count = 0;
  #underWay = 0;
  /** The count of each name's newest change; of those alone that look-ups under way may be about. */
  readonly #changedAt = new Map<string, number>();
  #allChangedAt = 0;

  /** Answers the mark that `has` asks for; to be ended. */
  begin(): number {
    this.#underWay++;
    return this.#count;
  }

  end(): void {
    if (--this.#underWay === 0) this.#changedAt.clear();
  }

  /** This has changed. */
  note(name: string): void {
    this.#count++;
    if (this.#underWay === 0) return;
    if (this.#changedAt.size >= NAMES_MAX) this.noteAll();
    else this.#changedAt.set(name, this.#count);
  }

  /** Anything may have changed. */
  noteAll(): void {
    this.#allChangedAt = ++this.#count;
    this.#changedAt.clear();
  }

  /** Whether any of these has changed since the mark. */
  has(names: readonly string[], mark: number): boolean {
    if (this.#allChangedAt > mark) return true;
    return names.some((name) => (this.#changedAt.get(name) ?? 0) > mark);
  }
}
