/** Equal nodes on one database, whose clocks differ by 10 s: what one issues and ends holds on the other. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Action } from '../src/gen/propusk/access/v1/access_service_pb.js';
import { AccountService } from '../src/gen/propusk/admin/v1/account_service_pb.js';
import { KeyService } from '../src/gen/propusk/admin/v1/key_service_pb.js';
import { check, checkStream, Holder } from './access-scene.ts';
import { Administrator, putOperator } from './administration.ts';
import { failureOf } from './clients/client.ts';
import { Nodes } from './nodes.ts';
import { next, Trader } from './orders.ts';
import { claimsOf, revokeKey, revokeSession, write, writeKey } from './steps.ts';

/** Milliseconds by which the clocks are off. */
const AHEAD_MS = 5_000;
const BEHIND_MS = -5_000;

/** So that a stream which never hears of it fails. */
const HEARD = { timeout: 30_000 };

const nodes = await Nodes.start([AHEAD_MS, BEHIND_MS], '--session-ttl=60s', '--orders=paper');
after(() => nodes[Symbol.asyncDispose]());
const { store } = nodes;
const [ahead, behind] = nodes.all;
assert.ok(ahead && behind);
const pairs = [
  { from: ahead, to: behind },
  { from: behind, to: ahead },
];

async function reasonOf(work: Promise<unknown>): Promise<unknown> {
  return (await failureOf(work)).reason;
}

test('two nodes that start at once on an empty database verify what either signs', async () => {
  assert.equal((await store.signingKeys()).length, 2, 'each has made one');
  const holder = await Holder.make(store);
  for (const { from, to } of pairs) {
    const token = await from.outside.rest1.auth(holder.secret);
    const tokenOfOwn = await to.outside.rest1.auth(holder.secret);
    for (const each of [token, tokenOfOwn]) assert.ok(await to.outside.grpc.tokenDetails(each));
    const { iat } = claimsOf(token);
    assert.equal(Math.abs(Number(iat) * 1000 - from.clock.now()) < 30_000, true);
  }
});

test('a clock that differs by 10 s refuses nothing that was made a moment ago', async () => {
  for (const { from, to } of pairs) {
    const owner = await putOperator({ store }, 'owner', from.clock.now() + 60_000);
    const administrator = new Administrator(from.inside.rest1, owner.token);
    const holder = await Holder.make(store);
    const account = { id: `N${holder.key}`, clientId: holder.id };
    await administrator.call(AccountService.method.createAccount, { account });
    const made = await administrator.call(KeyService.method.createKey, {
      key: { clientId: holder.id, allAccounts: true },
    });
    const token = await to.outside.web.auth(made.secret);
    assert.ok(
      (await from.outside.rest2.tokenDetails(token)).message.accountIds.includes(account.id),
    );
    const rotated = await administrator.call(KeyService.method.rotateKey, {
      id: made.key?.id ?? '',
    });
    for (const node of [from, to]) {
      const fresh = await node.outside.rest1.auth(rotated.secret);
      for (const other of [from, to]) assert.ok(await other.outside.rest1.tokenDetails(fresh));
    }
    // An operator of the other node's making, too.
    const service = await putOperator({ store }, 'service', from.clock.now() + 60_000);
    const asked = { token, accountId: account.id, action: Action.TRADE };
    assert.equal((await check(to.inside.rest1, service.token, asked)).refusal, '');
  }
});

test('what one node ends is ended on the other', async () => {
  for (const { from, to } of pairs) {
    const holder = await Holder.make(store);
    const [first, second] = [
      await from.outside.rest1.auth(holder.secret),
      await to.outside.rest1.auth(holder.secret),
    ];
    for (const each of [first, second]) assert.ok(await to.outside.rest1.tokenDetails(each));
    await revokeSession(from.store, claimsOf(first).jti);
    assert.equal(await reasonOf(to.outside.rest1.tokenDetails(first)), 'TOKEN_INVALID');
    assert.ok(await to.outside.rest1.tokenDetails(second));
    await revokeKey(from.store, holder.key);
    assert.equal(await reasonOf(to.outside.rest1.tokenDetails(second)), 'TOKEN_INVALID');
    assert.equal(await reasonOf(to.outside.rest1.auth(holder.secret)), 'SECRET_INVALID');
  }
});

