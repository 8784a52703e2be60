/** Orders in a SQL database: a log of their changes, where in it each order stands, and prices. */
import { AppError } from '../../domain/errors.ts';
import type { Numbered } from '../../domain/model.ts';
import { isFinal, type LastPrice, type OrderState, type Trade } from '../../domain/order.ts';
import type { OrdersSnapshot, VenuePosition } from '../order-store.ts';
import type { Written } from '../writes.ts';
import { isConstraint } from './constraint.ts';
import { changed, first, rows, type Sql } from './query.ts';

/** Every statement of recordOrders. */
export const ORDER_WRITE_SQL = {
  addOrderChange: 'INSERT INTO order_change (account_id, state) VALUES (?, ?) RETURNING sequence',
  // Only an open order changes: none ever leaves a final status.
  moveOrder: `
    UPDATE placed_order SET is_open = ?, newest_sequence = ?
    WHERE id = ? AND account_id = ? AND is_open = 1`,
  addOrder: `
    INSERT INTO placed_order (id, account_id, client_order_id, is_open, first_sequence,
      newest_sequence)
    VALUES (?1, ?2, ?3, ?4, ?5, ?5)`,
  addTrade: 'INSERT INTO trade (account_id, trade) VALUES (?, ?)',
  // A price that is set again takes a new number: who reads on from a number misses none.
  setPrice: `
    INSERT INTO last_price (symbol, price, sequence)
    VALUES (?, ?, (SELECT coalesce(max(sequence), 0) + 1 FROM last_price))
    ON CONFLICT (symbol) DO UPDATE SET price = excluded.price, sequence = excluded.sequence
    RETURNING sequence`,
} as const;

/** Every query about orders. */
export const ORDER_READ_SQL = {
  order: `
    SELECT state FROM placed_order JOIN order_change ON sequence = newest_sequence
    WHERE id = ? AND placed_order.account_id = ?`,
  placedOrder: `
    SELECT state FROM placed_order JOIN order_change ON sequence = first_sequence
    WHERE placed_order.account_id = ? AND client_order_id = ?`,
  // Those that changed last come first.
  accountOrders: `
    SELECT state, first_sequence AS "firstSequence"
    FROM placed_order JOIN order_change ON sequence = newest_sequence
    WHERE placed_order.account_id = ? AND is_open = ?
    ORDER BY newest_sequence DESC LIMIT ?`,
  newestOrderChange: 'SELECT max(sequence) AS sequence FROM order_change WHERE account_id = ?',
  openOrders: `
    SELECT state FROM placed_order JOIN order_change ON sequence = newest_sequence
    WHERE is_open = 1 ORDER BY first_sequence`,
  venuePosition: `
    SELECT (SELECT max(sequence) FROM order_change) AS "change",
      (SELECT max(sequence) FROM last_price) AS "price"`,
  orderLog: `
    SELECT sequence, state FROM order_change WHERE sequence > ? ORDER BY sequence LIMIT ?`,
  prices: `
    SELECT symbol, price, sequence FROM last_price WHERE sequence > ? ORDER BY sequence LIMIT ?`,
  orderChanges: `
    SELECT sequence, state FROM order_change WHERE account_id = ? AND sequence > ?
    ORDER BY sequence LIMIT ?`,
  trades: `
    SELECT sequence, trade FROM trade WHERE account_id = ? AND sequence > ?
    ORDER BY sequence LIMIT ?`,
  newestTrades: `
    SELECT sequence, trade FROM trade WHERE account_id = ? ORDER BY sequence DESC LIMIT ?`,
} as const;

/** A limit that is none. */
const ALL = Number.MAX_SAFE_INTEGER;

interface StateRow {
  readonly state: string;
}

interface ChangeRow extends StateRow {
  readonly sequence: number;
}

interface NumberRow {
  readonly sequence: number | null;
}

interface TradeRow {
  readonly trade: string;
  readonly sequence: number;
}

/**
 * See Store.recordOrders. Writes are done one after another, also those of other nodes: nothing comes
 * between the look at the position and what is recorded.
 */
export function* recordOrders(
  changes: readonly OrderState[],
  trades: readonly Trade[],
  prices: readonly LastPrice[] = [],
  after?: VenuePosition,
): Sql<Written<VenuePosition | undefined>> {
  let { change, price } = yield* readVenuePosition();
  if (after !== undefined && (after.change !== change || after.price !== price)) {
    return { result: undefined, changes: [] };
  }
  const accountIds = new Set<string>();
  for (const state of changes) {
    change = yield* addChange(state);
    accountIds.add(state.order.accountId);
  }
  for (const trade of trades) {
    yield* changed(ORDER_WRITE_SQL.addTrade, trade.accountId, JSON.stringify(trade));
    accountIds.add(trade.accountId);
  }
  for (const each of prices) {
    const set = yield* first<NumberRow>(ORDER_WRITE_SQL.setPrice, each.symbol, each.price);
    price = numberOf(set);
  }
  return {
    result: { change, price },
    changes: [...accountIds].map((accountId) => ({ kind: 'orders', accountId })),
  };
}

