/** Secrets of keys by the administration: made, imported, replaced, and from where they are used. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { type Timestamp, timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt';
import pino from 'pino';
import { KeyService, Secret } from '../src/gen/propusk/admin/v1/key_service_pb.js';
import { OperatorService } from '../src/gen/propusk/admin/v1/operator_service_pb.js';
import { Role } from '../src/gen/propusk/contract/v1/contract_pb.js';
import { AdministeredServer, Administrator, makeClient, makeKey } from './administration.ts';
import { endOf, failureOf } from './clients/client.ts';
import { Four } from './clients/four.ts';
import { startHere, unique } from './start.ts';
import { StepClock } from './steps.ts';

const clock = new StepClock();
/** Everything that the server logs, and every secret that it must not. */
const lines: string[] = [];
const canaries: string[] = [];
const log = pino({ level: 'debug', base: null }, { write: (line) => lines.push(line) });
const scene = await AdministeredServer.startWith({ clock, log }, '--operator-failures-max=1000');
after(() => scene[Symbol.asyncDispose]());
const { store } = scene.server;
const { outside } = scene;
const operator = scene.as('operator');
const client = await makeClient(operator);
const keys = KeyService.method;
const HOUR = { seconds: 3600n };
/** By then a renewal stream would have looked at the clock anyhow. */
const ENDED_MS_MAX = 10_000;

/** What a secret that nobody has is answered. */
const unknown = (await failureOf(outside.rest1.auth('nothing'))).status;

/** Notes a secret that must be in no log. */
function canary(secret: string): string {
  canaries.push(secret);
  return secret;
}

async function assertUnknown(secret: string): Promise<void> {
  for (const each of outside.all) {
    assert.deepEqual((await failureOf(each.auth(secret))).status, unknown, each.name);
  }
}

test('a secret is shown once, opens a session, and is kept nowhere', async () => {
  for (const each of scene.inside.all) {
    const asked = { key: { clientId: client.id, allAccounts: true }, requestId: unique() };
    const made = await scene.as('operator', each).call(keys.createKey, asked);
    assert.match(made.secret, /^psk_[0-9A-Za-z]{33}$/);
    assert.equal(made.secretStatus, Secret.SHOWN);
    const token = await outside.grpc.auth(canary(made.secret));
    const { message } = await outside.grpc.tokenDetails(token);
    assert.deepEqual(message.accountIds, [client.account]);
    const shown = await scene.as('owner', each).call(keys.getKey, { id: made.key?.id ?? '' });
    const kept = JSON.stringify([shown, await store.audit(0, 10_000)], (_, value) =>
      typeof value === 'bigint' ? String(value) : value,
    );
    assert.ok(!kept.includes(made.secret.slice(4)));
  }
});

test('the same request makes nothing twice, and does not show the secret again', async () => {
  const requestId = unique();
  const key = { clientId: client.id, label: 'once' };
  const first = await operator.call(keys.createKey, { key, requestId });
  for (const each of scene.inside.all) {
    const again = await scene.as('operator', each).call(keys.createKey, { key, requestId });
    assert.deepEqual(again.key, first.key);
    assert.equal(again.secret, '');
    assert.equal(again.secretStatus, Secret.ALREADY_SHOWN);
  }
  const other = { key: { ...key, label: 'twice' }, requestId };
  const failure = await failureOf(operator.call(keys.createKey, other));
  assert.equal(failure.reason, 'REQUEST_ID_REUSED');
  assert.equal(failure.httpStatus, 409);
  const theirs = await scene.as('owner').call(keys.createKey, other);
  assert.equal(theirs.secretStatus, Secret.SHOWN, 'request ids are each operator’s own');
  clock.offsetMs += 86_400_000;
  const nextDay = await operator.call(keys.createKey, { key, requestId });
  assert.equal(nextDay.secretStatus, Secret.SHOWN);
  assert.notEqual(nextDay.key?.id, first.key?.id);
});

