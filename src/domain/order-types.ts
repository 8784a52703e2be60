/**
 * What each type of order has, beside the symbol, quantity and side that all have; what its row does
 * not name it must not carry.
 *
 * | type       | must have                              | may have     | time in force |
 * | ---------- | -------------------------------------- | ------------ | ------------- |
 * | MARKET     |                                        |              | all           |
 * | LIMIT      | limit price                            |              | all           |
 * | STOP       | stop price, stop condition             | valid before | DAY, GTC, EXT |
 * | STOP_LIMIT | limit price, stop price and condition  | valid before | DAY, GTC, EXT |
 * | MULTI_LEG  | legs                                   |              | DAY, GTC, EXT |
 *
 * `valid_before` is how long a stop waits for its price, `time_in_force` how long the order stands
 * that it becomes then. What waits, for a stop's price or for several legs together, can be done
 * neither at once nor at an auction. Where nothing is said, an order is for the DAY, and a stop waits
 * as long as the order that it becomes would stand.
 */
import { OrderType, TimeInForce } from './order.ts';

/** One row of the table. */
export interface TypeRules {
  /** The contract's. */
  readonly name: string;
  readonly hasLimit: boolean;
  /** A stop price and a stop condition; valid before. */
  readonly hasStop: boolean;
  readonly hasLegs: boolean;
  readonly timesInForce: readonly TimeInForce[];
}

const { DAY, GOOD_TILL_CANCEL, EXT } = TimeInForce;
const BARE = { hasLimit: false, hasStop: false, hasLegs: false };
const AT_ONCE = { ...BARE, timesInForce: Object.values(TimeInForce) };
const WAITING = { ...BARE, timesInForce: [DAY, GOOD_TILL_CANCEL, EXT] };

export const TYPE_RULES: Readonly<Record<OrderType, TypeRules>> = {
  [OrderType.MARKET]: { ...AT_ONCE, name: 'ORDER_TYPE_MARKET' },
  [OrderType.LIMIT]: { ...AT_ONCE, name: 'ORDER_TYPE_LIMIT', hasLimit: true },
  [OrderType.STOP]: { ...WAITING, name: 'ORDER_TYPE_STOP', hasStop: true },
  [OrderType.STOP_LIMIT]: {
    ...WAITING,
    name: 'ORDER_TYPE_STOP_LIMIT',
    hasLimit: true,
    hasStop: true,
  },
  [OrderType.MULTI_LEG]: { ...WAITING, name: 'ORDER_TYPE_MULTI_LEG', hasLegs: true },
};