/** Answers its number. */
function* addChange(state: OrderState): Sql<number> {
  const { orderId, order } = state;
  const { accountId, clientOrderId } = order;
  const text = JSON.stringify(state);
  const added = yield* first<NumberRow>(ORDER_WRITE_SQL.addOrderChange, accountId, text);
  const sequence = numberOf(added);
  const isOpen = Number(!isFinal(state.status));
  if ((yield* changed(ORDER_WRITE_SQL.moveOrder, isOpen, sequence, orderId, accountId)) === 1)
    return sequence;
  try {
    yield* changed(ORDER_WRITE_SQL.addOrder, orderId, accountId, clientOrderId, isOpen, sequence);
  } catch (error) {
    if (!isConstraint(error, 'unique')) throw error;
    const message = 'another order of the account has this client_order_id';
    throw new AppError('CLIENT_ORDER_ID_TAKEN', message, { cause: error });
  }
  return sequence;
}

/** See Store.order. */
export function* readOrder(accountId: string, orderId: string): Sql<OrderState | undefined> {
  return stateOf(yield* first<StateRow>(ORDER_READ_SQL.order, orderId, accountId));
}

/** See Store.placedOrder. */
export function* readPlacedOrder(
  accountId: string,
  clientOrderId: string,
): Sql<OrderState | undefined> {
  return stateOf(yield* first<StateRow>(ORDER_READ_SQL.placedOrder, accountId, clientOrderId));
}

/** See Store.orders. */
export function* readOrders(accountId: string, finalMax: number): Sql<OrdersSnapshot> {
  const query = ORDER_READ_SQL.accountOrders;
  type Row = StateRow & { firstSequence: number };
  const open = yield* rows<Row>(query, accountId, 1, ALL);
  const final = yield* rows<Row>(query, accountId, 0, Math.max(0, finalMax));
  const found = [...open, ...final];
  found.sort((a, b) => a.firstSequence - b.firstSequence);
  const sql = ORDER_READ_SQL.newestOrderChange;
  const sequence = numberOf(yield* first<NumberRow>(sql, accountId));
  return { orders: found.map(parseState), sequence };
}

/** See Store.venuePosition. */
export function* readVenuePosition(): Sql<VenuePosition> {
  type Row = { readonly change: number | null; readonly price: number | null };
  const newest = yield* first<Row>(ORDER_READ_SQL.venuePosition);
  return { change: newest?.change ?? 0, price: newest?.price ?? 0 };
}

/** See Store.orderLog. */
export function* readOrderLog(afterSequence: number, limit: number): Sql<Numbered<OrderState>[]> {
  const sql = ORDER_READ_SQL.orderLog;
  return (yield* rows<ChangeRow>(sql, afterSequence, Math.max(0, limit))).map(parseChange);
}

/** See Store.prices. */
export function* readPrices(afterSequence: number, limit: number): Sql<Numbered<LastPrice>[]> {
  const sql = ORDER_READ_SQL.prices;
  const found = yield* rows<Numbered<LastPrice>>(sql, afterSequence, Math.max(0, limit));
  return found.map(({ symbol, price, sequence }) => ({ symbol, price, sequence }));
}

/** See Store.openOrders. */
export function* readOpenOrders(): Sql<OrderState[]> {
  return (yield* rows<StateRow>(ORDER_READ_SQL.openOrders)).map(parseState);
}

/** See Store.orderChanges. */
export function* readOrderChanges(
  accountId: string,
  afterSequence: number,
  limit: number,
): Sql<Numbered<OrderState>[]> {
  return (yield* rows<ChangeRow>(
    ORDER_READ_SQL.orderChanges,
    accountId,
    afterSequence,
    Math.max(0, limit),
  )).map(parseChange);
}

/** See Store.trades. */
export function* readTrades(
  accountId: string,
  afterSequence: number,
  limit: number,
): Sql<Numbered<Trade>[]> {
  return (yield* rows<TradeRow>(
    ORDER_READ_SQL.trades,
    accountId,
    afterSequence,
    Math.max(0, limit),
  )).map(parseTrade);
}

/** See Store.newestTrades. */
export function* readNewestTrades(accountId: string, max: number): Sql<Numbered<Trade>[]> {
  const found = yield* rows<TradeRow>(ORDER_READ_SQL.newestTrades, accountId, Math.max(0, max));
  return found.reverse().map(parseTrade);
}

function parseTrade({ trade, sequence }: TradeRow): Numbered<Trade> {
  return { ...(JSON.parse(trade) as Trade), sequence };
}

function parseChange(row: ChangeRow): Numbered<OrderState> {
  return { ...parseState(row), sequence: row.sequence };
}

function parseState({ state }: StateRow): OrderState {
  return JSON.parse(state) as OrderState;
}

function numberOf(row: NumberRow | undefined): number {
  return row?.sequence ?? 0;
}

function stateOf(row: StateRow | undefined): OrderState | undefined {
  return row && parseState(row);
}
