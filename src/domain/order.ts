/**
 * Orders as they are remembered. Enum numbers are those of the contract, so that a message's are
 * taken as they are; decimals are texts in plain notation without superfluous zeros, exact.
 */

export const Side = { BUY: 1, SELL: 2 } as const;
export type Side = (typeof Side)[keyof typeof Side];

export const OrderType = { MARKET: 1, LIMIT: 2, STOP: 3, STOP_LIMIT: 4, MULTI_LEG: 5 } as const;
export type OrderType = (typeof OrderType)[keyof typeof OrderType];

export const TimeInForce = {
  DAY: 1,
  GOOD_TILL_CANCEL: 2,
  GOOD_TILL_CROSSING: 3,
  EXT: 4,
  ON_OPEN: 5,
  ON_CLOSE: 6,
  IOC: 7,
  FOK: 8,
} as const;
export type TimeInForce = (typeof TimeInForce)[keyof typeof TimeInForce];

export const StopCondition = { LAST_UP: 1, LAST_DOWN: 2 } as const;
export type StopCondition = (typeof StopCondition)[keyof typeof StopCondition];

export const ValidBefore = { END_OF_DAY: 1, GOOD_TILL_CANCEL: 2 } as const;
export type ValidBefore = (typeof ValidBefore)[keyof typeof ValidBefore];

/** Those that orders here can have; the contract has more. */
export const OrderStatus = {
  NEW: 1,
  PARTIALLY_FILLED: 2,
  FILLED: 3,
  CANCELED: 5,
  REJECTED: 9,
  EXPIRED: 13,
} as const;
export type OrderStatus = (typeof OrderStatus)[keyof typeof OrderStatus];

export interface Leg {
  /** `TICKER@MIC`. */
  readonly symbol: string;
  readonly quantity: string;
  readonly side: Side;
}

/** An order that a broker takes: whole, and free of what its type does not have. */
export interface Order {
  readonly accountId: string;
  /** `TICKER@MIC`. */
  readonly symbol: string;
  readonly quantity: string;
  readonly side: Side;
  readonly type: OrderType;
  readonly timeInForce: TimeInForce;
  readonly limitPrice: string | null;
  readonly stopPrice: string | null;
  readonly stopCondition: StopCondition | null;
  /** Empty unless the type is MULTI_LEG. */
  readonly legs: readonly Leg[];
  /** Unique in its account; at most 20 characters. */
  readonly clientOrderId: string;
  readonly validBefore: ValidBefore | null;
  readonly comment: string;
}

/** An order and what has become of it. Instants are milliseconds. */
export interface OrderState {
  /** Never given twice. */
  readonly orderId: string;
  /** Of the newest change of this order. */
  readonly execId: string;
  readonly status: OrderStatus;
  readonly order: Order;
  /** When the newest change happened. */
  readonly transactAtMs: number;
  readonly acceptAtMs: number;
  /** When it was cancelled or expired; null when it was not. */
  readonly withdrawAtMs: number | null;
  /** When its stop price was reached; null when it was not, or the order has none. */
  readonly triggeredAtMs: number | null;
  readonly initialQuantity: string;
  readonly executedQuantity: string;
  readonly remainingQuantity: string;
}

/** What was traded by one fill of an order. */
export interface Trade {
  readonly tradeId: string;
  readonly orderId: string;
  readonly accountId: string;
  readonly symbol: string;
  readonly price: string;
  readonly size: string;
  readonly side: Side;
  readonly atMs: number;
  /** The order's. */
  readonly comment: string;
}

/** What a symbol was last traded at. */
export interface LastPrice {
  readonly symbol: string;
  readonly price: string;
}

/** True for a status that an order never leaves. */
export function isFinal(status: OrderStatus): boolean {
  return status !== OrderStatus.NEW && status !== OrderStatus.PARTIALLY_FILLED;
}
