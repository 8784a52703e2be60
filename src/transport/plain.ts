/** Pages that are no calls of the contract: health for load balancers, the OpenAPI document, docs. */
import type { Metadata } from '../pipeline/call.ts';

export interface Page {
  readonly status: number;
  readonly headers: readonly Metadata[];
  readonly body: string | Uint8Array;
}

/** What makes the page at a path, if there is one. */
export type PlainRoutes = ReadonlyMap<string, () => Page | Promise<Page>>;

/** A page that is a JSON value. */
export function jsonPage(status: number, value: unknown): Page {
  return { status, headers: [['content-type', 'application/json']], body: JSON.stringify(value) };
}
