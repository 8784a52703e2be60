/** What makes an order: every rule that a broker checks before it takes one. */
import { idOf, type Random } from './clock.ts';
import { DECIMAL_RULE, parseDecimal } from './decimal.ts';
import type { FieldViolation } from './errors.ts';
import {
  type Leg,
  type Order,
  OrderType,
  Side,
  StopCondition,
  TimeInForce,
  ValidBefore,
} from './order.ts';
import { TYPE_RULES, type TypeRules } from './order-types.ts';
import { isSymbol, SYMBOL_RULE } from './symbol.ts';

/** Characters (code points) of a client order id. */
export const CLIENT_ORDER_ID_CHARS_MAX = 20;
/** Characters (code points) of a comment. */
export const COMMENT_CHARS_MAX = 128;
/** Legs of one order. */
export const LEGS_MAX = 16;

/** Random bytes of a client order id that we make: 20 characters of base64url. */
const CLIENT_ORDER_ID_BYTES = 15;
/** Of VALID_BEFORE, in the contract for other orders than these. */
const GOOD_TILL_DATE = 3;
/** Not printable: control characters, invisible ones, breaks, halves of characters. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/u;

/** A decimal as the contract has it; an empty text is nothing. */
interface DecimalRequest {
  readonly value: string;
}

interface LegRequest {
  readonly symbol: string;
  readonly quantity?: DecimalRequest | undefined;
  readonly side: number;
}

/** What a request says: the contract's message Order. 0, '' and what is not set are nothing. */
export interface OrderRequest extends LegRequest {
  readonly accountId: string;
  readonly type: number;
  readonly timeInForce: number;
  readonly limitPrice?: DecimalRequest | undefined;
  readonly stopPrice?: DecimalRequest | undefined;
  readonly stopCondition: number;
  readonly legs: readonly LegRequest[];
  readonly clientOrderId: string;
  readonly validBefore: number;
  readonly comment: string;
}

/** An order, or everything that is wrong with the request, in the contract's own names. */
export type CheckedOrder =
  | { readonly order: Order }
  | { readonly violations: readonly FieldViolation[] };

/**
 * Reads the order that a request asks for. The account is taken as it is: who may trade in it is
 * judged elsewhere.
 *
 * @param random makes the client order id where the request has none
 */
export function checkOrder(request: OrderRequest, random: Random): CheckedOrder {
  const fields = new Fields();
  const symbol = fields.symbol('symbol', request.symbol);
  const quantity = fields.quantity('quantity', request.quantity);
  const side = fields.side('side', request.side);
  const type = fields.oneOf('type', OrderType, 'ORDER_TYPE', request.type);
  const rules = type === undefined ? undefined : TYPE_RULES[type];
  const timeInForce = fields.timeInForce(request.timeInForce, rules);
  const limitPrice = fields.price('limit_price', request.limitPrice, rules, rules?.hasLimit);
  const stopPrice = fields.price('stop_price', request.stopPrice, rules, rules?.hasStop);
  const stopCondition = fields.stopCondition(request.stopCondition, rules);
  const legs = fields.legs(request.legs, rules);
  fields.clientOrderId(request.clientOrderId);
  const validBefore = fields.validBefore(request.validBefore, rules, timeInForce);
  fields.comment(request.comment);
  const { violations } = fields;
  // A field that is needed and not there is a violation; the types do not know.
  const isWhole = symbol !== undefined && quantity !== undefined && side !== undefined;
  if (violations.length > 0 || !isWhole || type === undefined) return { violations };
  const order: Order = {
    accountId: request.accountId,
    symbol,
    quantity,
    side,
    type,
    timeInForce,
    limitPrice,
    stopPrice,
    stopCondition,
    legs,
    clientOrderId: request.clientOrderId || newClientOrderId(random),
    validBefore,
    comment: request.comment,
  };
  return { order };
}

function newClientOrderId(random: Random): string {
  return idOf(random(CLIENT_ORDER_ID_BYTES));
}

/** True when both ask for the same, so that one is a retry of the other. */
export function isSameOrder(a: Order, b: Order): boolean {
  return textOf(a) === textOf(b);
}

function textOf(order: Order): string {
  const { legs, ...rest } = order;
  const fields = Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([fields, legs.map((leg) => [leg.symbol, leg.quantity, leg.side])]);
}

/** `A_B, A_C or A_D` for B, C and D. */
function namesOf(prefix: string, names: readonly string[]): string {
  const all = names.map((name) => `${prefix}_${name}`);
  const last = all.pop() ?? '';
  return all.length === 0 ? last : `${all.join(', ')} or ${last}`;
}

function charsOf(text: string): number {
  return [...text].length;
}

/** True for a leg of which anything is said: one left empty, as a filled-in form leaves it, is none. */
function isSaid({ symbol, quantity, side }: LegRequest): boolean {
  return symbol !== '' || (quantity?.value ?? '') !== '' || side !== 0;
}

/** Reads field by field, and keeps what is wrong. Where no type is known, none of its rules hold. */
class Fields {
  readonly violations: FieldViolation[] = [];

  symbol(field: string, text: string): string | undefined {
    if (isSymbol(text)) return text;
    return this.#refuse(field, text === '' ? `is needed: it ${SYMBOL_RULE}` : SYMBOL_RULE);
  }

