/**
 * Four nodes under load that lose their Valkey, stand still, or are killed: limits hold, nothing that was
 * answered is lost, and who slept does not believe what it knew before.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { WINDOW_MS } from '../../src/domain/quota.ts';
import { CallFailure } from '../clients/client.ts';
import { Trader } from '../orders.ts';
import { unique } from '../start.ts';
import { until } from '../wait.ts';
import { Cluster, type ClusterKey, type ClusterNode, STALENESS_MS_MAX } from './cluster.ts';
import { underLoad } from './cluster-load.ts';

const NODES = 4;
/** Sign-ins of the key with a limit. */
const LIMIT = 200;
const SHARE = LIMIT / NODES;
/** That a call waits for Valkey at most, in milliseconds; the default. */
const WAIT_MS_MAX = 20;
/** Calls whose time is taken, and the share of them that a machine which does more than this leaves alone. */
const TIMED = 200;
const LEAST_SHARE = 0.1;
/** What a machine that does more than this may take to notice something. */
const NOTICED_MS_MAX = 30_000;
const ASLEEP_MS = 5_000;
/** Tokens of each kind that a node is asked about while it stands still. */
const TOKENS = 20;
/** How many sign in and trade at a node when it is killed, and the orders that it has answered by then. */
const CALLERS = 8;
const ORDERS_MIN = 24;
const DOWN_MS = 3_000;
/** Codes of gRPC. */
const [RESOURCE_EXHAUSTED, UNAVAILABLE, UNAUTHENTICATED] = [8, 14, 16];

let cluster: Cluster;
before(async () => {
  cluster = await Cluster.start(NODES);
});
after(() => cluster[Symbol.asyncDispose]());

/** How so many sign-ins at once at each of the nodes end: codes, and how often each came. */
async function signIns(
  key: ClusterKey | undefined,
  nodes: readonly ClusterNode[],
  calls: number,
): Promise<Record<number, number>> {
  const counts: Record<number, number> = {};
  const asked = nodes.flatMap(({ outside }) =>
    Array.from({ length: calls }, () => codeOf(outside.auth(key?.secret ?? ''))),
  );
  for (const code of await Promise.all(asked)) counts[code] = (counts[code] ?? 0) + 1;
  return counts;
}

/** 0 where the call is answered. */
async function codeOf(call: Promise<unknown>): Promise<number> {
  try {
    await call;
    return 0;
  } catch (error) {
    assert.ok(error instanceof CallFailure, String(error));
    return error.code;
  }
}

/** How long those calls took that took least, in milliseconds: what all of them do for sure. */
async function leastMs(token: string): Promise<number> {
  const took: number[] = [];
  for (let i = 0; i < TIMED; i++) {
    const { outside } = cluster.nodes[i % NODES] as ClusterNode;
    const beganAtMs = performance.now();
    await outside.tokenDetails(token);
    took.push(performance.now() - beganAtMs);
  }
  return took.sort((a, b) => a - b)[Math.floor(TIMED * LEAST_SHARE)] ?? Number.NaN;
}

test('Valkey is killed and started empty: each lets through its share, and nobody waits', async (t) => {
  const { valkey, nodes } = cluster;
  const [key] = await cluster.newKeys(1, { Auth: LIMIT });
  const [free] = await cluster.newKeys(1);
  const token = (await nodes[0]?.outside.auth(free?.secret ?? '')) ?? '';
  const books = await underLoad(t, cluster, async () => {
    const sharedMs = await leastMs(token);
    await valkey.kill();
    await cluster.allAlone(NOTICED_MS_MAX);
    const beganAtMs = performance.now();
    for (const node of nodes) {
      const counts = await signIns(key, [node], SHARE + 10);
      assert.deepEqual(counts, { 0: SHARE, [RESOURCE_EXHAUSTED]: 10 });
    }
    const aloneMs = await leastMs(token);
    t.diagnostic(`${sharedMs.toFixed(1)} ms with Valkey, ${aloneMs.toFixed(1)} ms without`);
    assert.ok(aloneMs < sharedMs + WAIT_MS_MAX);
    await valkey.startAgain();
    await cluster.allShare();
    const told = async () =>
      Number(await valkey.command('LLEN', `propusk:key:Auth ${key?.id}`)) >= LIMIT;
    await until('what was let through alone', told, NOTICED_MS_MAX);
    const counts = await signIns(key, nodes, 10);
    if (performance.now() - beganAtMs < WINDOW_MS) {
      assert.deepEqual(counts, { [RESOURCE_EXHAUSTED]: 10 * NODES });
    }
  });
  // One that the machine kept waiting may be among them.
  const answers = Object.values(books.counts).reduce((sum, count) => sum + count, 0);
  assert.ok(books.retries <= answers / 50, `no call fails for it, nor waits long: ${books.told}`);
});

