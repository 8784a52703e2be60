/**
 * Whole answers over HTTP/1.1, written at the end of the turn of the event loop that they were made in,
 * one right after another. A write wakes whoever waits for it, which costs more than all else of a small
 * call; who was woken by one write is still awake at the next (docs/decisions/0019).
 */
import type { ServerResponse } from 'node:http';

interface DueAnswer {
  readonly response: ServerResponse;
  readonly content: string | Uint8Array;
  readonly encoding: 'latin1' | 'utf8';
}

let due: DueAnswer[] = [];

/** Ends a response whose head is made, with the turn. */
export function endSoon(
  response: ServerResponse,
  content: string | Uint8Array,
  encoding: 'latin1' | 'utf8',
): void {
  if (due.push({ response, content, encoding }) === 1) setImmediate(endDue);
}

/** Ends them now: to be called by whoever looks at how far the answers of a connection are. */
export function endDue(): void {
  const ending = due;
  due = [];
  for (const { response, content, encoding } of ending) {
    if (!response.destroyed) response.end(content, encoding);
  }
}
