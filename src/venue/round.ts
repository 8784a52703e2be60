/**
 * One round of the paper venue: operations that are done one after another, at one instant, on a
 * draft beside the book. Nothing of it holds before its changes are recorded. An operation that is
 * refused changes nothing.
 */
import { newId, type Random } from '../domain/clock.ts';
import { AppError } from '../domain/errors.ts';
import {
  isFinal,
  type LastPrice,
  type Order,
  type OrderState,
  OrderStatus,
  type Trade,
} from '../domain/order.ts';
import { isSameOrder } from '../domain/order-rules.ts';
import { type Book, type Draft, orderKey } from './book.ts';
import {
  effectOf,
  filled,
  type Happening,
  isAtOnce,
  placed,
  triggered,
  withdrawn,
} from './order-life.ts';

/** How much the venue holds. */
export interface BookLimits {
  /** Open orders of one account. */
  readonly accountOpenOrdersMax: number;
  /** Open orders of all accounts. */
  readonly openOrdersMax: number;
  /** Symbols with a price. */
  readonly pricesMax: number;
}

export interface RoundOptions {
  readonly book: Book;
  readonly limits: BookLimits;
  readonly random: Random;
  readonly nowMs: number;
}

export class Round implements Draft {
  readonly changes: OrderState[] = [];
  readonly trades: Trade[] = [];
  readonly newest = new Map<string, OrderState>();
  readonly newPrices = new Map<string, string>();
  /** How many of them have no price in the book. */
  #newlyPriced = 0;
  /** First states of the orders placed in this round, by account and client order id. */
  readonly #placed = new Map<string, OrderState>();
  /** How many more orders are open than in the book: in all, and by account. */
  #opened = 0;
  readonly #openedOf = new Map<string, number>();
  readonly #book: Book;
  readonly #limits: BookLimits;
  readonly #random: Random;
  readonly #nowMs: number;

  constructor({ book, limits, random, nowMs }: RoundOptions) {
    this.#book = book;
    this.#limits = limits;
    this.#random = random;
    this.#nowMs = nowMs;
  }

  get prices(): LastPrice[] {
    return [...this.newPrices].map(([symbol, price]) => ({ symbol, price }));
  }

  /** True when there is nothing to record. */
  get isEmpty(): boolean {
    return this.changes.length === 0 && this.newPrices.size === 0;
  }

  /** Withdraws every order whose time is up, with that instant: nothing has happened since. */
  expire(): void {
    for (const { endMs, ids } of this.#book.due(this.#nowMs)) {
      for (const id of ids) {
        const state = this.#order(id);
        if (state === undefined) continue;
        this.#record(withdrawn(state, OrderStatus.EXPIRED, this.#happening(endMs)));
      }
    }
  }

