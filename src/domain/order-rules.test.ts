import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { systemRandom } from './clock.ts';
import { type Order, OrderType, Side, StopCondition, TimeInForce, ValidBefore } from './order.ts';
import {
  CLIENT_ORDER_ID_CHARS_MAX,
  COMMENT_CHARS_MAX,
  checkOrder,
  isSameOrder,
  LEGS_MAX,
  type OrderRequest,
} from './order-rules.ts';

const { MARKET, LIMIT, STOP, STOP_LIMIT, MULTI_LEG } = OrderType;
const { DAY, GOOD_TILL_CANCEL, EXT, IOC, FOK, ON_OPEN, ON_CLOSE } = TimeInForce;

/** A request with nothing in it but what is given. */
function request(some: Partial<OrderRequest>): OrderRequest {
  return {
    accountId: 'a1',
    symbol: '',
    side: 0,
    type: 0,
    timeInForce: 0,
    stopCondition: 0,
    legs: [],
    clientOrderId: '',
    validBefore: 0,
    comment: '',
    ...some,
  };
}

const decimal = (value: string) => ({ value });
const BASE = { symbol: 'SBER@MISX', quantity: decimal('10'), side: Side.BUY };
const LEG = { symbol: 'GAZP@MISX', quantity: decimal('1.50'), side: Side.SELL };
const TRIGGER = { stopPrice: decimal('200'), stopCondition: StopCondition.LAST_UP };
const LIMIT_PRICE = { limitPrice: decimal('201.50') };

/** The least that each type needs. */
const LEAST: Readonly<Record<OrderType, OrderRequest>> = {
  [MARKET]: request({ ...BASE, type: MARKET }),
  [LIMIT]: request({ ...BASE, ...LIMIT_PRICE, type: LIMIT }),
  [STOP]: request({ ...BASE, ...TRIGGER, type: STOP }),
  [STOP_LIMIT]: request({ ...BASE, ...TRIGGER, ...LIMIT_PRICE, type: STOP_LIMIT }),
  [MULTI_LEG]: request({ ...BASE, type: MULTI_LEG, legs: [LEG] }),
};
const TYPES = Object.values(OrderType);

function orderOf(asked: OrderRequest): Order {
  const checked = checkOrder(asked, systemRandom);
  assert.ok('order' in checked, JSON.stringify(checked));
  return checked.order;
}

/** The fields that are refused, as the contract names them. */
function refusedOf(asked: OrderRequest): string[] {
  const checked = checkOrder(asked, systemRandom);
  if ('order' in checked) return [];
  for (const { description } of checked.violations) assert.match(description, /^(must|is needed)/);
  return checked.violations.map(({ field }) => field);
}

test('an order is whole, and has defaults where nothing is said', () => {
  const common = { accountId: 'a1', symbol: 'SBER@MISX', quantity: '10', side: Side.BUY };
  const bare = { limitPrice: null, stopPrice: null, stopCondition: null, validBefore: null };
  const expected = (type: OrderType, more: Partial<Order>): Order => ({
    ...common,
    ...bare,
    ...{ type, timeInForce: DAY, legs: [], clientOrderId: 'mine', comment: '', ...more },
  });
  const got = (type: OrderType) => orderOf({ ...LEAST[type], clientOrderId: 'mine' });
  const waits = { stopPrice: '200', stopCondition: StopCondition.LAST_UP };
  const today = { ...waits, validBefore: ValidBefore.END_OF_DAY };
  assert.deepEqual(got(MARKET), expected(MARKET, {}));
  assert.deepEqual(got(LIMIT), expected(LIMIT, { limitPrice: '201.5' }));
  assert.deepEqual(got(STOP), expected(STOP, today));
  assert.deepEqual(got(STOP_LIMIT), expected(STOP_LIMIT, { ...today, limitPrice: '201.5' }));
  const legs = [{ symbol: 'GAZP@MISX', quantity: '1.5', side: Side.SELL }];
  assert.deepEqual(got(MULTI_LEG), expected(MULTI_LEG, { legs }));
});

test('a stop waits as long as what it becomes would stand, unless it says otherwise', () => {
  const of = (timeInForce: number, validBefore: number) =>
    orderOf({ ...LEAST[STOP], timeInForce, validBefore }).validBefore;
  assert.equal(of(GOOD_TILL_CANCEL, 0), ValidBefore.GOOD_TILL_CANCEL);
  assert.equal(of(EXT, 0), ValidBefore.END_OF_DAY);
  assert.equal(of(GOOD_TILL_CANCEL, ValidBefore.END_OF_DAY), ValidBefore.END_OF_DAY);
  assert.equal(of(DAY, ValidBefore.GOOD_TILL_CANCEL), ValidBefore.GOOD_TILL_CANCEL);
});

