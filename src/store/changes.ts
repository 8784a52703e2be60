/** Who wants to hear of changes, and telling them; the same for every engine. */
import type { Change } from './store.ts';

type Listener = (change: Change) => void;

/** The listeners of one store. */
export class Changes {
  readonly #subscriptions = new Set<{ readonly listener: Listener }>();

  /** Calls `listener` for each change until the returned function is called. */
  subscribe(listener: Listener): () => void {
    // An object of its own, so that a function subscribed twice is two subscriptions.
    const subscription = { listener };
    this.#subscriptions.add(subscription);
    return () => void this.#subscriptions.delete(subscription);
  }

  /**
   * Tells every listener of every change. One that throws keeps nobody else from hearing; its
   * error becomes a process warning, because the write it hears of is durable and must not fail.
   */
  announce(changes: readonly Change[]): void {
    for (const change of changes) {
      for (const { listener } of [...this.#subscriptions]) {
        try {
          listener(change);
        } catch (error) {
          process.emitWarning(error instanceof Error ? error : new Error(String(error)));
        }
      }
    }
  }
}
