/**
 * Several `propusk serve` on one PostgreSQL and one Valkey: a process each, which keeps its ports when it is
 * started again, so that clients know the nodes by their addresses.
 */
import assert from 'node:assert/strict';
import type { ApiKey } from '../../src/domain/model.ts';
import { KeyService } from '../../src/gen/propusk/admin/v1/key_service_pb.js';
import { SessionService } from '../../src/gen/propusk/admin/v1/session_service_pb.js';
import { openPostgres } from '../../src/store/postgres/postgres.ts';
import type { Store } from '../../src/store/store.ts';
import { putOperator, SERVE_KEY } from '../administration.ts';
import { CallFailure, type CallOptions } from '../clients/client.ts';
import { GrpcClient } from '../clients/grpc.ts';
import { figuresAt } from '../figures.ts';
import { SERVE_MASTER_KEY, type ServeInChild, startServeApart, unique } from '../start.ts';
import { claimsOf, putAccounts, putKey, writeKey } from '../steps.ts';
import { until } from '../wait.ts';
import { PostgresProxy } from './postgres-proxy.ts';
import { PostgresServer } from './postgres-server.ts';
import { figuresOf, SEEN_MS_MAX, untilAllAlone, untilAllShare } from './shared-limits.ts';
import { freePort, ValkeyServer } from './valkey.ts';

/** What a node may hold for true without having heard of the others, in milliseconds; the default. */
export const STALENESS_MS_MAX = 1_000;
/** An attempt that is not answered by then is made again: nodes may stand still. */
export const ATTEMPT_MS_MAX = 3_000;
/** More than any test asks for, of each method that one calls. */
const CALLS_MAX = 1_000_000_000;
const ANY = {
  Auth: CALLS_MAX,
  TokenDetails: CALLS_MAX,
  PlaceOrder: CALLS_MAX,
  GetOrder: CALLS_MAX,
};
/** How fast clients find a node that is there again, in milliseconds. */
const RECONNECTING = {
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 250,
};
/** In which a node that stops still answers: clients that call time and again have heard of it by then. */
const DRAIN_NOTICE_MS = 200;

export interface ClusterOptions {
  /** Variables of all nodes. */
  readonly env?: Readonly<Record<string, string>>;
  /** Each node reaches PostgreSQL through a proxy of its own, which cuts what the test tells it to. */
  readonly isProxied?: boolean;
}

/** A key, and the account that it reaches. */
export interface ClusterKey {
  /** The client's too. */
  readonly id: string;
  readonly secret: string;
  readonly accountId: string;
}

/** One of the nodes, over all its processes. */
export class ClusterNode implements AsyncDisposable {
  readonly port: number;
  readonly internalPort: number;
  /** Between it and PostgreSQL. */
  readonly proxy: PostgresProxy | undefined;
  /** On the public port, and on the internal one; without retries of their own. */
  readonly outside: GrpcClient;
  readonly inside: GrpcClient;
  /** The variables that it is started with, for commands too. */
  readonly env: Readonly<Record<string, string>>;
  #process: ServeInChild | undefined;

  private constructor(
    ports: readonly [number, number],
    env: ClusterNode['env'],
    proxy: PostgresProxy | undefined,
  ) {
    [this.port, this.internalPort] = ports;
    this.env = env;
    this.proxy = proxy;
    this.outside = new GrpcClient(`127.0.0.1:${this.port}`, undefined, RECONNECTING);
    this.inside = new GrpcClient(`127.0.0.1:${this.internalPort}`, undefined, RECONNECTING);
  }

  /** One that is still to be started. */
  static async make(
    postgres: PostgresServer,
    env: Readonly<Record<string, string>>,
    isProxied: boolean,
  ): Promise<ClusterNode> {
    const ports = [await freePort(), await freePort()] as const;
    const proxy = isProxied ? await PostgresProxy.start(postgres.port) : undefined;
    const database = new URL(env.PROPUSK_DATABASE ?? '');
    if (proxy !== undefined) database.port = String(proxy.port);
    return new ClusterNode(ports, { ...env, PROPUSK_DATABASE: database.href }, proxy);
  }

  /** What it printed since it was started last. */
  get output(): ServeInChild['output'] {
    return this.#running.output;
  }

  get #running(): ServeInChild {
    assert.ok(this.#process, 'the node was started');
    return this.#process;
  }

  /** Resolves when it serves. */
  async start(): Promise<void> {
    this.#process = await startServeApart(this.env, [
      `--listen=127.0.0.1:${this.port}`,
      `--internal-listen=127.0.0.1:${this.internalPort}`,
      `--drain-notice-ms=${DRAIN_NOTICE_MS}`,
    ]);
  }

  /** Sends a signal that ends it; resolves with the exit code (null when the signal ended it). */
  stop(signal?: NodeJS.Signals): Promise<number | null> {
    return this.#running.stop(signal);
  }

  /** Sends a signal that it lives on with, such as SIGSTOP. */
  signal(signal: NodeJS.Signals): void {
    this.#running.child.kill(signal);
  }

  get internalUrl(): string {
    return `http://127.0.0.1:${this.internalPort}`;
  }

  /** Its figures; rejects where it does not answer. */
  figures(): Promise<Map<string, number>> {
    return figuresAt(this.internalUrl);
  }

  /** Whether it takes a token; rejects where it does not tell. */
  isGood(token: string, options?: CallOptions): Promise<boolean> {
    return this.outside.tokenDetails(token, options).then(
      () => true,
      (error) => {
        if (error instanceof CallFailure && error.reason === 'TOKEN_INVALID') return false;
        throw error;
      },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.outside.close();
    await this.inside.close();
    await this.#process?.stop('SIGKILL');
    await this.proxy?.[Symbol.asyncDispose]();
  }
}

