/**
 * Signs in, shows what the token may do, places an order, reads it back and cancels it.
 *
 *     PROPUSK_SECRET=... node orders.js
 */
import { randomUUID } from 'node:crypto';

const { PROPUSK_URL = 'http://127.0.0.1:8080', PROPUSK_SECRET, PROPUSK_ACCOUNT } = process.env;
const TIMEOUT_MS = 10_000;

/** The service said no. Decide by the reason: it is stable, the message is for people. */
class ApiError extends Error {
  constructor(httpStatus, { message = 'no Status in the answer', details = [] }) {
    super(message);
    this.name = 'ApiError';
    this.httpStatus = httpStatus;
    const info = details.find((detail) => detail['@type']?.endsWith('/google.rpc.ErrorInfo'));
    this.reason = info?.reason ?? `HTTP_${httpStatus}`;
  }
}

/** Sends a request and resolves with the JSON of its answer. */
async function call(method, path, { token, body } = {}) {
  const response = await fetch(new URL(path, PROPUSK_URL), {
    method,
    headers: {
      ...(body && { 'Content-Type': 'application/json' }),
      ...(token && { Authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (response.ok) return response.json();
  // Whatever stands in between, such as a proxy, may answer with something else than JSON.
  const status = await response.json().catch(() => ({}));
  throw new ApiError(response.status, status);
}

async function main() {
  if (!PROPUSK_SECRET) throw new Error('PROPUSK_SECRET is not set');
  const { token } = await call('POST', '/v1/sessions', { body: { secret: PROPUSK_SECRET } });

  const details = await call('POST', '/v1/sessions/details', { body: { token } });
  const minutes = Math.floor((Date.parse(details.expires_at) - Date.now()) / 60_000);
  console.log(`Token: ${minutes} minutes left, until ${details.expires_at}`);
  const rights = details.readonly ? 'read only' : 'may trade';
  console.log(`Accounts: ${details.account_ids.join(', ')} (${rights})`);
  console.log(`Market data: ${details.md_permissions.length} permissions`);

  const account = PROPUSK_ACCOUNT ?? details.account_ids[0];
  const orders = `/v1/accounts/${encodeURIComponent(account)}/orders`;
  const placed = await call('POST', orders, {
    token,
    body: {
      symbol: 'SBER@MISX',
      // Decimals are text, so that nothing is lost in a float.
      quantity: { value: '10' },
      side: 'SIDE_BUY',
      type: 'ORDER_TYPE_LIMIT',
      time_in_force: 'TIME_IN_FORCE_DAY',
      limit_price: { value: '150.5' },
      // At most 20 characters. Sent again with the same id, the order is not placed twice.
      client_order_id: randomUUID().replaceAll('-', '').slice(0, 20),
    },
  });
  const id = placed.order_id;
  console.log(`Order ${id}: placed, ${placed.status}`);

  const { order, ...read } = await call('GET', `${orders}/${encodeURIComponent(id)}`, { token });
  const wanted = `${order.side} ${order.quantity.value} ${order.symbol}`;
  const left = read.remaining_quantity.value;
  console.log(`Order ${id}: read, ${wanted} at ${order.limit_price.value}, ${left} left`);

  const { status } = await call('DELETE', `${orders}/${encodeURIComponent(id)}`, { token });
  console.log(`Order ${id}: cancelled, ${status}`);
}

try {
  await main();
} catch (error) {
  // A network error has its cause (ECONNREFUSED, ...) beside it.
  const { message, cause } = error;
  const why = cause ? `${message}: ${cause.message || cause.code}` : message;
  console.error(error instanceof ApiError ? `${error.reason}: ${why}` : why);
  process.exitCode = 1;
}
