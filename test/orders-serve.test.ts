/** Orders in `serve`: nowhere unless they are asked for, and their simulation never in public. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MasterKey } from '../src/domain/master-key.ts';
import { OrderStatus } from '../src/gen/grpc/tradeapi/v1/orders/orders_service_pb.js';
import { SimulationService } from '../src/gen/propusk/simulation/v1/simulation_service_pb.js';
import type { Server } from '../src/main.ts';
import { putOperator } from './administration.ts';
import { endOf, failureOf } from './clients/client.ts';
import { Four } from './clients/four.ts';
import { METHODS, secretOf, setPrice, Trader } from './orders.ts';
import { SERVE_MASTER_KEY, startHere, startServe } from './start.ts';
import { putAccounts, putKey } from './steps.ts';

const SECRET = 'a secret of serve';

async function withServe(args: readonly string[], check: (server: Server) => Promise<void>) {
  const server = await startServe(...args);
  try {
    const account = { id: 'A1', clientId: 'c', readonly: false };
    await putAccounts(server.store, [account], ['c']);
    const masterKey = new MasterKey(Buffer.from(SERVE_MASTER_KEY, 'hex'));
    await putKey(server.store, 'k', 'c', masterKey.macOfSecret(SECRET));
    await check(server);
  } finally {
    await server.stop();
  }
}

function clientsOf(port: number | undefined): Four {
  const authority = `127.0.0.1:${port}`;
  return new Four({ authority, url: `http://${authority}` });
}

test('without --orders every method of them is not offered, whoever asks', async () => {
  for (const args of [[], ['--orders=off']]) {
    await withServe(args, async (server) => {
      await using four = clientsOf(server.port);
      const token = await four.grpc.auth(SECRET);
      for (const client of four.all) {
        const trader = new Trader(client, token, 'A1');
        const nobody = new Trader(client, '', 'A1');
        for (const who of [trader, nobody]) {
          for (const ask of [
            () => who.placing(),
            () => who.cancel('x'),
            () => who.get('x'),
            () => who.list(),
          ]) {
            const failure = await failureOf(ask());
            assert.equal(failure.code, 12);
            assert.equal(failure.reason, 'NOT_OFFERED');
            if (failure.httpStatus !== undefined) assert.equal(failure.httpStatus, 501);
          }
          if (!client.hasStreams) continue;
          for (const stream of [who.follow(), who.followTrades()]) {
            assert.equal((await endOf(stream)).reason, 'NOT_OFFERED');
          }
        }
      }
      const { message } = await four.grpc.usage(token);
      assert.ok(!message.quotas.some(({ name }) => name === METHODS.placeOrder.name));
      assert.equal((await failureOf(four.grpc.check(METHODS.placeOrder.parent.typeName))).code, 5);
      // The contract is there all the same.
      const document = await (await fetch(`http://127.0.0.1:${server.port}/openapi.json`)).text();
      assert.ok(document.includes('"/v1/accounts/{account_id}/orders"'));
      await using inside = clientsOf(server.internalPort);
      const failure = await failureOf(setPrice(inside.grpc, 'SBER@MISX', '1'));
      assert.equal(failure.reason, 'METHOD_NOT_FOUND');
    });
  }
});

test('with --orders paper they are, and prices are set on the internal port alone', async () => {
  await withServe(['--orders=paper'], async (server) => {
    await using outside = clientsOf(server.port);
    await using inside = clientsOf(server.internalPort);
    const trader = await Trader.signIn(outside.rest1, SECRET, 'A1');
    const { orderId } = await trader.place();
    for (const client of outside.all) {
      const failure = await failureOf(setPrice(client, 'SBER@MISX', '1'));
      assert.equal(failure.reason, client.hasStreams ? 'METHOD_NOT_FOUND' : 'ROUTE_NOT_FOUND');
    }
    assert.equal((await trader.get(orderId)).status, OrderStatus.NEW);
    const document = await (await fetch(`http://127.0.0.1:${server.port}/openapi.json`)).text();
    assert.ok(!document.includes('imulation'));
    const [viewer, operator] = await Promise.all([
      putOperator(server, 'viewer'),
      putOperator(server, 'operator'),
    ]);
    for (const client of inside.all) {
      for (const [token, reason] of [
        [undefined, 'OPERATOR_TOKEN_INVALID'],
        [SECRET, 'OPERATOR_TOKEN_INVALID'],
        [viewer.token, 'ROLE_INSUFFICIENT'],
      ] as const) {
        const failure = await failureOf(setPrice(client, 'SBER@MISX', '250.5', token));
        assert.equal(failure.reason, reason, client.name);
      }
    }
    assert.equal((await trader.get(orderId)).status, OrderStatus.NEW);
    for (const client of inside.all) await setPrice(client, 'SBER@MISX', '250.5', operator.token);
    assert.equal((await trader.get(orderId)).status, OrderStatus.FILLED);
    // Nothing else is called there.
    for (const client of inside.all) {
      const failure = await failureOf(trader.over(client).list());
      assert.equal(failure.reason, client.hasStreams ? 'METHOD_NOT_FOUND' : 'ROUTE_NOT_FOUND');
    }
  });
});

test('a price that is none names its field, over every protocol', async () => {
  await using server = await startHere();
  await using four = new Four(server);
  for (const client of four.all) {
    for (const [symbol, value, fields] of [
      ['SBER', '1', ['symbol']],
      ['SBER@MISX', '-1', ['price']],
      ['', '', ['symbol', 'price']],
    ] as const) {
      const method = SimulationService.method.setPrice;
      const failure = await failureOf(client.call(method, { symbol, price: { value } }));
      assert.equal(failure.reason, 'INVALID_REQUEST');
      const found = failure.detail('BadRequest')?.field_violations as { field: string }[];
      assert.deepEqual(
        found.map(({ field }) => field),
        fields,
      );
    }
    const method = SimulationService.method.setPrice;
    const { message } = await client.call(method, { symbol: 'A@MISX', price: { value: '01.50' } });
    assert.equal(message.symbol, 'A@MISX');
    assert.equal(message.price?.value, '1.5');
  }
});

test('dev --orders off offers none, and has no simulation', async () => {
  await using server = await startHere(['--orders', 'off']);
  await using four = new Four(server);
  const trader = await Trader.signIn(four.grpc, secretOf(server, 'demo'), '1899011');
  assert.equal((await failureOf(trader.list())).reason, 'NOT_OFFERED');
  assert.equal((await failureOf(setPrice(four.grpc, 'A@MISX', '1'))).reason, 'METHOD_NOT_FOUND');
});

test('a stop of the server leaves orders as they were, and takes them up again', async () => {
  await using server = await startHere();
  await using four = new Four(server);
  const trader = await Trader.signIn(four.rest1, server.secret, '1899011');
  const placed = await trader.place();
  await server.restart();
  assert.deepEqual(await trader.get(placed.orderId), placed);
  await setPrice(four.rest1, 'SBER@MISX', '250');
  assert.equal((await trader.get(placed.orderId)).status, OrderStatus.FILLED);
});
