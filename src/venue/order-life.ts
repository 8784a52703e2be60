/** What can become of an order, step by step: what a price does to it, and when its time is up. */
import { compareDecimals } from '../domain/decimal.ts';
import {
  type Order,
  type OrderState,
  OrderStatus,
  OrderType,
  Side,
  StopCondition,
  TimeInForce,
  ValidBefore,
} from '../domain/order.ts';
import { endOfDayMs } from './day.ts';

/** When something happens to an order, and the name of its happening. */
export interface Happening {
  readonly execId: string;
  readonly atMs: number;
}

/** An order that has just been taken. */
export function placed(order: Order, orderId: string, { execId, atMs }: Happening): OrderState {
  return {
    orderId,
    execId,
    status: OrderStatus.NEW,
    order,
    transactAtMs: atMs,
    acceptAtMs: atMs,
    withdrawAtMs: null,
    triggeredAtMs: null,
    initialQuantity: order.quantity,
    executedQuantity: '0',
    remainingQuantity: order.quantity,
  };
}

/** The order with the time of what happens to it, which is never before what happened last. */
function moved(state: OrderState, { execId, atMs }: Happening): OrderState {
  return { ...state, execId, transactAtMs: Math.max(atMs, state.transactAtMs) };
}

/** A stop whose price has been reached: from now on what it was to become. */
export function triggered(state: OrderState, happening: Happening): OrderState {
  const next = moved(state, happening);
  return { ...next, triggeredAtMs: next.transactAtMs };
}

/** An order that was traded whole: what is given a price here is there in any quantity. */
export function filled(state: OrderState, happening: Happening): OrderState {
  const next = isWaitingStop(state) ? triggered(state, happening) : moved(state, happening);
  return {
    ...next,
    status: OrderStatus.FILLED,
    executedQuantity: state.initialQuantity,
    remainingQuantity: '0',
  };
}

/** An order that was cancelled, or whose time was up. */
export function withdrawn(
  state: OrderState,
  status: typeof OrderStatus.CANCELED | typeof OrderStatus.EXPIRED,
  happening: Happening,
): OrderState {
  const next = moved(state, happening);
  return { ...next, status, withdrawAtMs: next.transactAtMs };
}

/** True for a stop whose price has not been reached. */
function isWaitingStop({ order, triggeredAtMs }: OrderState): boolean {
  return order.stopCondition !== null && triggeredAtMs === null;
}

/** What a price does to an open order: fills it, or makes a stop what it was to become. */
export function effectOf(state: OrderState, price: string): 'fills' | 'triggers' | 'nothing' {
  const { order } = state;
  if (order.type === OrderType.MULTI_LEG || isForAuction(order)) return 'nothing';
  const isWaiting = isWaitingStop(state);
  if (isWaiting && !isReached(order, price)) return 'nothing';
  if (isCrossed(order, price)) return 'fills';
  return isWaiting ? 'triggers' : 'nothing';
}

/** True for an order that waits for an auction, and there are none here. */
function isForAuction({ timeInForce }: Order): boolean {
  return timeInForce === TimeInForce.ON_OPEN || timeInForce === TimeInForce.ON_CLOSE;
}

function isReached({ stopPrice, stopCondition }: Order, price: string): boolean {
  const above = compareDecimals(price, stopPrice ?? price);
  return stopCondition === StopCondition.LAST_UP ? above >= 0 : above <= 0;
}

/** True at a price that is as good as the limit, or better; any is where there is no limit. */
function isCrossed({ limitPrice, side }: Order, price: string): boolean {
  if (limitPrice === null) return true;
  const above = compareDecimals(price, limitPrice);
  return side === Side.BUY ? above <= 0 : above >= 0;
}

/** True for an order that is done at once or not at all. */
export function isAtOnce({ timeInForce }: Order): boolean {
  return timeInForce === TimeInForce.IOC || timeInForce === TimeInForce.FOK;
}

/** When an open order's time is up; Infinity where it stands until it is cancelled. */
export function endsAtMs(state: OrderState): number {
  const { timeInForce, validBefore } = state.order;
  const isLasting = isWaitingStop(state)
    ? validBefore === ValidBefore.GOOD_TILL_CANCEL
    : timeInForce === TimeInForce.GOOD_TILL_CANCEL;
  return isLasting ? Number.POSITIVE_INFINITY : endOfDayMs(state.triggeredAtMs ?? state.acceptAtMs);
}