  /**
   * See Venue.place.
   *
   * @param recorded first state of the account's order with this client order id
   */
  place(order: Order, recorded: OrderState | undefined): OrderState {
    const key = orderKey(order);
    const before = this.#placed.get(key) ?? recorded;
    if (before !== undefined) return retried(before, order);
    this.#refuseTooMany(order.accountId);
    const first = placed(order, newId(this.#random), this.#happening());
    this.#record(first);
    this.#placed.set(key, first);
    const next = this.#match(first);
    if (isAtOnce(order) && !isFinal(next.status)) {
      this.#record(withdrawn(next, OrderStatus.CANCELED, this.#happening()));
    }
    return first;
  }

  /**
   * See Venue.cancel.
   *
   * @param recorded the order's newest state, where it is not in the book
   */
  cancel(accountId: string, orderId: string, recorded: OrderState | undefined): OrderState {
    const state = this.#order(orderId) ?? recorded;
    if (state === undefined || state.order.accountId !== accountId) {
      throw new AppError('ORDER_NOT_FOUND', 'the account has no such order');
    }
    if (isFinal(state.status)) {
      const message = `the order is ${nameOf(state.status)}; nothing is left to cancel`;
      throw new AppError('ORDER_NOT_ACTIVE', message);
    }
    return this.#record(withdrawn(state, OrderStatus.CANCELED, this.#happening()));
  }

  /** See Simulation.setPrice. */
  setPrice(symbol: string, price: string): void {
    if (this.#price(symbol) === undefined) this.#countPrice();
    this.newPrices.set(symbol, price);
    for (const id of this.#idsOf(symbol)) {
      const state = this.#order(id);
      if (state !== undefined && !isFinal(state.status)) this.#match(state);
    }
  }

  /** Does to the order what its symbol's price does, if there is one. */
  #match(state: OrderState): OrderState {
    const { symbol } = state.order;
    const price = this.#price(symbol);
    if (price === undefined) return state;
    const effect = effectOf(state, price);
    if (effect === 'nothing') return state;
    if (effect === 'triggers') return this.#record(triggered(state, this.#happening()));
    const after = this.#record(filled(state, this.#happening()));
    this.trades.push({
      tradeId: newId(this.#random),
      orderId: after.orderId,
      accountId: after.order.accountId,
      symbol,
      price,
      size: state.remainingQuantity,
      side: after.order.side,
      atMs: after.transactAtMs,
      comment: after.order.comment,
    });
    return after;
  }

  #price(symbol: string): string | undefined {
    return this.newPrices.get(symbol) ?? this.#book.price(symbol);
  }

  #happening(atMs = this.#nowMs): Happening {
    return { execId: newId(this.#random), atMs };
  }

  #record(state: OrderState): OrderState {
    const { orderId, order, status } = state;
    const wasOpen = this.#order(orderId) !== undefined;
    const opened = Number(!isFinal(status)) - Number(wasOpen);
    this.#opened += opened;
    this.#openedOf.set(order.accountId, this.#openedBy(order.accountId) + opened);
    this.changes.push(state);
    this.newest.set(orderId, state);
    return state;
  }

  #openedBy(accountId: string): number {
    return this.#openedOf.get(accountId) ?? 0;
  }

  /** As far as the round has come. */
  #order(orderId: string): OrderState | undefined {
    return this.newest.get(orderId) ?? this.#book.order(orderId);
  }

  /** Those of the book and then those of this round, in the order in which they were placed. */
  #idsOf(symbol: string): string[] {
    const ids = [...this.#book.idsOf(symbol)];
    for (const { orderId, order } of this.#placed.values()) {
      if (order.symbol === symbol) ids.push(orderId);
    }
    return ids;
  }

  #refuseTooMany(accountId: string): void {
    const { accountOpenOrdersMax, openOrdersMax } = this.#limits;
    if (this.#book.countOf(accountId) + this.#openedBy(accountId) >= accountOpenOrdersMax) {
      const message = `the account has ${accountOpenOrdersMax} open orders already; cancel some`;
      throw new AppError('ORDERS_FULL', message);
    }
    if (this.#book.size + this.#opened >= openOrdersMax) {
      const message = `the venue has ${openOrdersMax} open orders of all accounts; try again later`;
      throw new AppError('UNAVAILABLE', message, { logReason: 'VENUE_FULL' });
    }
  }

  #countPrice(): void {
    const { pricesMax } = this.#limits;
    if (this.#book.priceCount + this.#newlyPriced >= pricesMax) {
      const description = `must be one of the ${pricesMax} that have a price; there is room for no more`;
      const violations = [{ field: 'symbol', description }];
      throw new AppError('INVALID_REQUEST', `symbol ${description}`, { violations });
    }
    this.#newlyPriced += 1;
  }
}

/** The first answer again, to a retry; another order under the same id is refused. */
function retried(before: OrderState, order: Order): OrderState {
  if (isSameOrder(before.order, order)) return before;
  const message =
    'another order of the account has this client_order_id; give each order an id of its own';
  throw new AppError('CLIENT_ORDER_ID_TAKEN', message);
}

/** `partially filled` for PARTIALLY_FILLED. */
function nameOf(status: OrderStatus): string {
  const [name = ''] = Object.entries(OrderStatus).find(([, value]) => value === status) ?? [];
  return name.toLowerCase().replaceAll('_', ' ');
}