test('the placeholders of the documents are refused, each field that is wrong by itself', () => {
  const legs = [{ symbol: 'string', quantity: decimal('string'), side: 0 }];
  const placeholders = request({
    symbol: 'string',
    quantity: decimal('string'),
    limitPrice: decimal('string'),
    stopPrice: decimal('string'),
    legs,
    clientOrderId: 'string',
    comment: 'string',
  });
  const common = ['symbol', 'quantity', 'side'];
  const ofLegs = ['legs[0].symbol', 'legs[0].quantity', 'legs[0].side'];
  const all = [...common, 'type', 'limit_price', 'stop_price', ...ofLegs];
  assert.deepEqual(refusedOf(placeholders), all);
  const stated = { ...placeholders, type: STOP, validBefore: 3 };
  const ofStop = ['limit_price', 'stop_price', 'stop_condition', 'legs', 'valid_before'];
  assert.deepEqual(refusedOf(stated), [...common, ...ofStop]);
});

test('an empty request lacks what every order has', () => {
  const empty = request({ quantity: decimal(''), limitPrice: decimal('') });
  assert.deepEqual(refusedOf(empty), ['symbol', 'quantity', 'side', 'type']);
});

/** What only some types have: how it is given, and who needs it. */
const PARTS: Readonly<Record<string, { given: Partial<OrderRequest>; needs: number[] }>> = {
  limit_price: { given: LIMIT_PRICE, needs: [LIMIT, STOP_LIMIT] },
  stop_price: { given: { stopPrice: decimal('1') }, needs: [STOP, STOP_LIMIT] },
  stop_condition: { given: { stopCondition: 2 }, needs: [STOP, STOP_LIMIT] },
  legs: { given: { legs: [LEG] }, needs: [MULTI_LEG] },
};

test('each type needs its own parts, and must not carry those of others', () => {
  for (const type of TYPES) {
    for (const [field, { given, needs }] of Object.entries(PARTS)) {
      const isNeeded = needs.includes(type);
      assert.deepEqual(refusedOf({ ...LEAST[type], ...given }), isNeeded ? [] : [field]);
      if (!isNeeded) continue;
      const absent = Object.fromEntries(Object.keys(given).map((name) => [name, undefined]));
      const without = { ...LEAST[type], ...absent, ...(field === 'legs' && { legs: [] }) };
      if (field === 'stop_condition') without.stopCondition = 0;
      assert.deepEqual(refusedOf(without), [field], `${type} without ${field}`);
    }
    const isStop = type === STOP || type === STOP_LIMIT;
    for (const validBefore of [1, 2, 3, 9]) {
      const isFine = isStop && validBefore < 3;
      const refused = refusedOf({ ...LEAST[type], validBefore });
      assert.deepEqual(refused, isFine ? [] : ['valid_before'], `${type} with ${validBefore}`);
    }
  }
});

test('what waits can be done neither at once nor at an auction', () => {
  for (const type of TYPES) {
    const isWaiting = type !== MARKET && type !== LIMIT;
    for (const timeInForce of [...Object.values(TimeInForce), 9, -1]) {
      const isKnown = timeInForce > 0 && timeInForce < 9;
      const lasts = [DAY, GOOD_TILL_CANCEL, EXT].some((each) => each === timeInForce);
      const refused = refusedOf({ ...LEAST[type], timeInForce });
      const isFine = isKnown && (lasts || !isWaiting);
      assert.deepEqual(refused, isFine ? [] : ['time_in_force'], `${type} with ${timeInForce}`);
    }
  }
  for (const timeInForce of [IOC, FOK, ON_OPEN, ON_CLOSE]) {
    assert.equal(orderOf({ ...LEAST[LIMIT], timeInForce }).timeInForce, timeInForce);
  }
});

test('enum values that nobody knows are refused', () => {
  assert.deepEqual(refusedOf({ ...LEAST[MARKET], side: 3 }), ['side']);
  assert.deepEqual(refusedOf({ ...LEAST[MARKET], type: 6 }), ['type']);
  assert.deepEqual(refusedOf({ ...LEAST[STOP], stopCondition: -1 }), ['stop_condition']);
});

test('legs are read each, and there are not too many', () => {
  const bad = { symbol: 'GAZP', quantity: undefined, side: 5 };
  const two = { ...LEAST[MULTI_LEG], legs: [LEG, bad] };
  assert.deepEqual(refusedOf(two), ['legs[1].symbol', 'legs[1].quantity', 'legs[1].side']);
  const legs = (count: number) => Array.from({ length: count }, () => LEG);
  assert.equal(orderOf({ ...LEAST[MULTI_LEG], legs: legs(LEGS_MAX) }).legs.length, LEGS_MAX);
  assert.deepEqual(refusedOf({ ...LEAST[MULTI_LEG], legs: legs(LEGS_MAX + 1) }), ['legs']);
  const badOnes = Array.from({ length: 5_000 }, () => bad);
  assert.equal(refusedOf({ ...LEAST[MULTI_LEG], legs: badOnes }).length, 1 + 3 * LEGS_MAX);
});

