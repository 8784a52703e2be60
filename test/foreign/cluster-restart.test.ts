/** Every node of a cluster is ended in order and started again, one after the other, while people call. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { check } from '../access-scene.ts';
import { CallFailure } from '../clients/client.ts';
import { GrpcClient } from '../clients/grpc.ts';
import { Trader } from '../orders.ts';
import { unique } from '../start.ts';
import { Cluster, type ClusterKey } from './cluster.ts';
import { ClusterLoad } from './cluster-load.ts';

/** As grpc-js does by itself: the next node takes what one cannot, and no attempt is ours. */
const SERVICE_CONFIG = {
  loadBalancingConfig: [{ round_robin: {} }],
  methodConfig: [
    {
      name: [{}],
      retryPolicy: {
        maxAttempts: 5,
        initialBackoff: '0.1s',
        maxBackoff: '1s',
        backoffMultiplier: 2,
        retryableStatusCodes: ['UNAVAILABLE'],
      },
    },
  ],
};
/** Each signs in, and has its token looked at and used, time and again. */
const CALLERS = 8;
const REST_MS = 50;
/** All orders go through one log: nodes add no room for them. */
const ORDERS_SHARE = 0.1;

/** One client that knows all nodes by their ports, as one behind a balancer has all of them. */
function balanced(ports: readonly number[]): GrpcClient {
  return new GrpcClient(`ipv4:${ports.map((port) => `127.0.0.1:${port}`).join()}`, undefined, {
    'grpc.enable_retries': 1,
    'grpc.service_config': JSON.stringify(SERVICE_CONFIG),
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 500,
  });
}

/** Calls that rest on grpc-js for everything that goes wrong. */
class Callers implements AsyncDisposable {
  readonly failures: string[] = [];
  answered = 0;
  readonly #cluster: Cluster;
  readonly #outside: GrpcClient;
  readonly #inside: GrpcClient;
  readonly #running: Promise<void>[];
  #isOver = false;

  constructor(cluster: Cluster, keys: readonly ClusterKey[]) {
    this.#cluster = cluster;
    this.#outside = balanced(cluster.nodes.map(({ port }) => port));
    this.#inside = balanced(cluster.nodes.map(({ internalPort }) => internalPort));
    this.#running = keys.map(async (key) => {
      while (!this.#isOver) await this.#call(key);
    });
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#running);
  }

  async #call({ secret, accountId }: ClusterKey): Promise<void> {
    const token = await this.#answer('Auth', () => this.#outside.auth(secret));
    if (token === undefined) return;
    await this.#answer('TokenDetails', () => this.#outside.tokenDetails(token));
    const allowed = await this.#answer('Check', () =>
      check(this.#inside, this.#cluster.service, { token, accountId }),
    );
    if (allowed?.allowed === false) this.failures.push(`Check: ${allowed.refusal}`);
    if (Math.random() > ORDERS_SHARE) return;
    const trader = new Trader(this.#outside, token, accountId);
    // By its own id it is placed once, however often it is sent.
    const clientOrderId = unique();
    const placed = await this.#answer('PlaceOrder', () => trader.place({ clientOrderId }));
    if (placed === undefined) return;
    const found = await this.#answer('GetOrder', () => trader.get(placed.orderId));
    if (found?.order?.clientOrderId !== clientOrderId) this.failures.push('GetOrder: another');
  }

  async #answer<T>(what: string, call: () => Promise<T>): Promise<T | undefined> {
    try {
      const answer = await call();
      this.answered += 1;
      await sleep(REST_MS * (0.5 + Math.random()));
      return answer;
    } catch (error) {
      const { code = error, message = '' } = error instanceof CallFailure ? error : {};
      this.failures.push(`${what}: ${code} ${message}`);
      return undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#outside.close();
    await this.#inside.close();
  }
}

test('four nodes are restarted one after the other: no call fails, and nothing is lost', async (t) => {
  await using cluster = await Cluster.start(4);
  await using load = await ClusterLoad.start(cluster);
  await using callers = new Callers(cluster, await cluster.newKeys(CALLERS));
  await sleep(1_000);
  for (const [index] of cluster.nodes.entries()) {
    const before = callers.answered;
    const beganAtMs = performance.now();
    await cluster.restart(index);
    const seconds = (performance.now() - beganAtMs) / 1000;
    const answered = callers.answered - before;
    t.diagnostic(
      `node ${index}: there again after ${seconds.toFixed(1)} s, ${answered} calls answered`,
    );
    assert.ok(answered > 0);
  }
  await sleep(1_000);
  await callers.end();
  const books = await load.end();
  t.diagnostic(`${callers.answered} calls of grpc-js with its retries, and ${books.told}`);
  assert.deepEqual(callers.failures, []);
  await books.verify(cluster);
});
