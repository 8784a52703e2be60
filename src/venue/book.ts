/** The open orders of the paper venue and the prices it was given, as they are recorded up to a position. */

import type { Numbered } from '../domain/model.ts';
import {
  isFinal,
  type LastPrice,
  type Order,
  type OrderState,
  OrderType,
} from '../domain/order.ts';
import type { VenuePosition } from '../store/order-store.ts';
import { endsAtMs } from './order-life.ts';

/** What a round has changed: the newest state of each order that it touched, and new prices. */
export interface Draft {
  readonly newest: ReadonlyMap<string, OrderState>;
  readonly newPrices: ReadonlyMap<string, string>;
}

/** What makes an order one that its account has placed before; no order has it as its id. */
export function orderKey({ accountId, clientOrderId }: Order): string {
  return JSON.stringify([accountId, clientOrderId]);
}

export class Book {
  /** By id, in the order in which they were placed. */
  readonly #orders = new Map<string, OrderState>();
  /** Ids of the orders that a symbol's price may touch, in the order in which they were placed. */
  readonly #idsOfSymbol = new Map<string, Set<string>>();
  /** Ids by the instant at which their orders' time is up: a few midnights, and never. */
  readonly #idsOfEnd = new Map<number, Set<string>>();
  readonly #countOfAccount = new Map<string, number>();
  readonly #prices = new Map<string, string>();
  #position: VenuePosition;

  /**
   * @param open orders in the order in which they were placed
   * @param position of which they hold everything
   */
  constructor(open: readonly OrderState[], position: VenuePosition) {
    this.#position = position;
    for (const state of open) this.#put(state);
  }

  /** Of the newest that is known here. */
  get position(): VenuePosition {
    return this.#position;
  }

  /** Open orders. */
  get size(): number {
    return this.#orders.size;
  }

  /** Symbols with a price. */
  get priceCount(): number {
    return this.#prices.size;
  }

  order(orderId: string): OrderState | undefined {
    return this.#orders.get(orderId);
  }

  price(symbol: string): string | undefined {
    return this.#prices.get(symbol);
  }

  /** Open orders of an account. */
  countOf(accountId: string): number {
    return this.#countOfAccount.get(accountId) ?? 0;
  }

  /** Ids of the open orders that the symbol's price may touch, in the order of their placing. */
  idsOf(symbol: string): Iterable<string> {
    return this.#idsOfSymbol.get(symbol) ?? [];
  }

  /** Ids of the open orders whose time is up by then, and when it was, the earliest first. */
  due(nowMs: number): { readonly endMs: number; readonly ids: Iterable<string> }[] {
    return [...this.#idsOfEnd]
      .filter(([endMs]) => endMs <= nowMs)
      .sort(([a], [b]) => a - b)
      .map(([endMs, ids]) => ({ endMs, ids }));
  }

  /** Makes the draft what is so, and `position` what is known with it. */
  apply({ newest, newPrices }: Draft, position: VenuePosition): void {
    for (const [symbol, price] of newPrices) this.#prices.set(symbol, price);
    for (const state of newest.values()) this.#become(state);
    this.#position = position;
  }

  /** Takes up changes that were recorded after the book's position, in their order. */
  hear(changes: readonly Numbered<OrderState>[]): void {
    for (const { sequence, ...state } of changes) {
      this.#become(state);
      this.#position = { ...this.#position, change: sequence };
    }
  }

  /** Takes up prices that were set after the book's position, in the order in which they were. */
  hearPrices(prices: readonly Numbered<LastPrice>[]): void {
    for (const { symbol, price, sequence } of prices) {
      this.#prices.set(symbol, price);
      this.#position = { ...this.#position, price: sequence };
    }
  }

  #become(state: OrderState): void {
    if (isFinal(state.status)) this.#remove(state.orderId);
    else this.#put(state);
  }

  #put(state: OrderState): void {
    const { orderId, order } = state;
    const before = this.#orders.get(orderId);
    this.#orders.set(orderId, state);
    if (before === undefined) {
      this.#countOfAccount.set(order.accountId, this.countOf(order.accountId) + 1);
      if (order.type !== OrderType.MULTI_LEG) add(this.#idsOfSymbol, order.symbol, orderId);
    } else {
      drop(this.#idsOfEnd, endsAtMs(before), orderId);
    }
    add(this.#idsOfEnd, endsAtMs(state), orderId);
  }

  #remove(orderId: string): void {
    const state = this.#orders.get(orderId);
    if (state === undefined) return;
    this.#orders.delete(orderId);
    const { accountId, symbol } = state.order;
    const left = this.countOf(accountId) - 1;
    if (left === 0) this.#countOfAccount.delete(accountId);
    else this.#countOfAccount.set(accountId, left);
    drop(this.#idsOfSymbol, symbol, orderId);
    drop(this.#idsOfEnd, endsAtMs(state), orderId);
  }
}

function add<K>(sets: Map<K, Set<string>>, key: K, id: string): void {
  const set = sets.get(key) ?? new Set();
  sets.set(key, set.add(id));
}

function drop<K>(sets: Map<K, Set<string>>, key: K, id: string): void {
  const set = sets.get(key);
  set?.delete(id);
  if (set?.size === 0) sets.delete(key);
}