type Parts = Pick<
  Cluster,
  'postgres' | 'valkey' | 'store' | 'url' | 'nodes' | 'operator' | 'service'
>;

export class Cluster implements AsyncDisposable {
  readonly postgres: PostgresServer;
  readonly valkey: ValkeyServer;
  /** The test's own way to the database, past all proxies. */
  readonly store: Store;
  /** Of the database. */
  readonly url: string;
  readonly nodes: readonly ClusterNode[];
  /** The token of one who may revoke, and of a backend that may ask for checks. */
  readonly operator: string;
  readonly service: string;

  #started = new AsyncDisposableStack();

  private constructor(parts: Parts) {
    this.postgres = parts.postgres;
    this.valkey = parts.valkey;
    this.store = parts.store;
    this.url = parts.url;
    this.nodes = parts.nodes;
    this.operator = parts.operator;
    this.service = parts.service;
  }

  /** Resolves when all nodes serve, and share their limits. */
  static async start(count: number, options: ClusterOptions = {}): Promise<Cluster> {
    // Where one does not start, the others must not stay.
    await using started = new AsyncDisposableStack();
    const postgres = started.use(await PostgresServer.start());
    const valkey = started.use(await ValkeyServer.start());
    const url = await postgres.database('cluster');
    const store = await openPostgres(url, { auditKey: SERVE_KEY.auditKey, follows: false });
    started.defer(() => store.close());
    const { token: operator } = await putOperator({ store }, 'operator');
    const { token: service } = await putOperator({ store }, 'service');
    const env = {
      PROPUSK_MASTER_KEY: SERVE_MASTER_KEY,
      PROPUSK_DATABASE: url,
      PROPUSK_COUNTERS: valkey.url,
      PROPUSK_ORDERS: 'paper',
      // Tests ask about revoked tokens time and again, from this one address.
      PROPUSK_ADDRESS_CALLS_MAX: String(CALLS_MAX),
      PROPUSK_LOG_LEVEL: 'warn',
      ...options.env,
    };
    const nodes: ClusterNode[] = [];
    for (let i = 0; i < count; i++) {
      nodes.push(started.use(await ClusterNode.make(postgres, env, options.isProxied ?? false)));
    }
    const starts = await Promise.allSettled(nodes.map((node) => node.start()));
    for (const each of starts) if (each.status === 'rejected') throw each.reason;
    const parts = { postgres, valkey, url, store, nodes, operator, service };
    const cluster = new Cluster(parts);
    await cluster.allShare();
    cluster.#started = started.move();
    return cluster;
  }

  /** Keys that may call as often as they like, or as `limits` say, each of a client with one account. */
  async newKeys(count: number, limits: ApiKey['callsMax'] = ANY): Promise<ClusterKey[]> {
    const name = unique();
    const keys = Array.from({ length: count }, (_, i) => {
      const id = `k${name}-${i}`;
      return { id, secret: `secret of ${id} ${unique()}`, accountId: `A${name}-${i}` };
    });
    const put = async ({ id, secret, accountId }: ClusterKey) => {
      await putAccounts(this.store, [{ id: accountId, clientId: id, readonly: false }], [id]);
      await putKey(this.store, id, id, SERVE_KEY.macOfSecret(secret));
      await writeKey(this.store, id, { callsMax: limits });
    };
    await Promise.all(keys.map(put));
    return keys;
  }

  /** Ends a node in order and starts it again; resolves when it serves again. */
  async restart(index: number): Promise<void> {
    const node = this.nodes[index];
    assert.ok(node);
    assert.equal(await node.stop('SIGTERM'), 0, node.output.stderr);
    await node.start();
  }

  /** Has a node end the session of a token. */
  async endSession({ inside }: ClusterNode, token: string): Promise<void> {
    const { jti: id } = claimsOf(token);
    await inside.call(SessionService.method.revokeSession, { id }, this.#asOperator);
  }

  /** Has a node end a key, and with it the sessions that it has opened. */
  async endKey({ inside }: ClusterNode, { id }: ClusterKey): Promise<void> {
    await inside.call(KeyService.method.revokeKey, { id }, this.#asOperator);
  }

  get #asOperator(): CallOptions {
    return { metadata: { authorization: this.operator } };
  }

  /** Resolves when each node signs in and tells of tokens, whatever happened to it before. */
  async allServe(): Promise<void> {
    const [key] = await this.newKeys(1);
    const serves = async ({ outside }: ClusterNode) => {
      const options = { timeoutMs: ATTEMPT_MS_MAX };
      await outside.tokenDetails(await outside.auth(key?.secret ?? '', '', options), options);
      return true;
    };
    const allDo = () => Promise.all(this.nodes.map(serves)).catch(() => false as const);
    await until('nodes that serve', allDo, SEEN_MS_MAX);
  }

  get #internalUrls(): string[] {
    return this.nodes.map(({ internalUrl }) => internalUrl);
  }

  /** A figure of each node. */
  figures(name: string): Promise<(number | undefined)[]> {
    return figuresOf(this.#internalUrls, name);
  }

  /** Resolves when each node shares its limits with all others. */
  allShare(): Promise<void> {
    return untilAllShare(this.#internalUrls);
  }

  /** Resolves when each limits by its share. */
  allAlone(msMax: number): Promise<void> {
    return untilAllAlone(this.#internalUrls, msMax);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#started.disposeAsync();
  }
}
