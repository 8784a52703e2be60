/**
 * What the paper venue should do, for tests to compare with: slow, and by the words of its
 * description and not by its code. Prices are small numbers here, which floats hold exactly.
 */
import {
  type Order,
  OrderStatus,
  OrderType,
  Side,
  StopCondition,
  TimeInForce,
  ValidBefore,
} from '../domain/order.ts';
import { HOUR_MS, type SetClock } from './paper-samples.ts';

const { NEW, FILLED, CANCELED, EXPIRED } = OrderStatus;
const { GOOD_TILL_CANCEL, IOC, FOK, ON_OPEN, ON_CLOSE } = TimeInForce;

/** What an order should be. */
export interface Expected {
  readonly order: Order;
  /** Known once it was answered. */
  orderId?: string;
  status: OrderStatus;
  isTriggered: boolean;
  /** The Moscow date on which it was placed or triggered. */
  date: string;
  tradedAt?: string;
}

export class Model {
  readonly orders: Expected[] = [];
  prices: Readonly<Record<string, string>> = {};
  readonly #clock: SetClock;

  constructor(clock: SetClock) {
    this.#clock = clock;
  }

  #today(): string {
    return new Date(this.#clock.ms + 3 * HOUR_MS).toISOString().slice(0, 10);
  }

  expire(): void {
    for (const each of this.orders) {
      const isWaiting = each.order.stopPrice !== null && !each.isTriggered;
      const lasts = isWaiting
        ? each.order.validBefore === ValidBefore.GOOD_TILL_CANCEL
        : each.order.timeInForce === GOOD_TILL_CANCEL;
      if (each.status === NEW && !lasts && each.date < this.#today()) each.status = EXPIRED;
    }
  }

  /** The order that is meant, or undefined when another one has its client order id. */
  place(order: Order): Expected | undefined {
    const { accountId, clientOrderId } = order;
    const before = this.orders.find(
      (each) => each.order.accountId === accountId && each.order.clientOrderId === clientOrderId,
    );
    if (before !== undefined) {
      return JSON.stringify(before.order) === JSON.stringify(order) ? before : undefined;
    }
    const date = this.#today();
    const placed: Expected = { order, status: NEW, isTriggered: false, date };
    this.orders.push(placed);
    this.#see(placed);
    const isAtOnce = order.timeInForce === IOC || order.timeInForce === FOK;
    if (isAtOnce && placed.status === NEW) placed.status = CANCELED;
    return placed;
  }

  setPrice(symbol: string, price: string): void {
    this.prices = { ...this.prices, [symbol]: price };
    for (const each of this.orders) if (each.order.symbol === symbol) this.#see(each);
  }

  #see(each: Expected): void {
    const { symbol, type, side, timeInForce, limitPrice, stopPrice, stopCondition } = each.order;
    const last = this.prices[symbol];
    if (last === undefined || each.status !== NEW || type === OrderType.MULTI_LEG) return;
    if (timeInForce === ON_OPEN || timeInForce === ON_CLOSE) return;
    if (stopPrice !== null && !each.isTriggered) {
      const isUp = stopCondition === StopCondition.LAST_UP;
      if (isUp ? Number(last) < Number(stopPrice) : Number(last) > Number(stopPrice)) return;
      each.isTriggered = true;
      each.date = this.#today();
    }
    const isBuy = side === Side.BUY;
    if (limitPrice !== null) {
      if (isBuy ? Number(last) > Number(limitPrice) : Number(last) < Number(limitPrice)) return;
    }
    each.status = FILLED;
    each.tradedAt = last;
  }
}
