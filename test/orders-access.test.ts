/** Who may do what on which account, and how soon that ends: read off the contract, in one place. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import type { DescMethod, DescMethodUnary } from '@bufbuild/protobuf';
import { MasterKey, parseMasterKey } from '../src/domain/master-key.ts';
import type { Account } from '../src/domain/model.ts';
import { OrderStatus } from '../src/gen/grpc/tradeapi/v1/orders/orders_service_pb.js';
import { type CallFailure, type Client, failureOf } from './clients/client.ts';
import { Four, inEach } from './clients/four.ts';
import { METHODS, next, secretOf, setPrice, Trader } from './orders.ts';
import { talk } from './raw.ts';
import { startHere } from './start.ts';
import {
  claimsOf,
  putAccounts,
  putKey,
  revokeKey,
  revokeSession,
  StepClock,
  writeKey,
} from './steps.ts';
import { linesOf, until } from './wait.ts';

const clock = new StepClock();
const limits = ['--limit', '100000', '--address-calls-max', '100000'];
const server = await startHere(limits, { clock });
const four = new Four(server);
const { store } = server.server;
after(async () => {
  await four[Symbol.asyncDispose]();
  await server.stop();
});

const keyFile = readFileSync(path.join(server.folder, 'master.key'), 'utf8');
const masterKey = new MasterKey(parseMasterKey(keyFile) ?? Buffer.of());

const ACCOUNT = '1899011';
const TRADING = '2100001';
const READONLY = '2100002';
/** Within this a caller must hear of what was taken away. */
const HEARD_MS_MAX = 1000;

const UNARY = [METHODS.placeOrder, METHODS.cancelOrder, METHODS.getOrders, METHODS.getOrder];
const STREAMS = [METHODS.subscribeOrders, METHODS.subscribeTrades];
const TRADES = [METHODS.placeOrder, METHODS.cancelOrder];

/** The methods that a client's protocol has. */
function methodsOf(client: Client): readonly DescMethod[] {
  return client.hasStreams ? [...UNARY, ...STREAMS] : UNARY;
}

/** Calls a method with a request that names an account and is otherwise empty; how it is refused. */
async function refusal(
  client: Client,
  method: DescMethod,
  accountId: string,
  authorization?: string,
): Promise<CallFailure> {
  const options = { metadata: authorization === undefined ? {} : { authorization } };
  // REST has no path for an order without a name.
  const request = { accountId, ...('orderId' in method.input.field && { orderId: 'x' }) };
  return failureOf(
    method.methodKind === 'unary'
      ? client.call(method as DescMethodUnary, request, options)
      : client.stream(method, [request], options)[Symbol.asyncIterator]().next(),
  );
}

function assertRefused(failure: CallFailure, code: number, reason: string, httpStatus: number) {
  assert.equal(failure.code, code, failure.message);
  assert.equal(failure.reason, reason);
  if (failure.httpStatus !== undefined) assert.equal(failure.httpStatus, httpStatus);
}

inEach(four.all, 'no token, or a bad one: unauthenticated, whatever is asked', async (client) => {
  const mixed = await client.auth(secretOf(server, 'demo-mixed'));
  const revoked = await client.auth(server.secret);
  await revokeSession(store, claimsOf(revoked).jti);
  for (const method of methodsOf(client)) {
    for (const bad of [undefined, '', 'Bearer ', 'nonsense', `${mixed}x`, `Bearer ${revoked}`]) {
      for (const accountId of [ACCOUNT, READONLY, 'nobody']) {
        const failure = await refusal(client, method, accountId, bad);
        assertRefused(failure, 16, 'TOKEN_INVALID', 401);
      }
    }
  }
});

test('that is told before the body is there', async () => {
  const head = `POST /v1/accounts/${ACCOUNT}/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n`;
  const answer = await talk(server.port, [`${head}Connection: close\r\n\r\n`]);
  assert.match(answer.text, /^HTTP\/1\.1 401 /);
});

inEach(four.all, 'both forms of the header are taken', async (client) => {
  const token = await client.auth(server.secret);
  for (const authorization of [token, `Bearer ${token}`, `bearer   ${token}`]) {
    const options = { metadata: { authorization } };
    await client.call(METHODS.getOrders, { accountId: ACCOUNT }, options);
  }
});

