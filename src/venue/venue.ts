/** Where orders go: an exchange, a broker's gateway, or the paper venue. */
import type { Order, OrderState } from '../domain/order.ts';

/** Takes orders. What becomes of them is in the store, where those who ask read it. */
export interface Venue {
  /**
   * Takes an order; resolves with its first state once that is durable. An order that its account
   * has placed before, under the same client order id, is not placed again: its first state is the
   * answer, as it was then.
   * @throws AppError CLIENT_ORDER_ID_TAKEN when another order of the account has the id;
   * ORDERS_FULL when there is no room for more; UNAVAILABLE when it is not known to be recorded,
   * and then to place it again, under the same client order id, places it once
   */
  place(order: Order): Promise<OrderState>;
  /**
   * Cancels what is left of an order; resolves once that is durable.
   * @throws AppError ORDER_NOT_FOUND when the account has no such order; ORDER_NOT_ACTIVE when
   * nothing of it is left to cancel
   */
  cancel(accountId: string, orderId: string): Promise<OrderState>;
  /** Takes no more; resolves when what was taken is recorded. */
  close(): Promise<void>;
}

/** A venue whose prices are set by hand. */
export interface Simulation {
  /**
   * Sets the last price of a symbol (`TICKER@MIC`) to a positive decimal; resolves once everything
   * that follows from it (fills, triggered stops) is durable.
   * @throws AppError INVALID_REQUEST when either is not what it should be
   */
  setPrice(symbol: string, price: string): Promise<void>;
}
