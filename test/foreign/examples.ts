/** What the tests of examples/ know of all of them: what each must print, and what it must leave behind. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { InChild, Started } from '../start.ts';
import { DEMO_DETAILS } from './tools.ts';

export const EXAMPLES = path.join(import.meta.dirname, '..', '..', 'examples');
export const README = readFileSync(path.join(EXAMPLES, 'README.md'), 'utf8');
export const [ACCOUNT = ''] = DEMO_DETAILS.account_ids;

/** The orders of the demo account, by their ids. */
export async function ordersOf({ url, secret }: Started): Promise<Map<string, { status: string }>> {
  const body = JSON.stringify({ secret });
  const session = await fetch(new URL('/v1/sessions', url), { method: 'POST', body });
  const { token } = (await session.json()) as { token: string };
  const answer = await fetch(new URL(`/v1/accounts/${ACCOUNT}/orders`, url), {
    headers: { authorization: token },
  });
  const { orders } = (await answer.json()) as { orders: { order_id: string; status: string }[] };
  return new Map(orders.map((state) => [state.order_id, state]));
}

/** What an example prints; the language of the page has shorter names for the values of enums. */
const PRINTED = new RegExp(
  [
    '^Token: (?<minutes>\\d+) minutes left, until (?<end>\\S+Z)',
    `Accounts: ${ACCOUNT} \\(may trade\\)`,
    'Market data: 2 permissions',
    'Order (?<id>\\S+): placed, (?:ORDER_STATUS_)?NEW',
    'Order \\k<id>: read, (?:SIDE_)?BUY 10 SBER@MISX at 150\\.5, 10 left',
    'Order \\k<id>: cancelled, (?:ORDER_STATUS_)?CANCELED\n$',
  ].join('\n'),
);

/**
 * Looks at what an example has printed, and asks the server whether it is true.
 * @param earlier the account's orders before it ran
 */
export async function assertTraded(
  printed: string,
  server: Started,
  earlier: ReadonlyMap<string, unknown>,
): Promise<void> {
  const found = PRINTED.exec(printed)?.groups;
  assert.ok(found, printed);
  const minutes = Number(found.minutes);
  // A session lives 903 s, and some of it is over.
  assert.ok(
    minutes <= 15 && minutes >= Math.floor((Date.parse(found.end ?? '') - Date.now()) / 60_000),
  );
  const made = [...(await ordersOf(server))].filter(([id]) => !earlier.has(id));
  assert.deepEqual(
    made.map(([id, { status }]) => [id, status]),
    [[found.id, 'ORDER_STATUS_CANCELED']],
  );
}

/** The secret of the demo key that may only read. */
export function readonlySecret(server: InChild): string {
  const secret = /^ +readonly +(psk_\S+)$/m.exec(server.output.stdout)?.[1];
  assert.ok(secret, server.output.stdout);
  return secret;
}
