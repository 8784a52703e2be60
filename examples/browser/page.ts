/** Signs in, shows what the token may do, places an order, reads it back and cancels it: by gRPC-Web. */
import { timestampDate } from '@bufbuild/protobuf/wkt';
import { ConnectError, createClient, type Interceptor } from '@connectrpc/connect';
import { createGrpcWebTransport } from '@connectrpc/connect-web';
import { ErrorInfoSchema } from '../../src/gen/google/rpc/error_details_pb.js';
import { AuthService } from '../../src/gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import {
  OrderStatus,
  OrdersService,
  OrderType,
  TimeInForce,
} from '../../src/gen/grpc/tradeapi/v1/orders/orders_service_pb.js';
import { Side } from '../../src/gen/grpc/tradeapi/v1/side_pb.js';

const TIMEOUT_MS = 10_000;

/** What the form says. */
interface Settings {
  readonly url: string;
  readonly secret: string;
  /** Empty for the first of the token. */
  readonly account: string;
}

/** Does what the page promises, and says each step. */
async function run({ url, secret, account }: Settings, say: (text: string) => void): Promise<void> {
  let token = '';
  const authorize: Interceptor = (next) => (request) => {
    if (token !== '') request.header.set('Authorization', `Bearer ${token}`);
    return next(request);
  };
  const transport = createGrpcWebTransport({
    baseUrl: url,
    interceptors: [authorize],
    defaultTimeoutMs: TIMEOUT_MS,
  });
  const auth = createClient(AuthService, transport);
  const orders = createClient(OrdersService, transport);

  ({ token } = await auth.auth({ secret }));
  const details = await auth.tokenDetails({ token });
  if (details.expiresAt === undefined) throw new Error('the token has no end');
  const expiresAt = timestampDate(details.expiresAt);
  const minutes = Math.floor((expiresAt.getTime() - Date.now()) / 60_000);
  say(`Token: ${minutes} minutes left, until ${expiresAt.toISOString()}`);
  const rights = details.readonly ? 'read only' : 'may trade';
  say(`Accounts: ${details.accountIds.join(', ')} (${rights})`);
  say(`Market data: ${details.mdPermissions.length} permissions`);

  const accountId = account || (details.accountIds[0] ?? '');
  const placed = await orders.placeOrder({
    accountId,
    symbol: 'SBER@MISX',
    // Decimals are text, so that nothing is lost in a float.
    quantity: { value: '10' },
    side: Side.BUY,
    type: OrderType.LIMIT,
    timeInForce: TimeInForce.DAY,
    limitPrice: { value: '150.5' },
    // At most 20 characters. Sent again with the same id, the order is not placed twice.
    clientOrderId: crypto.randomUUID().replaceAll('-', '').slice(0, 20),
  });
  const { orderId } = placed;
  say(`Order ${orderId}: placed, ${OrderStatus[placed.status]}`);

  const { order, remainingQuantity } = await orders.getOrder({ accountId, orderId });
  const wanted = `${Side[order?.side ?? 0]} ${order?.quantity?.value} ${order?.symbol}`;
  const price = order?.limitPrice?.value;
  say(`Order ${orderId}: read, ${wanted} at ${price}, ${remainingQuantity?.value} left`);

  const cancelled = await orders.cancelOrder({ accountId, orderId });
  say(`Order ${orderId}: cancelled, ${OrderStatus[cancelled.status]}`);
}

/** Decide by the reason: it is stable, the message is for people. */
function told(caught: unknown): string {
  const error = ConnectError.from(caught);
  const [info] = error.findDetails(ErrorInfoSchema);
  return info === undefined ? error.message : `${info.reason}: ${error.rawMessage}`;
}

function element<T extends Element>(selector: string): T {
  const found = document.querySelector<T>(selector);
  if (found === null) throw new Error(`the page has no ${selector}`);
  return found;
}

const form = element<HTMLFormElement>('form');
const list = element<HTMLOListElement>('ol');
const button = element<HTMLButtonElement>('button');

function show(text: string, className = ''): void {
  const item = document.createElement('li');
  item.textContent = text;
  item.className = className;
  list.append(item);
}

// The address may fill in what is no secret: addresses are kept in histories and logs.
const query = new URLSearchParams(location.search);
for (const name of ['url', 'account']) {
  const given = query.get(name);
  if (given !== null) element<HTMLInputElement>(`[name=${name}]`).value = given;
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  list.replaceChildren();
  button.disabled = true;
  try {
    await run(Object.fromEntries(new FormData(form)) as unknown as Settings, show);
  } catch (error) {
    show(told(error), 'error');
  } finally {
    button.disabled = false;
  }
});