inEach(four.all, 'an account that the token does not hold is not found', async (client) => {
  const token = await client.auth(server.secret);
  const none = await client.auth(secretOf(server, 'demo-no-account'));
  for (const method of methodsOf(client)) {
    for (const [shown, accountId] of [
      [token, 'nobody'],
      [token, TRADING],
      [token, `${ACCOUNT} `],
      [none, ACCOUNT],
    ] as const) {
      const failure = await refusal(client, method, accountId, shown);
      assertRefused(failure, 5, 'ACCOUNT_NOT_IN_TOKEN', 404);
      assert.deepEqual(failure.localized, { locale: 'ru', message: 'Счёт не был найден в токене' });
    }
  }
});

inEach(four.all, 'a readonly session reads and does not trade', async (client) => {
  const owner = await Trader.signIn(client, server.secret, ACCOUNT);
  const { orderId } = await owner.place();
  const reader = await Trader.signIn(client, secretOf(server, 'demo-readonly'), ACCOUNT);
  assert.equal((await reader.get(orderId)).status, OrderStatus.NEW);
  assert.ok((await reader.list()).some((state) => state.orderId === orderId));
  for (const ask of [() => reader.placing(), () => reader.cancel(orderId)]) {
    assertRefused(await failureOf(ask()), 7, 'READONLY_SESSION', 403);
  }
  assert.equal((await owner.get(orderId)).status, OrderStatus.NEW);
  // Not even an order that would be refused, nor on an account that is readonly itself.
  for (const method of TRADES) {
    assertRefused(await refusal(client, method, ACCOUNT, reader.token), 7, 'READONLY_SESSION', 403);
  }
});

inEach(
  four.all,
  'a readonly account is read and not traded on; its neighbour is',
  async (client) => {
    const trader = await Trader.signIn(client, secretOf(server, 'demo-mixed'), TRADING);
    assert.equal((await client.tokenDetails(trader.token)).message.readonly, false);
    const { orderId } = await trader.place();
    await trader.cancel(orderId);
    const readonly = trader.on(READONLY);
    assert.deepEqual(await readonly.list(), []);
    for (const ask of [() => readonly.placing(), () => readonly.cancel(orderId)]) {
      assertRefused(await failureOf(ask()), 7, 'READONLY_ACCOUNT', 403);
    }
    // It comes before what is wrong with the order, and after whose account it is.
    for (const method of TRADES) {
      const { token } = trader;
      assertRefused(await refusal(client, method, READONLY, token), 7, 'READONLY_ACCOUNT', 403);
      assertRefused(await refusal(client, method, 'nobody', token), 5, 'ACCOUNT_NOT_IN_TOKEN', 404);
    }
    assertRefused(await failureOf(trader.placing({ symbol: '' })), 3, 'INVALID_REQUEST', 400);
  },
);

test('refused access counts for its key as any call does, and a limit comes before it', async () => {
  await using few = await startHere(['--limit', 'GetOrders=3']);
  await using clients = new Four(few);
  const token = await clients.grpc.auth(few.secret);
  for (let i = 0; i < 3; i++) {
    const failure = await refusal(clients.grpc, METHODS.getOrders, 'nobody', token);
    assert.equal(failure.reason, 'ACCOUNT_NOT_IN_TOKEN');
    assert.match(failure.headers.ratelimit ?? '', new RegExp(`^"GetOrders";r=${2 - i};`));
  }
  for (const accountId of ['nobody', ACCOUNT]) {
    const failure = await refusal(clients.grpc, METHODS.getOrders, accountId, token);
    assert.equal(failure.reason, 'RATE_LIMITED');
  }
});

/** A client of the tests' own with a key and two accounts, so that they can be taken away. */
async function ownKey(name: string) {
  const clientId = `client-${name}`;
  const secret = `secret-${name}`;
  const accounts: Account[] = ['a', 'b'].map((id) => ({
    id: `${name}-${id}`,
    clientId,
    readonly: false,
  }));
  await putAccounts(store, accounts, [clientId]);
  await putKey(store, `key-${name}`, clientId, masterKey.macOfSecret(secret));
  return { clientId, secret, accounts, keyId: `key-${name}`, accountId: `${name}-a` };
}

let made = 0;

/** Streams of both kinds and what must end them, each with a client that still works. */
async function openStreams(client: Client) {
  const own = await ownKey(`${client.protocol}${made++}`);
  const trader = await Trader.signIn(client, own.secret, own.accountId);
  const streams = [trader.follow(), trader.followTrades()];
  for (const stream of streams) await next<unknown>(stream);
  return { own, trader, streams };
}

type Opened = Awaited<ReturnType<typeof openStreams>>;

