/** kill -9 in the midst of orders: each that was answered is there, and no id is given twice. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type OrderState,
  OrderStatus,
  OrderType,
} from '../src/gen/grpc/tradeapi/v1/orders/orders_service_pb.js';
import type { Client } from './clients/client.ts';
import { Four } from './clients/four.ts';
import { type OrderRequest, setPrice, Trader } from './orders.ts';
import { type InChild, startDev } from './start.ts';

const ACCOUNT = '1899011';
const PRICED = 'PRICED@MISX';
const CRASHES = 3;
/** Orders that are answered before the kill comes. */
const ANSWERED_MIN = 150;
/** At a time, over each protocol. */
const PLACERS = 4;

/** What was answered, and what was only asked for. */
interface Known {
  /** The newest answer, by client order id. */
  readonly answered: Map<string, OrderState>;
  /** Client order ids of orders whose cancel was asked for, answered or not. */
  readonly cancelling: Set<string>;
  readonly asked: Set<string>;
}

function numberOf(clientOrderId: string): number {
  return Number(clientOrderId.split('-').at(-1));
}

/** True for orders that fill as they are placed. */
function isPriced(clientOrderId: string): boolean {
  return numberOf(clientOrderId) % 3 === 0;
}

function requestOf(clientOrderId: string): OrderRequest {
  const market = { type: OrderType.MARKET, limitPrice: undefined, symbol: PRICED };
  return { ...(isPriced(clientOrderId) && market), clientOrderId };
}

/** Places one order and does with it what its number says. */
async function placeOne(trader: Trader, clientOrderId: string, known: Known): Promise<void> {
  known.asked.add(clientOrderId);
  const state = await trader.place(requestOf(clientOrderId));
  known.answered.set(clientOrderId, state);
  // Enough are cancelled for the account to have room.
  if (isPriced(clientOrderId) || numberOf(clientOrderId) % 5 === 0) return;
  known.cancelling.add(clientOrderId);
  known.answered.set(clientOrderId, await trader.cancel(state.orderId));
}

/** Places orders over every protocol until the server is gone. */
async function placeUntilKilled(server: InChild, round: number, known: Known): Promise<void> {
  await using four = new Four(server);
  await setPrice(four.grpc, PRICED, '100');
  const trader = await Trader.signIn(four.grpc, server.secret, ACCOUNT);
  const enough = Promise.withResolvers<void>();
  const before = known.answered.size;
  let isKilled = false;
  const work = async (client: Client, name: string) => {
    const mine = trader.over(client);
    for (let n = 0; ; n++) {
      try {
        await placeOne(mine, `${round}-${name}-${n}`, known);
      } catch (error) {
        assert.ok(isKilled, String(error));
        return;
      }
      if (known.answered.size - before >= ANSWERED_MIN) enough.resolve();
    }
  };
  const placers = four.all.flatMap((client, i) =>
    Array.from({ length: PLACERS }, (_, j) => work(client, `${i}-${j}`)),
  );
  await Promise.race([enough.promise, Promise.all(placers)]);
  isKilled = true;
  await server.stop('SIGKILL');
  await Promise.all(placers);
}

/** Looks at every order that was answered, and asks for each again; their ids, by client order id. */
async function check(server: InChild, known: Known): Promise<Map<string, string>> {
  await using four = new Four(server);
  const trader = await Trader.signIn(four.grpc, server.secret, ACCOUNT);
  const ids = new Map<string, string>();
  const look = async ([clientOrderId, answered]: [string, OrderState]) => {
    const now = await trader.get(answered.orderId);
    assert.deepEqual(now.order, answered.order);
    // A cancel that was not answered may have been done; what has a price was filled in its round.
    const mayBe: OrderStatus[] = isPriced(clientOrderId) ? [OrderStatus.FILLED] : [answered.status];
    if (known.cancelling.has(clientOrderId)) mayBe.push(OrderStatus.CANCELED);
    assert.ok(mayBe.includes(now.status), `${OrderStatus[now.status]} of ${clientOrderId}`);
    if (now.status === answered.status) assert.deepEqual(now, answered);
    ids.set(clientOrderId, answered.orderId);
  };
  await Promise.all([...known.answered].map(look));
  // Whoever got no answer asks again, as does who got one: nothing is placed twice.
  const askAgain = async (clientOrderId: string) => {
    const again = await trader.place(requestOf(clientOrderId));
    const before = ids.get(clientOrderId);
    if (before !== undefined) assert.equal(again.orderId, before);
    ids.set(clientOrderId, again.orderId);
  };
  await Promise.all([...known.asked].map(askAgain));
  assert.equal(new Set(ids.values()).size, ids.size, 'an id was given twice');
  return ids;
}

test(`${CRASHES} times kill -9: every order that was answered is kept, as it was told`, async (t) => {
  let server = await startDev({ args: ['--limit', '1000000'] });
  const all = new Map<string, string>();
  try {
    for (let round = 1; round <= CRASHES; round++) {
      const known: Known = { answered: new Map(), cancelling: new Set(), asked: new Set() };
      await placeUntilKilled(server, round, known);
      const { folder, authority } = server;
      server = await startDev({ args: ['--limit', '1000000', '--listen', authority], folder });
      const ids = await check(server, known);
      for (const id of ids.values()) assert.ok(![...all.values()].includes(id), 'an id came back');
      for (const [clientOrderId, id] of ids) all.set(clientOrderId, id);
      t.diagnostic(
        `crash ${round}: ${known.answered.size} answered of ${known.asked.size} asked for`,
      );
    }
  } finally {
    await server.stop('SIGKILL');
  }
});
