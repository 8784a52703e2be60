/** What checks cost whom: a service credential its budget where it has one, the trader nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AccessService } from '../src/gen/propusk/access/v1/access_service_pb.js';
import { StatusService } from '../src/gen/propusk/admin/v1/status_service_pb.js';
import { assertNothingSpent } from './access-flood.ts';
import { check } from './access-scene.ts';
import { AdministeredServer, Administrator, putOperator } from './administration.ts';
import { failureOf } from './clients/client.ts';
import { figuresOf } from './limits-scene.ts';

// A foreign test asks as often as a busy minute does.
test('checks leave a trader all that it may call itself', () => assertNothingSpent(4000));

test('a service credential has the budget that the setting gives it, and no other has', async () => {
  await using scene = await AdministeredServer.start('--service-calls-max=4');
  const { inside, server, operators } = scene;
  const other = await putOperator(server, 'service');
  const asked = { token: 'x' };
  for (const { id, token } of [operators.service, other]) {
    for (const [i, client] of inside.all.entries()) {
      const { headers } = await client.call(AccessService.method.check, asked, {
        metadata: { authorization: token },
      });
      const { name, limit, remaining } = figuresOf(headers);
      assert.deepEqual([name, limit, remaining], ['service', 4, 3 - i]);
    }
    for (const client of inside.all) {
      const failure = await failureOf(check(client, token, asked));
      assert.deepEqual([failure.code, failure.reason], [8, 'RATE_LIMITED']);
      assert.match(
        failure.message,
        /^at most 4 calls of the service credential the service in any/,
      );
      assert.ok(failure.detail('RetryInfo'), id);
      const { name, remaining } = figuresOf(failure.headers);
      assert.deepEqual([name, remaining], ['service', 0]);
    }
    const status = new Administrator(inside.rest1, token).call(StatusService.method.getStatus, {});
    assert.equal((await failureOf(status)).reason, 'RATE_LIMITED', 'all of the role together');
  }
  for (let i = 0; i < 10; i++) {
    await check(inside.grpc, operators.viewer.token, asked);
    await check(inside.grpc, operators.owner.token, asked);
  }
});