test('a node stands still for 5 s: when it wakes, it does not believe what it knew', async (t) => {
  const [sleeper, other] = cluster.nodes as [ClusterNode, ClusterNode];
  const [key] = await cluster.newKeys(1);
  await underLoad(t, cluster, async (load) => {
    const signIn = () => sleeper.outside.auth(key?.secret ?? '');
    const tokens = await Promise.all(Array.from({ length: 2 * TOKENS }, signIn));
    const ask = (token: string) => codeOf(sleeper.outside.tokenDetails(token));
    for (const token of tokens) assert.equal(await ask(token), 0);
    sleeper.signal('SIGSTOP');
    const beganAtMs = performance.now();
    const goesOn = load.goesOn();
    const [ended, good] = [tokens.slice(TOKENS), tokens.slice(0, TOKENS)];
    for (const token of ended) await cluster.endSession(other, token);
    await sleep(STALENESS_MS_MAX);
    // What comes while it sleeps is the first that it sees.
    const asked = [...ended, ...good].map(ask);
    await goesOn;
    await sleep(ASLEEP_MS - (performance.now() - beganAtMs));
    sleeper.signal('SIGCONT');
    const expected = [...ended.map(() => UNAUTHENTICATED), ...good.map(() => 0)];
    assert.deepEqual(await Promise.all(asked), expected);
  });
});

test('a node is killed with -9: what it answered is there, others go on, and it comes back', async (t) => {
  const [killed, ...others] = cluster.nodes as [ClusterNode, ...ClusterNode[]];
  const keys = await cluster.newKeys(CALLERS);
  await underLoad(t, cluster, async (load) => {
    const answered: { trader: Trader; orders: Map<string, string> }[] = [];
    const call = async ({ secret, accountId }: ClusterKey) => {
      for (;;) {
        const trader = await Trader.signIn(killed.outside, secret, accountId);
        const orders = new Map<string, string>();
        answered.push({ trader, orders });
        const clientOrderId = unique();
        const { orderId } = await trader.place({ clientOrderId });
        orders.set(clientOrderId, orderId);
      }
    };
    const calls = keys.map((key) => codeOf(call(key)));
    const traded = () => answered.filter(({ orders }) => orders.size > 0).length;
    await until('orders', () => traded() >= ORDERS_MIN, NOTICED_MS_MAX);
    await killed.stop('SIGKILL');
    assert.deepEqual(
      await Promise.all(calls),
      keys.map(() => UNAVAILABLE),
    );
    const [downAtMs, goesOn] = [performance.now(), load.goesOn()];
    let found = 0;
    for (const [i, { trader, orders }] of answered.entries()) {
      const { outside } = others[i % others.length] as ClusterNode;
      assert.equal(await codeOf(outside.tokenDetails(trader.token)), 0);
      for (const [clientOrderId, orderId] of orders) {
        const { order } = await trader.over(outside).get(orderId);
        assert.equal(order?.clientOrderId, clientOrderId);
        found += 1;
      }
    }
    assert.ok(found >= ORDERS_MIN);
    t.diagnostic(`answered before it was killed: ${answered.length} sessions, ${found} orders`);
    await goesOn;
    await sleep(DOWN_MS - (performance.now() - downAtMs));
    await killed.start();
  });
});
