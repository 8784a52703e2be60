/** Nodes on one PostgreSQL, each with its feed, whose clocks differ by 10 s. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openPostgres } from '../../src/store/postgres/postgres.ts';
import { Holder } from '../access-scene.ts';
import { SERVE_KEY } from '../administration.ts';
import { failureOf } from '../clients/client.ts';
import { type Node, Nodes } from '../nodes.ts';
import { claimsOf, revokeKey, revokeSession } from '../steps.ts';
import { until } from '../wait.ts';
import { PostgresServer } from './postgres-server.ts';

let server: PostgresServer;
let nodes: Nodes;
let ahead: Node;
let behind: Node;

before(async () => {
  server = await PostgresServer.start();
  const url = await server.database('shared');
  const open = () => openPostgres(url, { auditKey: SERVE_KEY.auditKey });
  nodes = await Nodes.startOn(open, [5_000, -5_000], '--session-ttl=60s');
  [ahead, behind] = nodes.all as [Node, Node];
});
after(async () => {
  await server.kill();
  await nodes[Symbol.asyncDispose]();
});

async function reasonAt(node: Node, token: string): Promise<unknown> {
  const { rest1 } = node.outside;
  return rest1.tokenDetails(token).then(
    () => 'good',
    async (error) => (await failureOf(Promise.reject(error))).reason,
  );
}

test('nodes that start at once on an empty database verify at once what either signs', async () => {
  assert.ok((await nodes.store.signingKeys()).length > 0);
  for (const [from, to] of [
    [ahead, behind],
    [behind, ahead],
  ] as const) {
    const holder = await Holder.make(nodes.store);
    const token = await from.outside.grpc.auth(holder.secret);
    assert.equal(await reasonAt(to, token), 'good');
    assert.equal(await reasonAt(from, token), 'good');
  }
});

test('what one node ends is ended on the other within a moment', async () => {
  const bound = async (node: Node, token: string) =>
    until('TOKEN_INVALID', async () => (await reasonAt(node, token)) === 'TOKEN_INVALID', 10_000);
  for (const [from, to] of [
    [ahead, behind],
    [behind, ahead],
  ] as const) {
    const holder = await Holder.make(nodes.store);
    const first = await from.outside.grpc.auth(holder.secret);
    const second = await to.outside.grpc.auth(holder.secret);
    for (const each of [first, second]) assert.equal(await reasonAt(to, each), 'good');
    await revokeSession(from.store, claimsOf(first).jti);
    assert.equal(await reasonAt(from, first), 'TOKEN_INVALID', 'who has done it knows at once');
    await bound(to, first);
    assert.equal(await reasonAt(to, second), 'good');
    await revokeKey(to.store, holder.key);
    assert.equal(await reasonAt(to, second), 'TOKEN_INVALID');
    await bound(from, second);
  }
});

test('without the database, what is remembered is no answer after a moment', async () => {
  const holder = await Holder.make(nodes.store);
  const token = await ahead.outside.grpc.auth(holder.secret);
  for (const node of nodes.all) assert.equal(await reasonAt(node, token), 'good');
  await server.kill();
  for (const node of nodes.all) {
    await until('503', async () => (await reasonAt(node, token)) === 'UNAVAILABLE', 10_000);
    for (let i = 0; i < 5; i++) assert.equal(await reasonAt(node, token), 'UNAVAILABLE');
  }
});
