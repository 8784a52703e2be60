/**
 * Plans are few and keys are many: those that may see the same share one list, and with it whatever
 * is kept of that list, such as its text in answers.
 */
import type { Permission } from '../domain/permission.ts';

/** Lists that are known at most; the oldest goes first, and is then no longer shared with new grants. */
const LISTS_MAX = 1000;

export class SharedPermissions {
  readonly #lists = new Map<string, readonly Permission[]>();

  /** The list that stands for all that say the same. */
  of(permissions: readonly Permission[]): readonly Permission[] {
    const text = JSON.stringify(permissions);
    const known = this.#lists.get(text);
    if (known !== undefined) return known;
    if (this.#lists.size >= LISTS_MAX) {
      const [oldest] = this.#lists.keys();
      if (oldest !== undefined) this.#lists.delete(oldest);
    }
    this.#lists.set(text, permissions);
    return permissions;
  }
}
