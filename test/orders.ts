/** Orders as the tests place, read and follow them, over any protocol. */
import assert from 'node:assert/strict';
import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  type OrderSchema,
  type OrderState,
  OrdersService,
  OrderType,
  type SubscribeOrdersResponse,
  type SubscribeTradesResponse,
} from '../src/gen/grpc/tradeapi/v1/orders/orders_service_pb.js';
import { Side } from '../src/gen/grpc/tradeapi/v1/side_pb.js';
import { SimulationService } from '../src/gen/propusk/simulation/v1/simulation_service_pb.js';
import type { Answer, Client } from './clients/client.ts';

/** What a request for an order says. */
export type OrderRequest = Extract<MessageInitShape<typeof OrderSchema>, { $typeName?: never }>;

export const METHODS = OrdersService.method;
/** What the tests trade where it does not matter. */
export const SYMBOL = 'SBER@MISX';

/** A limit order that rests, since nobody sets a price. */
export const LIMIT_ORDER = {
  symbol: SYMBOL,
  quantity: { value: '10' },
  side: Side.BUY,
  type: OrderType.LIMIT,
  limitPrice: { value: '250.5' },
} as const satisfies OrderRequest;

/** The secret of a demo key. */
export function secretOf(
  { server }: { server: { demoKeys: readonly { id: string; secret: string }[] } },
  id: string,
): string {
  const key = server.demoKeys.find((each) => each.id === id);
  assert.ok(key, id);
  return key.secret;
}

/** Who trades on an account with a session of its own. */
export class Trader {
  readonly client: Client;
  readonly accountId: string;
  readonly token: string;

  constructor(client: Client, token: string, accountId: string) {
    this.client = client;
    this.token = token;
    this.accountId = accountId;
  }

  static async signIn(client: Client, secret: string, accountId: string): Promise<Trader> {
    return new Trader(client, await client.auth(secret), accountId);
  }

  /** The same session over another protocol. */
  over(client: Client): Trader {
    return new Trader(client, this.token, this.accountId);
  }

  /** The same session, and another account. */
  on(accountId: string): Trader {
    return new Trader(this.client, this.token, accountId);
  }

  get #options() {
    return { metadata: { authorization: `Bearer ${this.token}` } };
  }

  placing(change: OrderRequest = {}): Promise<Answer<OrderState>> {
    const order = { ...LIMIT_ORDER, accountId: this.accountId, ...change };
    return this.client.call(METHODS.placeOrder, order, this.#options);
  }

  async place(change: OrderRequest = {}): Promise<OrderState> {
    return (await this.placing(change)).message;
  }

  async cancel(orderId: string): Promise<OrderState> {
    const request = { accountId: this.accountId, orderId };
    return (await this.client.call(METHODS.cancelOrder, request, this.#options)).message;
  }

  async get(orderId: string): Promise<OrderState> {
    const request = { accountId: this.accountId, orderId };
    return (await this.client.call(METHODS.getOrder, request, this.#options)).message;
  }

  async list(): Promise<OrderState[]> {
    const request = { accountId: this.accountId };
    return (await this.client.call(METHODS.getOrders, request, this.#options)).message.orders;
  }

  /** Answers of SubscribeOrders. */
  follow(): AsyncGenerator<SubscribeOrdersResponse, void> {
    const request = { accountId: this.accountId };
    const answers = this.client.stream(METHODS.subscribeOrders, [request], this.#options);
    return answers as AsyncGenerator<SubscribeOrdersResponse, void>;
  }

  /** Answers of SubscribeTrades. */
  followTrades(): AsyncGenerator<SubscribeTradesResponse, void> {
    const request = { accountId: this.accountId };
    const answers = this.client.stream(METHODS.subscribeTrades, [request], this.#options);
    return answers as AsyncGenerator<SubscribeTradesResponse, void>;
  }
}

/** The next answer of a stream, which must not end. */
export async function next<T>(answers: AsyncIterator<T, void>): Promise<T> {
  const { value, done } = await answers.next();
  assert.equal(done, false, 'the stream ended with OK');
  return value as T;
}

/**
 * Sets the last price of a symbol on the paper venue.
 * @param token of an operator, where one is asked for
 */
export async function setPrice(
  client: Client,
  symbol: string,
  price: string,
  token?: string,
): Promise<void> {
  const request = { symbol, price: { value: price } };
  const options = token === undefined ? {} : { metadata: { authorization: token } };
  await client.call(SimulationService.method.setPrice, request, options);
}
