import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, createFileRegistry, type DescService, setExtension } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, MethodOptionsSchema } from '@bufbuild/protobuf/wkt';
import { http } from '../../gen/google/api/annotations_pb.js';
import { HttpRuleSchema } from '../../gen/google/api/http_pb.js';
import { AuthService } from '../../gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { OrdersService } from '../../gen/grpc/tradeapi/v1/orders/orders_service_pb.js';
import { Health } from '../../gen/health/v1/health_pb.js';
import { AccountRoutesService } from '../../gen/propusk/routes/v1/routes_pb.js';
import { Router } from './router.ts';

const router = new Router([AuthService, Health]);

function methodAt(verb: string, path: string): string | readonly string[] {
  const match = router.match(verb, path);
  return 'binding' in match ? match.binding.method.name : match;
}

test('the routes of the contract', () => {
  assert.equal(methodAt('POST', '/v1/sessions'), 'Auth');
  assert.equal(methodAt('POST', '/v1/sessions/details'), 'TokenDetails');
});

test('a known path tells its verbs, an unknown one none', () => {
  assert.deepEqual(methodAt('GET', '/v1/sessions'), ['POST']);
  assert.deepEqual(methodAt('post', '/v1/sessions'), ['POST']);
  for (const path of ['', '/', '/v1', '/v1/sessions/', '/v1/sessions/more', '__proto__', '*']) {
    assert.deepEqual(methodAt('POST', path), [], path);
  }
});

test('a method without a route has none', () => {
  assert.deepEqual(methodAt('POST', '/grpc.health.v1.Health/Check'), []);
});

/** A service whose methods are called A, B, ..., each with one of the routes, in that order. */
function serviceWith(...routes: string[]): DescService {
  const method = routes.map((value, i) => {
    const options = create(MethodOptionsSchema);
    setExtension(options, http, create(HttpRuleSchema, { pattern: { case: 'get', value } }));
    return { name: 'ABC'[i] ?? '', inputType: '.x.M', outputType: '.x.M', options };
  });
  const file = create(FileDescriptorProtoSchema, {
    name: 'x.proto',
    package: 'x',
    syntax: 'proto3',
    messageType: [{ name: 'M' }],
    service: [{ name: 'S', method }],
  });
  return createFileRegistry(file, () => undefined).getService('x.S') as DescService;
}

test('a route of any verb takes those that no other route takes', () => {
  const services = [AccountRoutesService, OrdersService];
  const router = new Router(services);
  const named = (verb: string, path: string) => {
    const match = router.match(verb, path);
    return 'binding' in match ? match.binding.method.name : match;
  };
  assert.equal(named('GET', '/v1/accounts/1'), 'GetAccount');
  assert.equal(named('GET', '/v1/accounts/1/orders'), 'GetOrders');
  assert.equal(named('POST', '/v1/accounts/1/orders'), 'PlaceOrder');
  for (const verb of ['DELETE', 'PUT', 'HEAD', '*', 'get']) {
    assert.equal(named(verb, '/v1/accounts/1/orders'), 'ChangeAccount', verb);
  }
  assert.deepEqual(named('PUT', '/v1/accounts'), []);
});

test('of several routes that fit, one by its letters counts, else the last of the contract', () => {
  const chosen = (path: string, ...routes: string[]) => {
    const match = new Router([serviceWith(...routes)]).match('GET', path);
    return 'binding' in match ? match.binding.method.name : undefined;
  };
  assert.equal(chosen('/v1/a/b', '/v1/a/{x}', '/v1/{y}/b'), 'B');
  assert.equal(chosen('/v1/a/b', '/v1/{y}/b', '/v1/a/{x}', '/v1/{z=**}'), 'C');
  assert.equal(chosen('/v1/a:b', '/v1/{x}', '/v1/{x}:b'), 'B');
  assert.equal(chosen('/v1/a', '/v1/a', '/v1/{x}'), 'A');
  assert.equal(chosen('/v1/a', '/v1/{x}', '/v1/a'), 'B');
});