/** What ends a caller's streams and its calls, with what. */
const ENDS: [string, (opened: Opened) => Promise<unknown>, number, string][] = [
  [
    'the session is revoked',
    ({ trader }) => revokeSession(store, claimsOf(trader.token).jti),
    16,
    'TOKEN_INVALID',
  ],
  ['the key is revoked', ({ own }) => revokeKey(store, own.keyId), 16, 'TOKEN_INVALID'],
  [
    'the key expires',
    ({ own }) => writeKey(store, own.keyId, { expiresAtMs: clock.now() + 50 }),
    16,
    'TOKEN_INVALID',
  ],
  [
    'the account is taken from the key',
    ({ own }) =>
      writeKey(store, own.keyId, { allAccounts: false, accountIds: [own.accounts[1]?.id ?? ''] }),
    5,
    'ACCOUNT_NOT_IN_TOKEN',
  ],
  [
    'the account goes to another client',
    async ({ own }) => {
      const [account] = own.accounts;
      assert.ok(account);
      await putAccounts(store, [{ ...account, clientId: 'demo-levels' }]);
    },
    5,
    'ACCOUNT_NOT_IN_TOKEN',
  ],
];

for (const [what, take, code, reason] of ENDS) {
  inEach(four.streaming, `streams and calls end at once when ${what}`, async (client) => {
    const opened = await openStreams(client);
    const { trader, streams } = opened;
    const ends = streams.map((stream) => failureOf(stream.next()));
    await trader.list();
    await take(opened);
    const takenMs = performance.now();
    for (const failure of await Promise.all(ends)) {
      assert.equal(failure.code, code);
      assert.equal(failure.reason, reason);
    }
    assert.ok(performance.now() - takenMs < HEARD_MS_MAX);
    for (const ask of [() => trader.list(), () => trader.placing(), () => trader.cancel('x')]) {
      assert.equal((await failureOf(ask())).reason, reason);
    }
  });
}

inEach(
  four.streaming,
  'neither another account, nor readonly, nor its end ends a stream',
  async (client) => {
    const { own, trader, streams } = await openStreams(client);
    try {
      await writeKey(store, own.keyId, { allAccounts: false, accountIds: [own.accountId] });
      await writeKey(store, own.keyId, { readonly: true });
      // Long past the end of the token, which opens nothing any more.
      clock.offsetMs = 3_600_000;
      await writeKey(store, own.keyId, { readonly: false });
      assert.equal((await failureOf(trader.list())).reason, 'TOKEN_INVALID');
      const again = await Trader.signIn(client, own.secret, own.accountId);
      const symbol = `${own.keyId.replace(/\W/g, '').toUpperCase()}@MISX`;
      await again.place({ symbol, limitPrice: { value: '10' } });
      await setPrice(client, symbol, '9');
      const [orders, trades] = streams;
      assert.ok(orders && trades);
      assert.ok(await next<unknown>(orders));
      assert.ok(await next<unknown>(trades));
    } finally {
      clock.offsetMs = 0;
      for (const stream of streams) await stream.return();
    }
  },
);

test('an account that is lost while the request is on its way is refused', async () => {
  const own = await ownKey('slow');
  const trader = await Trader.signIn(four.rest1, own.secret, own.accountId);
  const request = http.request(`${server.url}/v1/accounts/${own.accountId}/orders`, {
    method: 'POST',
    headers: { authorization: trader.token },
  });
  const answered = once(request, 'response') as Promise<[http.IncomingMessage]>;
  request.flushHeaders();
  await until('the head', async () => {
    const { message } = await four.grpc.usage(trader.token);
    const quota = message.quotas.find(({ name }) => name === 'PlaceOrder');
    return quota !== undefined && quota.remaining < quota.limit;
  });
  await writeKey(store, own.keyId, { allAccounts: false, accountIds: [] });
  request.end(JSON.stringify({ symbol: 'SBER@MISX' }));
  const [answer] = await answered;
  assert.equal(answer.statusCode, 404);
  assert.match(await text(answer), /ACCOUNT_NOT_IN_TOKEN/);
});

test('the log tells why each stream ended, and none is left', async () => {
  const isStream = ({ method }: Readonly<Record<string, unknown>>) =>
    STREAMS.some(({ name }) => name === method);
  const reasons = new Set(
    linesOf(server.log)
      .filter(isStream)
      .map(({ reason }) => reason),
  );
  for (const reason of ['SESSION_REVOKED', 'KEY_REVOKED', 'KEY_EXPIRED', 'ACCOUNT_NOT_IN_TOKEN']) {
    assert.ok(reasons.has(reason), reason);
  }
});
