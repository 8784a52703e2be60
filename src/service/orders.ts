/** grpc.tradeapi.v1.orders.OrdersService: orders of an account, placed, cancelled, read and followed. */
import { create } from '@bufbuild/protobuf';
import type { Random } from '../domain/clock.ts';
import { AppError, refuseFields } from '../domain/errors.ts';
import { checkOrder } from '../domain/order-rules.ts';
import {
  OrdersResponseSchema,
  type OrdersService,
  SubscribeOrdersResponseSchema,
  SubscribeTradesResponseSchema,
} from '../gen/grpc/tradeapi/v1/orders/orders_service_pb.js';
import type { ServiceImpl } from '../pipeline/call.ts';
import type { Store } from '../store/store.ts';
import type { Venue } from '../venue/venue.ts';
import { OrderFeed } from './order-feed.ts';
import { orderStateMessage, tradeMessage } from './order-messages.ts';

/** Of the orders that are final, and of the trades so far, this many are told; the newest. */
const TOLD_MAX = 500;

export interface OrdersOptions {
  readonly store: Store;
  readonly venue: Venue;
  readonly random: Random;
}

/** Makes the service. Who may do what on which account was decided before. */
export function ordersService({
  store,
  venue,
  random,
}: OrdersOptions): ServiceImpl<typeof OrdersService, 'placeSLTPOrder' | 'subscribeOrderTrade'> {
  const feed = new OrderFeed(store);
  return {
    async placeOrder(request) {
      const checked = checkOrder(request, random);
      if ('violations' in checked) throw refuseFields(checked.violations);
      return orderStateMessage(await venue.place(checked.order));
    },

    async cancelOrder({ accountId, orderId }) {
      return orderStateMessage(await venue.cancel(accountId, orderId));
    },

    async getOrders({ accountId }) {
      const { orders } = await store.orders(accountId, TOLD_MAX);
      return create(OrdersResponseSchema, { orders: orders.map(orderStateMessage) });
    },

    async getOrder({ accountId, orderId }) {
      const state = await store.order(accountId, orderId);
      if (state === undefined) {
        throw new AppError('ORDER_NOT_FOUND', 'the account has no such order');
      }
      return orderStateMessage(state);
    },

    async *subscribeOrders({ accountId }, call) {
      const { orders, sequence } = await store.orders(accountId, TOLD_MAX);
      yield create(SubscribeOrdersResponseSchema, { orders: orders.map(orderStateMessage) });
      const read = store.orderChanges.bind(store, accountId);
      for await (const changes of feed.after(sequence, accountId, call, read)) {
        yield create(SubscribeOrdersResponseSchema, { orders: changes.map(orderStateMessage) });
      }
    },

    async *subscribeTrades({ accountId }, call) {
      const trades = await store.newestTrades(accountId, TOLD_MAX);
      yield create(SubscribeTradesResponseSchema, { trades: trades.map(tradeMessage) });
      const read = store.trades.bind(store, accountId);
      const last = trades.at(-1)?.sequence ?? 0;
      for await (const more of feed.after(last, accountId, call, read)) {
        yield create(SubscribeTradesResponseSchema, { trades: more.map(tradeMessage) });
      }
    },

    // In the contract for those who will offer them; see the comments there.
    placeSLTPOrder: null,
    subscribeOrderTrade: null,
  };
}
