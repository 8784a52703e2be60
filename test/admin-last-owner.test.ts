/** An owner who can act is always left: whatever is asked for, by whom, and at the same time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { OperatorService } from '../src/gen/propusk/admin/v1/operator_service_pb.js';
import { Role } from '../src/gen/propusk/contract/v1/contract_pb.js';
import { AdministeredServer, Administrator, putOperator } from './administration.ts';
import { failureOf } from './clients/client.ts';

const { createOperator, deleteOperator, listOperators, revokeOperator } = OperatorService.method;
const { rotateOperatorToken, updateOperator } = OperatorService.method;
const HOUR_MS = 3_600_000;
const inHours = (hours: number) => timestampFromMs(Date.now() + hours * HOUR_MS);

test('the last owner sets no end that would lock everybody out', async () => {
  await using scene = await AdministeredServer.start();
  const { id } = scene.operators.owner;
  const updateMask = { paths: ['expires_at'] };
  for (const client of scene.inside.all) {
    const owner = scene.as('owner', client);
    for (const refused of [
      () => owner.call(rotateOperatorToken, { id, expiresAt: inHours(1) }),
      () => owner.call(rotateOperatorToken, { id, expiresAt: inHours(23.9) }),
      () => owner.call(updateOperator, { operator: { id, expiresAt: inHours(1) }, updateMask }),
    ]) {
      const failure = await failureOf(refused());
      assert.equal(failure.reason, 'LAST_OWNER', client.name);
      assert.equal(failure.code, 9);
      assert.match(failure.message, /make another owner first/);
    }
    // It works on, and an end that leaves time to act is taken.
    const operator = { id, expiresAt: inHours(24.1) };
    await owner.call(updateOperator, { operator, updateMask });
    await owner.call(updateOperator, { operator: { id, expiresAt: inHours(48) }, updateMask });
  }
  // Beside an owner who can act as long it is free to.
  const first = scene.as('owner');
  const other = { role: Role.OWNER, expiresAt: inHours(30) };
  const made = await first.call(createOperator, { operator: other });
  const soon = await first.call(rotateOperatorToken, { id, expiresAt: inHours(1) });
  const second = new Administrator(scene.inside.rest1, made.token);
  const otherId = made.operator?.id ?? '';
  const refused = second.call(rotateOperatorToken, { id: otherId, expiresAt: inHours(2) });
  assert.equal((await failureOf(refused)).reason, 'LAST_OWNER');
  // Whoever must go goes at once, though the other does not last for a day.
  const last = new Administrator(scene.inside.rest1, soon.token);
  await last.call(revokeOperator, { id: otherId });
  assert.equal((await last.call(listOperators, {})).operators.length, 5);
});

test('owners who take each other’s rights away at the same time leave one', async () => {
  await using scene = await AdministeredServer.start('--operator-failures-max=100000');
  const { store } = scene.server;
  let asked: { id: string; token: string } = scene.operators.owner;
  for (let round = 0; round < 20; round++) {
    const rival = await putOperator(scene.server, 'owner');
    const [one, two] = [asked, rival].map(
      ({ token }) => new Administrator(scene.inside.grpc, token),
    );
    const takeAway = (by: Administrator | undefined, { id }: { id: string }) => [
      by?.call(revokeOperator, { id }),
      by?.call(deleteOperator, { id }),
      by?.call(updateOperator, {
        operator: { id, role: Role.VIEWER },
        updateMask: { paths: ['role'] },
      }),
    ];
    const works = [...takeAway(one, rival), ...takeAway(two, asked)];
    const settled = await Promise.allSettled(works);
    assert.ok(settled.some(({ status }) => status === 'fulfilled'));
    const owners = (await store.list('operator', { limit: 1000 })).filter(
      ({ role, revokedAtMs }) => role === 'owner' && revokedAtMs === null,
    );
    assert.equal(owners.length, 1);
    const [left] = owners;
    asked = left?.id === asked.id ? asked : rival;
    assert.equal(left?.id, asked.id);
  }
});