test('texts have so many characters, whatever they are written with', () => {
  const good = ['я', '𝔵', 'a b', '#1'].map((text) => text.repeat(20).slice(0, 20));
  good.push('𝔵'.repeat(CLIENT_ORDER_ID_CHARS_MAX));
  for (const clientOrderId of good) {
    assert.equal(orderOf({ ...LEAST[MARKET], clientOrderId }).clientOrderId, clientOrderId);
  }
  const bad = ['x'.repeat(21), '𝔵'.repeat(21), 'a\nb', 'a\u0000', 'a\u007f', 'a\u2028', '\u200bx'];
  bad.push('a\ud800');
  for (const clientOrderId of bad) {
    assert.deepEqual(refusedOf({ ...LEAST[MARKET], clientOrderId }), ['client_order_id']);
  }
  const comment = '𝔵'.repeat(COMMENT_CHARS_MAX);
  assert.equal(orderOf({ ...LEAST[MARKET], comment }).comment, comment);
  assert.deepEqual(refusedOf({ ...LEAST[MARKET], comment: `${comment}!` }), ['comment']);
});

test('a client order id is made where there is none, each another', () => {
  const made = Array.from({ length: 100 }, () => orderOf(LEAST[MARKET]).clientOrderId);
  assert.equal(new Set(made).size, 100);
  for (const id of made) assert.match(id, /^[\w-]{20}$/);
});

const number = fc.integer({ min: -1, max: 10 });
const number01 = fc.constantFrom('0', '1', '10.50', '-1', '1e3', 'string', '', '0.000');
const anyDecimal = fc.option(number01.map(decimal), { nil: undefined });
const anySymbol = fc.constantFrom('SBER@MISX', 'string', '', 'A@#RBRD');
const anyLeg = fc.record({ symbol: anySymbol, quantity: anyDecimal, side: number });
const anyRequest: fc.Arbitrary<OrderRequest> = fc.record({
  accountId: fc.string(),
  symbol: anySymbol,
  quantity: anyDecimal,
  side: number,
  type: number,
  timeInForce: number,
  limitPrice: anyDecimal,
  stopPrice: anyDecimal,
  stopCondition: number,
  legs: fc.array(anyLeg, { maxLength: 3 }),
  clientOrderId: fc.string({ unit: 'binary', maxLength: 30 }),
  validBefore: number,
  comment: fc.string({ maxLength: 200 }),
});

/** A request that is mostly right: what a type needs, with a few fields from anywhere. */
const nearRequest = fc
  .tuple(
    fc.constantFrom(...TYPES),
    anyRequest,
    fc.subarray(Object.keys(request({})), { maxLength: 2 }),
  )
  .map(([type, any, names]): OrderRequest => {
    const some = Object.entries(any).filter(([name]) => names.includes(name));
    return { ...LEAST[type], ...Object.fromEntries(some) };
  });

test('whatever is asked: an order that would be taken again as it is, or fields by name', () => {
  let taken = 0;
  fc.assert(
    fc.property(fc.oneof(anyRequest, nearRequest), (asked) => {
      const checked = checkOrder(asked, randomBytes);
      if ('violations' in checked) {
        const fields = checked.violations.map(({ field }) => field);
        assert.ok(fields.length > 0);
        assert.equal(new Set(fields).size, fields.length, 'each field once');
        return;
      }
      taken += 1;
      const { order } = checked;
      const again = orderOf({
        ...order,
        quantity: decimal(order.quantity),
        limitPrice: order.limitPrice === null ? undefined : decimal(order.limitPrice),
        stopPrice: order.stopPrice === null ? undefined : decimal(order.stopPrice),
        stopCondition: order.stopCondition ?? 0,
        validBefore: order.validBefore ?? 0,
        legs: order.legs.map((leg) => ({ ...leg, quantity: decimal(leg.quantity) })),
      });
      assert.deepEqual(again, order);
      assert.ok(isSameOrder(again, order));
    }),
    { numRuns: 3000 },
  );
  assert.ok(taken > 100, `${taken} were taken`);
});

test('two orders are the same when every field is', () => {
  const order = orderOf({ ...LEAST[STOP_LIMIT], clientOrderId: 'mine' });
  const reordered = Object.fromEntries(Object.entries(order).reverse()) as unknown as Order;
  assert.ok(isSameOrder(order, reordered));
  const others: Order = {
    accountId: 'a2',
    symbol: 'SBER@MISY',
    quantity: '11',
    side: Side.SELL,
    type: STOP,
    timeInForce: EXT,
    limitPrice: null,
    stopPrice: '200.1',
    stopCondition: StopCondition.LAST_DOWN,
    legs: [{ symbol: 'GAZP@MISX', quantity: '1', side: Side.BUY }],
    clientOrderId: 'other',
    validBefore: ValidBefore.GOOD_TILL_CANCEL,
    comment: 'other',
  };
  assert.deepEqual(Object.keys(others), Object.keys(order));
  for (const [name, value] of Object.entries(others)) {
    assert.ok(!isSameOrder(order, { ...order, [name]: value }), name);
  }
  const withLeg = (some: Partial<Order['legs'][number]>): Order => ({
    ...order,
    legs: others.legs.map((leg) => ({ ...leg, ...some })),
  });
  assert.ok(isSameOrder(withLeg({}), withLeg({})));
  for (const some of [{ symbol: 'X@MISX' }, { quantity: '2' }, { side: Side.SELL }]) {
    assert.ok(!isSameOrder(withLeg({}), withLeg(some)), JSON.stringify(some));
  }
});
