/** Calls of a server that does not always answer. */
import assert from 'node:assert/strict';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { ClientService } from '../src/gen/propusk/admin/v1/client_service_pb.js';
import { Api } from './api.ts';
import { CommandFailure } from './failure.ts';
import { HttpClient } from './http.ts';

const OVERLOADED = {
  code: 14,
  message: 'too much to do',
  details: [
    {
      '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
      reason: 'UNAVAILABLE',
      domain: 'propusk',
    },
    { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '0.001s' },
  ],
};

/** A server that gives these answers one after another, and the last of them for ever. */
async function answering(...answers: [status: number, body: string][]) {
  const seen: (string | undefined)[] = [];
  const server = http.createServer((request, response) => {
    const [status, body] = answers[Math.min(seen.length, answers.length - 1)] ?? [500, ''];
    seen.push(request.url);
    response.writeHead(status).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const api = new Api(new HttpClient(new URL(`http://127.0.0.1:${port}/under/`)), 'pop_x');
  return {
    seen,
    create: () =>
      api.call(ClientService.method.createClient, { client: { id: 'a' }, requestId: 'r' }),
    [Symbol.dispose]() {
      api.close();
      server.close();
    },
  };
}

/** A server that ends so many connections without an answer, and then answers. */
async function losing(count: number, close: 'server' | undefined = undefined) {
  const seen: (string | undefined)[] = [];
  const server = http.createServer((request, response) => {
    seen.push(request.url);
    if (close === 'server') server.close();
    if (seen.length <= count) request.destroy();
    else response.end('{"id":"a"}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const api = new Api(new HttpClient(new URL(`http://127.0.0.1:${port}`)), 'pop_x');
  const { createClient, getClient, deleteClient } = ClientService.method;
  return {
    seen,
    create: (requestId: string) => api.call(createClient, { client: { id: 'a' }, requestId }),
    get: () => api.call(getClient, { id: 'a' }),
    remove: () => api.call(deleteClient, { id: 'a' }),
    [Symbol.dispose]() {
      api.close();
      server.close();
    },
  };
}

async function failureOf(work: Promise<unknown>): Promise<CommandFailure> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof CommandFailure, String(error));
  return error;
}

test('asks again where the server invites to, the same request', async () => {
  const busy: [number, string] = [503, JSON.stringify(OVERLOADED)];
  using server = await answering(busy, busy, [200, '{"id":"a","field_of_tomorrow":1}']);
  assert.equal((await server.create()).id, 'a');
  assert.deepEqual(server.seen, Array(3).fill('/under/admin/v1/clients?request_id=r'));
  using always = await answering(busy);
  const { exit, reason } = await failureOf(always.create());
  assert.deepEqual([exit, reason, always.seen.length], [6, 'UNAVAILABLE', 6]);
});

test('does not ask again where it does not', async () => {
  const status = { code: 14, message: 'away', details: [] };
  using server = await answering([503, JSON.stringify(status)]);
  assert.equal((await failureOf(server.create())).exit, 6);
  assert.equal(server.seen.length, 1);
});

test('asks again where an answer was lost, if that is the same once more', async () => {
  using made = await losing(2);
  assert.equal((await made.create('r')).id, 'a');
  assert.deepEqual(made.seen, Array(3).fill('/admin/v1/clients?request_id=r'));
  using read = await losing(1);
  assert.equal((await read.get()).id, 'a');
  for (const call of ['remove', 'create'] as const) {
    using changed = await losing(1);
    const { exit, undecidedRequest } = await failureOf(changed[call](''));
    assert.deepEqual([exit, undecidedRequest, changed.seen.length], [6, undefined, 1]);
  }
});

test('knows a request that may have been done from one that was never sent', async () => {
  using gone = await losing(1, 'server');
  const failure = await failureOf(gone.create('r1'));
  assert.deepEqual([failure.exit, failure.undecidedRequest, gone.seen.length], [6, 'r1', 1]);
  const never = await failureOf(gone.create('r2'));
  assert.deepEqual([never.exit, never.undecidedRequest], [6, undefined]);
  assert.match(never.message, /cannot be reached: .*ECONNREFUSED/);
  using html = await answering([502, '<html>']);
  assert.equal((await failureOf(html.create())).undecidedRequest, 'r');
  using refused = await answering([409, '{"code":6,"message":"taken","details":[]}']);
  assert.equal((await failureOf(refused.create())).undecidedRequest, undefined);
});

test('says what was wrong with a field', async () => {
  const violations = [{ field: 'client.id', description: 'is too long' }];
  const detail = {
    '@type': 'type.googleapis.com/google.rpc.BadRequest',
    fieldViolations: violations,
  };
  const status = { code: 3, message: 'the request cannot be read', details: [detail] };
  using server = await answering([400, JSON.stringify(status)]);
  const { exit, message } = await failureOf(server.create());
  assert.equal(exit, 2);
  assert.equal(message, 'the request cannot be read\n  client.id: is too long');
});

test('knows what is no Propusk', async () => {
  for (const [status, body] of [
    [200, '<html>'],
    [404, '<html>'],
    [502, ''],
    [200, '[]'],
  ] as const) {
    using server = await answering([status, body]);
    const { exit, message } = await failureOf(server.create());
    assert.equal(exit, 1, body);
    assert.match(message, /is this the address of a Propusk server\?/);
  }
});
