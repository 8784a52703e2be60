/** Pages of lists: where one ends and the next begins. */
import type { Fields } from './fields.ts';

const SIZE = 100;
const SIZE_MAX = 1000;

/** What the requests of all lists have. */
export interface PageRequest {
  readonly pageSize: number;
  readonly pageToken: string;
}

/** What the page before said of itself: the id or number of its last item. */
export type Cursor = string | number;

export interface Page {
  readonly limit: number;
  /** Undefined for the first page. */
  readonly after: Cursor | undefined;
  /** The token of the page after the one that ends there. */
  tokenOf(cursor: Cursor): string;
}

/**
 * Reads which page is asked for.
 * @param filters of the list; a page token goes with the same ones only
 */
export function pageOf(
  request: PageRequest,
  filters: readonly (string | number | boolean | null | undefined)[],
  fields: Fields,
): Page {
  const { pageSize, pageToken } = request;
  if (pageSize < 0) fields.refuse('page_size', 'is less than 0');
  const key = JSON.stringify(filters);
  const after = pageToken === '' ? undefined : cursorOf(pageToken, key);
  if (pageToken !== '' && after === undefined) {
    fields.refuse('page_token', 'is no next_page_token of a list with these filters');
  }
  return {
    limit: pageSize > 0 ? Math.min(pageSize, SIZE_MAX) : SIZE,
    after,
    tokenOf: (cursor) => Buffer.from(JSON.stringify([key, cursor])).toString('base64url'),
  };
}

function cursorOf(token: string, key: string): Cursor | undefined {
  try {
    const [of, cursor] = JSON.parse(Buffer.from(token, 'base64url').toString()) as unknown[];
    if (of !== key) return undefined;
    return typeof cursor === 'string' || typeof cursor === 'number' ? cursor : undefined;
  } catch {
    return undefined;
  }
}

/** The page of what was asked for with one more than its limit, and the token of the next one. */
export function cut<T>(
  found: readonly T[],
  page: Page,
  cursorOfItem: (item: T) => Cursor,
): { items: readonly T[]; nextPageToken: string } {
  const items = found.slice(0, page.limit);
  const last = items.at(-1);
  const isMore = found.length > page.limit && last !== undefined;
  return { items, nextPageToken: isMore ? page.tokenOf(cursorOfItem(last)) : '' };
}
