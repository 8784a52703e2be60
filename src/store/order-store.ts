/** What is remembered of orders: the part of the store's interface that venues and streams use. */
import type { Numbered } from '../domain/model.ts';
import type { LastPrice, OrderState, Trade } from '../domain/order.ts';

/** What has become of an account's orders, up to a change. */
export interface OrdersSnapshot {
  /** Those that are not final, and of the final ones the newest; the oldest order first. */
  readonly orders: readonly OrderState[];
  /** Of the account's newest change that they hold; 0 when there was none. */
  readonly sequence: number;
}

/** Up to where something knows a venue: of the newest change and price; 0 when there was none. */
export interface VenuePosition {
  readonly change: number;
  readonly price: number;
}

/** See Store for what every engine promises. */
export interface OrderStore {
  /**
   * Records changes of orders, in the order in which they happened (a new order is one), trades, and
   * prices, all or nothing. Answers the venue's position then; undefined, and nothing is recorded, when
   * that was not `after`, if given. Rejects with AppError CLIENT_ORDER_ID_TAKEN when a new order has the
   * client order id of another of its account. Announces every account once.
   */
  recordOrders(
    changes: readonly OrderState[],
    trades: readonly Trade[],
    prices?: readonly LastPrice[],
    after?: VenuePosition,
  ): Promise<VenuePosition | undefined>;
  venuePosition(): Promise<VenuePosition>;
  /** Changes of all accounts' orders after `afterSequence`, in their order. */
  orderLog(afterSequence: number, limit: number): Promise<Numbered<OrderState>[]>;
  /** Prices of symbols that were set after `afterSequence`, in the order in which they were. */
  prices(afterSequence: number, limit: number): Promise<Numbered<LastPrice>[]>;
  /** The newest state of an order of the account. */
  order(accountId: string, orderId: string): Promise<OrderState | undefined>;
  /** The first state of the account's order with this client order id. */
  placedOrder(accountId: string, clientOrderId: string): Promise<OrderState | undefined>;
  /** The account's orders; of the final ones at most `finalMax`. */
  orders(accountId: string, finalMax: number): Promise<OrdersSnapshot>;
  /** The orders of all accounts that are not final, the oldest first. */
  openOrders(): Promise<OrderState[]>;
  /** Changes of the account's orders after `afterSequence`, in their order. */
  orderChanges(
    accountId: string,
    afterSequence: number,
    limit: number,
  ): Promise<Numbered<OrderState>[]>;
  /** Trades of the account after `afterSequence`, in their order. */
  trades(accountId: string, afterSequence: number, limit: number): Promise<Numbered<Trade>[]>;
  /** The account's newest trades, at most `max`, in their order. */
  newestTrades(accountId: string, max: number): Promise<Numbered<Trade>[]>;
}
