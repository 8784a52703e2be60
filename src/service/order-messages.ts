/** Orders and trades as the contract writes them. What is not known of one is not set. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { Order, OrderState, Trade } from '../domain/order.ts';
import {
  type Order as OrderMessage,
  OrderSchema,
  type OrderState as OrderStateMessage,
  OrderStateSchema,
} from '../gen/grpc/tradeapi/v1/orders/orders_service_pb.js';
import {
  AccountTradeSchema,
  type AccountTrade as TradeMessage,
} from '../gen/grpc/tradeapi/v1/trade_pb.js';

type Decimal = NonNullable<MessageInitShape<typeof OrderStateSchema>['initialQuantity']>;

function decimal(value: string): Decimal {
  return { value };
}

export function orderStateMessage(state: OrderState): OrderStateMessage {
  const { withdrawAtMs } = state;
  return create(OrderStateSchema, {
    orderId: state.orderId,
    execId: state.execId,
    status: state.status,
    order: orderMessage(state.order),
    transactAt: timestampFromMs(state.transactAtMs),
    acceptAt: timestampFromMs(state.acceptAtMs),
    ...(withdrawAtMs !== null && { withdrawAt: timestampFromMs(withdrawAtMs) }),
    initialQuantity: decimal(state.initialQuantity),
    executedQuantity: decimal(state.executedQuantity),
    remainingQuantity: decimal(state.remainingQuantity),
  });
}

function orderMessage(order: Order): OrderMessage {
  const { limitPrice, stopPrice, stopCondition, validBefore } = order;
  return create(OrderSchema, {
    accountId: order.accountId,
    symbol: order.symbol,
    quantity: decimal(order.quantity),
    side: order.side,
    type: order.type,
    timeInForce: order.timeInForce,
    ...(limitPrice !== null && { limitPrice: decimal(limitPrice) }),
    ...(stopPrice !== null && { stopPrice: decimal(stopPrice) }),
    ...(stopCondition !== null && { stopCondition }),
    legs: order.legs.map(({ symbol, quantity, side }) => ({
      symbol,
      quantity: decimal(quantity),
      side,
    })),
    clientOrderId: order.clientOrderId,
    ...(validBefore !== null && { validBefore }),
    comment: order.comment,
  });
}

export function tradeMessage(trade: Trade): TradeMessage {
  return create(AccountTradeSchema, {
    tradeId: trade.tradeId,
    symbol: trade.symbol,
    price: decimal(trade.price),
    size: decimal(trade.size),
    side: trade.side,
    timestamp: timestampFromMs(trade.atMs),
    orderId: trade.orderId,
    accountId: trade.accountId,
    comment: trade.comment,
  });
}