test('the same request is known though what it made has changed, or is gone', async () => {
  const { ALREADY_SHOWN } = Secret;
  const id = `k${unique()}`;
  const expiresAt = timestampFromMs(clock.now() + 60_000);
  const created = {
    key: { id, clientId: client.id, allAccounts: true, expiresAt },
    requestId: unique(),
  };
  const first = await operator.call(keys.createKey, created);
  const rotated = { id, version: first.key?.version ?? 0n, requestId: unique() };
  const second = await operator.call(keys.rotateKey, rotated);
  const imported = {
    key: { clientId: client.id, allAccounts: true },
    ...{ secret: unique() + unique() + unique(), requestId: unique() },
  };
  const third = await operator.call(keys.importKey, imported);
  const statuses = async (each: Administrator) => {
    const [again, turned] = [
      await each.call(keys.createKey, created),
      await each.call(keys.rotateKey, rotated),
    ];
    assert.deepEqual([again.secret, again.secretStatus], ['', ALREADY_SHOWN]);
    assert.deepEqual([turned.secret, turned.secretStatus], ['', ALREADY_SHOWN]);
    assert.deepEqual(again.key, await each.call(keys.getKey, { id }));
    assert.deepEqual(turned.key, again.key);
    return again.key;
  };
  const over = async (check: (each: Administrator) => Promise<void>) => {
    for (const each of scene.inside.all) await check(scene.as('operator', each));
  };
  // The version that the rotation was meant for is not there any more, by the rotation itself.
  await over(async (each) => assert.deepEqual(await statuses(each), second.key));
  clock.offsetMs += 61_000;
  // Expired: it could be neither made so now nor rotated.
  await over(async (each) => void (await statuses(each)));
  await operator.call(keys.revokeKey, { id });
  await over(async (each) => assert.ok((await statuses(each))?.revokedAt));
  await operator.call(keys.deleteKey, { id });
  await operator.call(keys.deleteKey, { id: third.id });
  await over(async (each) => {
    for (const [method, request] of [
      [keys.createKey, created],
      [keys.rotateKey, rotated],
    ] as const) {
      const failure = await failureOf(each.call(method as typeof keys.createKey, request as never));
      assert.equal(failure.reason, 'RESOURCE_NOT_FOUND');
      assert.match(failure.message, new RegExp(`same request .*key ${id}, .*secret was shown`));
    }
    const failure = await failureOf(each.call(keys.importKey, imported));
    assert.equal(failure.reason, 'RESOURCE_NOT_FOUND');
    assert.ok(!failure.message.includes('shown'), 'it was the caller who showed it');
  });
});

test('the same request for an operator is known past the end that it asked for', async () => {
  const { createOperator, rotateOperatorToken } = OperatorService.method;
  const owner = scene.as('owner');
  const requestId = unique();
  const expiresAt = timestampFromMs(clock.now() + 60_000);
  const created = { operator: { role: Role.VIEWER, expiresAt }, requestId };
  const { operator: made } = await owner.call(createOperator, created);
  const rotated = { id: made?.id ?? '', expiresAt, requestId: `${requestId}2` };
  await owner.call(rotateOperatorToken, rotated);
  clock.offsetMs += 61_000;
  for (const each of scene.inside.all.map((one) => scene.as('owner', one))) {
    for (const again of [
      await each.call(createOperator, created),
      await each.call(rotateOperatorToken, rotated),
    ]) {
      assert.deepEqual([again.token, again.secretStatus], ['', Secret.ALREADY_SHOWN]);
      assert.equal(again.operator?.id, made?.id);
    }
  }
});

test('a rotation ends the secret before at once, or when its overlap is over', async () => {
  const { id, secret } = await makeKey(operator, client.id);
  const token = await outside.rest1.auth(secret);
  const rotated = await operator.call(keys.rotateKey, { id, overlap: HOUR, requestId: 'r1' });
  assert.equal(rotated.secretStatus, Secret.SHOWN);
  assert.notEqual(rotated.secret, secret);
  for (const each of [secret, rotated.secret]) await outside.rest1.auth(each);
  const again = await operator.call(keys.rotateKey, { id, overlap: HOUR, requestId: 'r1' });
  assert.deepEqual([again.secret, again.secretStatus], ['', Secret.ALREADY_SHOWN]);
  assert.deepEqual(again.key, rotated.key);
  clock.offsetMs += 3_600_000;
  await assertUnknown(secret);
  await outside.rest1.auth(rotated.secret);
  const third = await operator.call(keys.rotateKey, { id });
  await assertUnknown(rotated.secret);
  await outside.rest1.auth(canary(third.secret));
  // An hour has passed since, so the token itself is over.
  assert.equal((await failureOf(outside.rest1.tokenDetails(token))).reason, 'TOKEN_INVALID');
});

test('a rotation without an overlap leaves the tokens, and ends the renewal by the secret before', async () => {
  const { id, secret } = await makeKey(operator, client.id);
  const token = await outside.rest1.auth(secret);
  const stream = outside.grpc.renewal(secret);
  await stream.next();
  const { secret: successor } = await operator.call(keys.rotateKey, { id });
  assert.deepEqual((await endOf(stream)).status, unknown);
  await outside.rest1.tokenDetails(token);
  const renewed = outside.grpc.renewal(successor);
  await renewed.next();
  await renewed.return();
});