  quantity(field: string, given: DecimalRequest | undefined): string | undefined {
    const text = given?.value ?? '';
    if (text === '') return this.#refuse(field, `is needed: it ${DECIMAL_RULE}`);
    return parseDecimal(text) ?? this.#refuse(field, DECIMAL_RULE);
  }

  side(field: string, value: number): Side | undefined {
    return this.oneOf(field, Side, 'SIDE', value);
  }

  /** One of an enum's values, which must be there. */
  oneOf<T extends number>(
    field: string,
    values: Readonly<Record<string, T>>,
    prefix: string,
    value: number,
  ): T | undefined {
    const known = Object.values(values).find((each) => each === value);
    if (known !== undefined) return known;
    const names = namesOf(prefix, Object.keys(values));
    return this.#refuse(field, `${value === 0 ? 'is needed: it ' : ''}must be ${names}`);
  }

  timeInForce(value: number, rules: TypeRules | undefined): TimeInForce {
    if (value === 0) return TimeInForce.DAY;
    const allowed = rules?.timesInForce ?? Object.values(TimeInForce);
    const known = allowed.find((each) => each === value);
    if (known !== undefined) return known;
    const isAllowed = ([, each]: [string, TimeInForce]) => allowed.includes(each);
    const names = Object.entries(TimeInForce)
      .filter(isAllowed)
      .map(([name]) => name);
    this.#refuse('time_in_force', `must be ${namesOf('TIME_IN_FORCE', names)}${withType(rules)}`);
    return TimeInForce.DAY;
  }

  price(
    field: string,
    given: DecimalRequest | undefined,
    rules: TypeRules | undefined,
    isWanted: boolean | undefined,
  ): string | null {
    const text = given?.value ?? '';
    if (!this.#isRead(field, text !== '', rules, isWanted)) return null;
    return parseDecimal(text) ?? this.#refuse(field, DECIMAL_RULE) ?? null;
  }

  stopCondition(value: number, rules: TypeRules | undefined): StopCondition | null {
    const field = 'stop_condition';
    if (!this.#isRead(field, value !== 0, rules, rules?.hasStop)) return null;
    return this.oneOf(field, StopCondition, 'STOP_CONDITION', value) ?? null;
  }

  legs(given: readonly LegRequest[], rules: TypeRules | undefined): readonly Leg[] {
    if (!this.#isRead('legs', given.some(isSaid), rules, rules?.hasLegs)) return [];
    if (given.length > LEGS_MAX) this.#refuse('legs', `must be at most ${LEGS_MAX}`);
    return given.slice(0, LEGS_MAX).flatMap((leg, i) => {
      const symbol = this.symbol(`legs[${i}].symbol`, leg.symbol);
      const quantity = this.quantity(`legs[${i}].quantity`, leg.quantity);
      const side = this.side(`legs[${i}].side`, leg.side);
      const isWhole = symbol !== undefined && quantity !== undefined && side !== undefined;
      return isWhole ? [{ symbol, quantity, side }] : [];
    });
  }

  clientOrderId(text: string): void {
    const isTooLong = charsOf(text) > CLIENT_ORDER_ID_CHARS_MAX;
    if (!isTooLong && !UNPRINTABLE.test(text)) return;
    const rule = `must have at most ${CLIENT_ORDER_ID_CHARS_MAX} characters, all of them printable`;
    this.#refuse('client_order_id', rule);
  }

  validBefore(
    value: number,
    rules: TypeRules | undefined,
    timeInForce: TimeInForce,
  ): ValidBefore | null {
    const field = 'valid_before';
    if (value !== 0 && this.#isRead(field, true, rules, rules?.hasStop)) {
      if (value !== GOOD_TILL_DATE) {
        return this.oneOf(field, ValidBefore, 'VALID_BEFORE', value) ?? null;
      }
      const names = namesOf('VALID_BEFORE', Object.keys(ValidBefore));
      this.#refuse(field, `must be ${names}; a date is for SL/TP orders only`);
    }
    if (!rules?.hasStop) return null;
    const isLasting = timeInForce === TimeInForce.GOOD_TILL_CANCEL;
    return isLasting ? ValidBefore.GOOD_TILL_CANCEL : ValidBefore.END_OF_DAY;
  }

  comment(text: string): void {
    if (charsOf(text) <= COMMENT_CHARS_MAX) return;
    this.#refuse('comment', `must have at most ${COMMENT_CHARS_MAX} characters`);
  }

  /** Whether there is something to read; says so where something should be, or should not. */
  #isRead(
    field: string,
    isGiven: boolean,
    rules: TypeRules | undefined,
    isWanted: boolean | undefined,
  ): boolean {
    if (isWanted === true && !isGiven) this.#refuse(field, `is needed${withType(rules)}`);
    if (isWanted === false && isGiven) this.#refuse(field, `must be left out${withType(rules)}`);
    return isGiven && isWanted !== false;
  }

  #refuse(field: string, description: string): undefined {
    this.violations.push({ field, description });
  }
}

function withType(rules: TypeRules | undefined): string {
  return rules === undefined ? '' : ` with ${rules.name}`;
}
