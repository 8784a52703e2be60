/**
 * Whole answers over HTTP/1.1, written at the end of the turn of the event loop that they were made in,
 * one right after another. A write wakes whoever waits for it, which costs more than all else of a small
 * call; who was woken by one write is still awake at the next (docs/decisions/0019).
 */

/** An answer that is whole, and not written yet. */
export interface DueAnswer {
  sendDue(): void;
}

let due: DueAnswer[] = [];

/** Has an answer sent with the end of the turn. */
export function sendSoon(answer: DueAnswer): void {
  if (due.push(answer) === 1) setImmediate(sendAllDue);
}

/** Sends them now: to be called by whoever looks at how far the answers of a connection are. */
export function sendAllDue(): void {
  const sending = due;
  due = [];
  for (const answer of sending) answer.sendDue();
}
