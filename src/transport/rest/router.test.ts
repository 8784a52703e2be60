import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AuthService } from '../../gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { Health } from '../../gen/health/v1/health_pb.js';
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
