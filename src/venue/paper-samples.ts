/** For tests of the paper venue: the venue over a store, a clock that they set, and orders. */
import { type Clock, systemRandom } from '../domain/clock.ts';
import {
  type Order,
  type OrderState,
  type OrderStatus,
  OrderType,
  Side,
  StopCondition,
  TimeInForce,
  ValidBefore,
} from '../domain/order.ts';
import type { Store } from '../store/store.ts';
import { faulty } from './faulty-store.ts';
import { PaperVenue, type PaperVenueOptions } from './paper.ts';

export const SYMBOL = 'SBER@MISX';

/** Noon of a day in Moscow, which has twelve hours left. */
export const NOON_MS = Date.parse('2026-11-24T09:00:00Z');
export const HOUR_MS = 3_600_000;

export class SetClock implements Clock {
  ms = NOON_MS;

  now(): number {
    return this.ms;
  }

  monotonic(): number {
    return this.ms;
  }
}

/** A venue over the store, which may be made to fail; both are closed when the test ends. */
export async function openVenue(
  t: { after(close: () => Promise<void>): void },
  store: Store,
  more: Partial<PaperVenueOptions> = {},
) {
  const faults = faulty(store);
  const clock = new SetClock();
  const options: PaperVenueOptions = {
    store: faults.store,
    clock,
    random: systemRandom,
    ...more,
  };
  const venue = await PaperVenue.open(options);
  t.after(async () => {
    await venue.close();
    await store.close();
  });
  return { store, faults, clock, venue, options };
}

/** What has become of an order. */
export async function stateOf(store: Store, { orderId, order }: OrderState): Promise<OrderState> {
  const state = await store.order(order.accountId, orderId);
  if (state === undefined) throw new Error(`the store has no order ${orderId}`);
  return state;
}

export async function statusOf(store: Store, placed: OrderState): Promise<OrderStatus> {
  return (await stateOf(store, placed)).status;
}

let made = 0;

/** A market order to buy, with an id of its own. */
export function market(more: Partial<Order> = {}): Order {
  made += 1;
  return {
    accountId: 'a1',
    symbol: SYMBOL,
    quantity: '10.5',
    side: Side.BUY,
    type: OrderType.MARKET,
    timeInForce: TimeInForce.DAY,
    limitPrice: null,
    stopPrice: null,
    stopCondition: null,
    legs: [],
    clientOrderId: `id-${made}`,
    validBefore: null,
    comment: `comment ${made}`,
    ...more,
  };
}

export function limit(limitPrice: string, more: Partial<Order> = {}): Order {
  return market({ type: OrderType.LIMIT, limitPrice, ...more });
}

/** A stop that waits to the end of the day. */
export function stop(stopPrice: string, more: Partial<Order> = {}): Order {
  return market({
    type: OrderType.STOP,
    stopPrice,
    stopCondition: StopCondition.LAST_UP,
    validBefore: ValidBefore.END_OF_DAY,
    ...more,
  });
}

export function multiLeg(more: Partial<Order> = {}): Order {
  const legs = [
    { symbol: SYMBOL, quantity: '1', side: Side.BUY },
    { symbol: 'GAZP@MISX', quantity: '2', side: Side.SELL },
  ];
  return market({ type: OrderType.MULTI_LEG, legs, ...more });
}