test('renewal by the secret before ends when its overlap is over, and so does sign-in', async () => {
  for (const each of outside.streaming) {
    const { id, secret } = await makeKey(operator, client.id);
    const streams = [each.renewal(secret)];
    await streams[0]?.next();
    const overlap = { seconds: 2n };
    const { key, secret: successor } = await operator.call(keys.rotateKey, { id, overlap });
    const endsAtMs = Number(timestampMs(key?.previousSecretEndsAt as Timestamp));
    // One that began after the rotation ends as well.
    streams.push(each.renewal(secret));
    await streams[1]?.next();
    const renewed = each.renewal(successor);
    await renewed.next();
    for (const stream of streams) {
      assert.deepEqual((await endOf(stream)).status, unknown, each.name);
      assert.ok(clock.now() >= endsAtMs, 'not before');
      assert.ok(clock.now() < endsAtMs + ENDED_MS_MAX, 'and soon');
    }
    await assertUnknown(secret);
    await renewed.return();
    await outside.rest1.auth(successor);
  }
});

test('a key that is revoked or over gets no new secret', async () => {
  const revoked = await makeKey(operator, client.id);
  await operator.call(keys.revokeKey, { id: revoked.id });
  const expired = await makeKey(operator, client.id, { expiresAt: { seconds: 1n } });
  for (const { id } of [revoked, expired]) {
    assert.equal((await failureOf(operator.call(keys.rotateKey, { id }))).reason, 'KEY_NOT_ACTIVE');
  }
});

test('a key is used from its networks alone; elsewhere it is as unknown as any other', async () => {
  const elsewhere = ['192.0.2.0/24', '2001:db8::/32'];
  const here = ['127.0.0.0/8', ...elsewhere];
  const { id, secret } = await makeKey(operator, client.id, { sourceNetworks: elsewhere });
  await assertUnknown(secret);
  const updateMask = { paths: ['source_networks'] };
  await operator.call(keys.updateKey, { key: { id, sourceNetworks: here }, updateMask });
  const token = await outside.rest1.auth(secret);
  for (const each of outside.streaming) {
    await operator.call(keys.updateKey, { key: { id, sourceNetworks: here }, updateMask });
    const stream = each.renewal(secret);
    await stream.next();
    await operator.call(keys.updateKey, { key: { id, sourceNetworks: elsewhere }, updateMask });
    assert.deepEqual((await endOf(stream)).status, unknown, each.name);
  }
  // Not where tokens are used: only where they are got.
  await outside.rest1.tokenDetails(token);
});

test('serve imports no secret that can be guessed, dev any', async () => {
  const asked = (secret: string) => ({ key: { clientId: client.id, allAccounts: true }, secret });
  const good = `q7-${unique()}${unique()}${unique()}`;
  await operator.call(keys.importKey, asked(good));
  await outside.rest1.auth(canary(good));
  for (const secret of [
    '',
    'x'.repeat(40),
    'your-api-secret-goes-here-000000000',
    good.slice(0, 31),
  ]) {
    const failure = await failureOf(operator.call(keys.importKey, asked(secret)));
    assert.equal(failure.reason, 'INVALID_REQUEST');
    assert.ok(secret === '' || !failure.message.includes(secret), 'it is not repeated');
  }
  const taken = await failureOf(operator.call(keys.importKey, asked(good)));
  assert.equal(taken.reason, 'INVALID_REQUEST');

  await using dev = await startHere();
  await using four = new Four(dev);
  const admin = new Administrator(four.rest1, dev.server.operatorToken ?? '');
  const { id } = await makeClient(admin);
  await admin.call(keys.importKey, { key: { clientId: id }, secret: 'short' });
  await four.grpc.auth('short');
});

test('neither secrets nor the tokens of operators are in the log', async () => {
  for (const { token } of Object.values(scene.operators)) canary(token);
  const bad = canary(`pop_${unique()}${unique()}`);
  const secret = canary(`psk_${unique()}${unique()}`);
  for (const each of scene.inside.all) {
    const nobody = new Administrator(each, bad);
    await failureOf(nobody.call(keys.getKey, { id: secret }));
    const admin = scene.as('operator', each);
    await failureOf(admin.call(keys.getKey, { id: secret }));
    await failureOf(admin.call(keys.importKey, { key: { id: secret, clientId: ' ' }, secret }));
    await failureOf(admin.call(keys.createKey, { key: { clientId: client.id, id: ' ' } }));
  }
  const text = lines.join('');
  assert.ok(text.includes('"method":"ImportKey"') && text.includes('"OPERATOR_UNKNOWN"'));
  assert.ok(text.includes(`"operator":"${scene.operators.operator.id}"`));
  assert.ok(canaries.length > 8);
  for (const each of canaries) assert.ok(!text.includes(each.slice(4)), each);
});
