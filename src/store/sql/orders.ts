/** Orders in a SQL database: a log of their changes, and where in it each order stands. */
import { AppError } from '../../domain/errors.ts';
import { isFinal, type OrderState, type Trade } from '../../domain/order.ts';
import type { Change, Numbered, OrdersSnapshot } from '../store.ts';
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

interface TradeRow {
  readonly trade: string;
  readonly sequence: number;
}

/** See Store.recordOrders. Answers the accounts to be announced. */
export function* recordOrders(
  changes: readonly OrderState[],
  trades: readonly Trade[],
): Sql<Change[]> {
  const accountIds = new Set<string>();
  for (const state of changes) {
    yield* addChange(state);
    accountIds.add(state.order.accountId);
  }
  for (const trade of trades) {
    yield* changed(ORDER_WRITE_SQL.addTrade, trade.accountId, JSON.stringify(trade));
    accountIds.add(trade.accountId);
  }
  return [...accountIds].map((accountId) => ({ kind: 'orders', accountId }));
}

function* addChange(state: OrderState): Sql<void> {
  const { orderId, order } = state;
  const { accountId, clientOrderId } = order;
  const text = JSON.stringify(state);
  const added = yield* first<{ sequence: number }>(ORDER_WRITE_SQL.addOrderChange, accountId, text);
  const sequence = added?.sequence ?? null;
  const isOpen = Number(!isFinal(state.status));
  if ((yield* changed(ORDER_WRITE_SQL.moveOrder, isOpen, sequence, orderId, accountId)) === 1)
    return;
  try {
    yield* changed(ORDER_WRITE_SQL.addOrder, orderId, accountId, clientOrderId, isOpen, sequence);
  } catch (error) {
    if (!isConstraint(error, 'unique')) throw error;
    const message = 'another order of the account has this client_order_id';
    throw new AppError('CLIENT_ORDER_ID_TAKEN', message, { cause: error });
  }
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
  const newest = (yield* first<{ sequence: number | null }>(sql, accountId))?.sequence;
  return { orders: found.map(parseState), sequence: newest ?? 0 };
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
  return (yield* rows<StateRow & { sequence: number }>(
    ORDER_READ_SQL.orderChanges,
    accountId,
    afterSequence,
    Math.max(0, limit),
  )).map((row) => ({ ...parseState(row), sequence: row.sequence }));
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

function parseState({ state }: StateRow): OrderState {
  return JSON.parse(state) as OrderState;
}

function stateOf(row: StateRow | undefined): OrderState | undefined {
  return row && parseState(row);
}
