/**
 * Brings a venue's book in step with what is recorded: before the venue was started, and at any time by
 * the venues of other nodes.
 */
import type { Store } from '../store/store.ts';
import { Book, orderKey } from './book.ts';

/** Changes or prices read at a time. */
const PAGE = 1_000;
/** A book further behind is read anew: few orders are open, however many there have been meanwhile. */
const PAGES_BEHIND_MAX = 20;

/** What a book has heard of since. */
export interface News {
  /** The book that knows it. */
  readonly book: Book;
  /** Whether anything of it may be about the order with this id, or with this orderKey. */
  readonly isAbout: (key: string) => boolean;
}

/** What is recorded, as far as it can be read now. */
export async function readBook(store: Store): Promise<Book> {
  const { change } = await store.venuePosition();
  // What changes between these two looks is read twice, and comes out as it was left.
  const book = new Book(await store.openOrders(), { change, price: 0 });
  await hear(store, book, Number.POSITIVE_INFINITY);
  return book;
}

/** Has a book hear what was recorded after its position. If it rejects, the book is where it says. */
export async function catchUp(store: Store, book: Book): Promise<News> {
  const keys = await hear(store, book, PAGES_BEHIND_MAX);
  if (keys === undefined) return { book: await readBook(store), isAbout: () => true };
  return { book, isAbout: (key) => keys.has(key) };
}

/** Answers what the changes are about; undefined when there are more pages to hear. */
async function hear(store: Store, book: Book, pagesMax: number): Promise<Set<string> | undefined> {
  const keys = new Set<string>();
  for (let page = 0; page < pagesMax; page++) {
    const { change, price } = book.position;
    const [changes, prices] = await Promise.all([
      store.orderLog(change, PAGE),
      store.prices(price, PAGE),
    ]);
    book.hear(changes);
    book.hearPrices(prices);
    for (const { orderId, order } of changes) keys.add(orderId).add(orderKey(order));
    if (changes.length < PAGE && prices.length < PAGE) return keys;
  }
  return undefined;
}
