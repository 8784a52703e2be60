/**
 * Records of an account as they are added: a cursor over the store, woken by the store's changes.
 * Nothing waits in memory for a reader, so a slow one costs what a fast one does.
 */

import type { Numbered } from '../domain/model.ts';
import type { Call } from '../pipeline/call.ts';
import type { Store } from '../store/store.ts';
import { Bell } from './bell.ts';

/** Records that go into one answer at most. */
const PAGE = 200;

/** Reads records of one account after a place, in their order. */
export type ReadAfter<T> = (afterSequence: number, limit: number) => Promise<Numbered<T>[]>;

/** Wakes those who wait for an account's orders or trades. */
export class OrderFeed {
  readonly #bells = new Map<string, Set<Bell>>();

  /** Starts to follow the store. */
  constructor(store: Pick<Store, 'subscribe'>) {
    store.subscribe((change) => {
      if (change.kind === 'orders') {
        for (const bell of this.#bells.get(change.accountId) ?? []) bell.ring();
      } else if (change.kind === 'everything') {
        for (const bells of this.#bells.values()) for (const bell of bells) bell.ring();
      }
    });
  }

  /**
   * Records after `sequence` as they come, as many at a time as there are; without an end.
   * @throws AppError what ended the call
   */
  async *after<T>(
    sequence: number,
    accountId: string,
    call: Call,
    read: ReadAfter<T>,
  ): AsyncGenerator<readonly Numbered<T>[], never> {
    const bell = new Bell();
    const bells = this.#bells.get(accountId) ?? new Set();
    this.#bells.set(accountId, bells.add(bell));
    try {
      let last = sequence;
      for (;;) {
        // Before the look: what is recorded during it may be in it or not.
        bell.isRung = false;
        const page = await read(last, PAGE);
        last = page.at(-1)?.sequence ?? last;
        if (page.length > 0) yield page;
        else await bell.rung(call);
      }
    } finally {
      bells.delete(bell);
      if (bells.size === 0) this.#bells.delete(accountId);
    }
  }
}
