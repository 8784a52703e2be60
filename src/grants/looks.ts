/**
 * Look-ups of a name that those who ask at the same time share: however many they are, one is under way
 * and one comes after it.
 */
export class Looks<T> {
  readonly #look: (name: string) => Promise<T>;
  readonly #underWay = new Map<string, Promise<T>>();
  /** Those that begin as soon as the one under way is done. */
  readonly #next = new Map<string, Promise<T>>();

  constructor(look: (name: string) => Promise<T>) {
    this.#look = look;
  }

  /** What is found by the look-up under way, which may have begun long ago, or by a new one. */
  current(name: string): Promise<T> {
    return this.#underWay.get(name) ?? this.#next.get(name) ?? this.#begin(name);
  }

  /** What is found by a look-up that has not begun yet. */
  fresh(name: string): Promise<T> {
    // First: it may be about to begin when none is under way any more.
    const next = this.#next.get(name);
    if (next !== undefined) return next;
    const underWay = this.#underWay.get(name);
    if (underWay === undefined) return this.#begin(name);
    const begin = () => {
      this.#next.delete(name);
      return this.#begin(name);
    };
    const following = underWay.then(begin, begin);
    this.#next.set(name, following);
    return following;
  }

  #begin(name: string): Promise<T> {
    const looking = this.#look(name).finally(() => this.#underWay.delete(name));
    this.#underWay.set(name, looking);
    return looking;
  }
}
