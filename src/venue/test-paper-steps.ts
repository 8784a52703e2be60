/** Orders and steps at random, for tests of the paper venue. */
import fc from 'fast-check';
import {
  type Order,
  OrderType,
  Side,
  StopCondition,
  TimeInForce,
  ValidBefore,
} from '../domain/order.ts';
import { market, multiLeg } from './paper-samples.ts';

const { MARKET, LIMIT, STOP, STOP_LIMIT, MULTI_LEG } = OrderType;
const { DAY, GOOD_TILL_CANCEL, EXT } = TimeInForce;

export const ACCOUNTS = ['a1', 'a2'];
const SYMBOLS = ['SBER@MISX', 'GAZP@MISX'];
/** Few prices, so that they meet. */
const price = fc.constantFrom('1', '2', '2.5', '3', '4');
const waitingTimes = [DAY, GOOD_TILL_CANCEL, EXT];
const accountId = fc.constantFrom(...ACCOUNTS);
const symbol = fc.constantFrom(...SYMBOLS);

const order: fc.Arbitrary<Order> = fc
  .record({
    type: fc.constantFrom(MARKET, LIMIT, LIMIT, STOP, STOP_LIMIT, MULTI_LEG),
    common: fc.record(
      {
        accountId,
        symbol,
        quantity: fc.constantFrom('1', '0.1', '123456789012345678.000000000000000001'),
        side: fc.constantFrom(...Object.values(Side)),
        clientOrderId: fc.nat(40).map((n) => `id-${n}`),
        comment: fc.constantFrom('', 'text'),
      },
      { noNullPrototype: true },
    ),
    time: fc.constantFrom(...Object.values(TimeInForce)),
    waitingTime: fc.constantFrom(...waitingTimes),
    limitPrice: price,
    stopPrice: price,
    stopCondition: fc.constantFrom(...Object.values(StopCondition)),
    validBefore: fc.constantFrom(...Object.values(ValidBefore)),
  })
  .map(({ type, common, time, waitingTime, ...prices }) => {
    const { limitPrice, stopPrice, stopCondition, validBefore } = prices;
    const isAtOnce = type === MARKET || type === LIMIT;
    const limit = type === LIMIT || type === STOP_LIMIT ? { limitPrice } : {};
    const isStop = type === STOP || type === STOP_LIMIT;
    const waiting = isStop ? { stopPrice, stopCondition, validBefore } : {};
    const bare = type === MULTI_LEG ? multiLeg() : market();
    const timeInForce = isAtOnce ? time : waitingTime;
    return { ...bare, ...common, type, timeInForce, ...limit, ...waiting };
  });

export type Step =
  | { readonly do: 'place'; readonly order: Order }
  | { readonly do: 'retry'; readonly which: number; readonly changes: boolean }
  | { readonly do: 'cancel'; readonly which: number; readonly byOther: boolean }
  | { readonly do: 'price'; readonly symbol: string; readonly price: string };

const which = fc.nat(1_000);
export const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('place' as const), order }) },
  fc.record({ do: fc.constant('retry' as const), which, changes: fc.boolean() }),
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('cancel' as const),
      which,
      byOther: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('price' as const), symbol, price }) },
);