test('a node that is cut off asks the database with each call, and says 503 where it cannot', async () => {
  const holder = await Holder.make(store);
  const { token: operator } = await putOperator({ store }, 'owner');
  const [one, two] = [
    await behind.outside.rest1.auth(holder.secret),
    await behind.outside.rest1.auth(holder.secret),
  ];
  const administrator = new Administrator(behind.inside.rest1, operator);
  const asked = { token: two, accountId: holder.trading, action: Action.TRADE };
  const works = async () => {
    for (const client of behind.outside.all) assert.ok(await client.tokenDetails(two));
    assert.equal((await check(behind.inside.rest1, operator, asked)).refusal, '');
  };
  await works();
  behind.link.isCut = true;
  await works();
  await revokeSession(store, claimsOf(one).jti);
  for (const client of behind.outside.all) {
    assert.equal(await reasonOf(client.tokenDetails(one)), 'TOKEN_INVALID');
  }
  await works();
  behind.link.isAway = true;
  for (const client of behind.outside.all) {
    assert.equal(await reasonOf(client.tokenDetails(two)), 'UNAVAILABLE');
    assert.equal(await reasonOf(client.auth(holder.secret)), 'UNAVAILABLE');
  }
  assert.equal(await reasonOf(check(behind.inside.rest1, operator, asked)), 'UNAVAILABLE');
  const read = administrator.call(AccountService.method.getAccount, { id: holder.trading });
  assert.equal(await reasonOf(read), 'UNAVAILABLE');
  behind.link.isAway = false;
  await works();
  await writeKey(store, holder.key, { allAccounts: false });
  assert.equal((await check(behind.inside.rest1, operator, asked)).refusal, 'ACCOUNT_NOT_IN_TOKEN');
  await writeKey(store, holder.key, { allAccounts: true });
  behind.catchUp();
  await works();
});

test('a stream is ended when a node hears that it may have missed anything', HEARD, async () => {
  for (const isLost of [false, true]) {
    const holder = await Holder.make(store);
    const renewal = behind.outside.grpc.renewal(holder.secret);
    const { value: token } = await renewal.next();
    const { token: service } = await putOperator({ store }, 'service');
    const decisions = checkStream(behind.inside.grpc, service, { token: token ?? '' });
    assert.equal((await decisions.next()).value?.refusal, '');
    behind.link.isCut = true;
    await revokeSession(store, claimsOf(token ?? '').jti);
    // Silence would be a yes, so it looks by itself.
    assert.equal((await decisions.next()).value?.refusal, 'SESSION_REVOKED');
    behind.catchUp(isLost);
    assert.equal(await reasonOf(renewal.next()), 'SECRET_INVALID');
  }
});

test('an answer about a token that a node cannot vouch for ends with 503', HEARD, async () => {
  const holder = await Holder.make(store);
  const token = await behind.outside.rest1.auth(holder.secret);
  const { token: service } = await putOperator({ store }, 'service');
  const decisions = checkStream(behind.inside.grpc, service, { token });
  assert.equal((await decisions.next()).value?.refusal, '');
  behind.link.isCut = true;
  behind.link.isAway = true;
  assert.equal(await reasonOf(decisions.next()), 'UNAVAILABLE');
  behind.link.isAway = false;
  behind.catchUp();
});

test(
  'an order is not told of to who was revoked, though the node has not heard of that',
  HEARD,
  async () => {
    const holder = await Holder.make(store);
    const { grpc } = behind.outside;
    const [trader, other] = [
      await Trader.signIn(grpc, holder.secret, holder.trading),
      await Trader.signIn(grpc, holder.secret, holder.trading),
    ];
    const [told, kept] = [other.follow(), trader.follow()];
    for (const stream of [told, kept]) assert.deepEqual((await next(stream)).orders, []);
    behind.link.isCut = true;
    await trader.place();
    for (const stream of [told, kept]) assert.equal((await next(stream)).orders.length, 1);
    await revokeSession(store, claimsOf(other.token).jti);
    await trader.place();
    assert.equal(await reasonOf(told.next()), 'TOKEN_INVALID');
    assert.equal((await next(kept)).orders.length, 1);
    behind.catchUp(true);
    await trader.place();
    assert.equal((await next(kept)).orders.length, 1, 'who is still good is not cut off');
    await kept.return();
  },
);

test('nor is a decision to an operator who was revoked', HEARD, async () => {
  const holder = await Holder.make(store);
  const token = await behind.outside.rest1.auth(holder.secret);
  const service = await putOperator({ store }, 'service');
  const asked = { token, accountId: holder.trading };
  const decisions = checkStream(behind.inside.grpc, service.token, asked);
  assert.equal((await decisions.next()).value?.refusal, '');
  behind.link.isCut = true;
  const operator = await store.get('operator', service.id);
  assert.ok(operator);
  await write(store, 'operator', [{ ...operator, revokedAtMs: Date.now() }]);
  await writeKey(store, holder.key, { allAccounts: false });
  assert.equal(await reasonOf(decisions.next()), 'OPERATOR_TOKEN_INVALID');
  behind.catchUp();
});

test(
  'a session that was revoked is not renewed, though the node has not heard of that',
  HEARD,
  async () => {
    await using alone = await Nodes.start([0], '--session-ttl=5s');
    const [node] = alone.all;
    assert.ok(node);
    const holder = await Holder.make(alone.store);
    const [ended, kept] = [holder, holder].map(({ secret }) => node.outside.grpc.renewal(secret));
    assert.ok(ended && kept);
    const { value: token } = await ended.next();
    assert.ok((await kept.next()).value);
    node.link.isCut = true;
    await revokeSession(alone.store, claimsOf(token ?? '').jti);
    assert.equal(await reasonOf(ended.next()), 'SECRET_INVALID');
    assert.ok((await kept.next()).value);
    await kept.return();
  },
);
