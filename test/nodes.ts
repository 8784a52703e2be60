/**
 * Nodes that share one database, in this process: each with its own clock, and told of changes when the
 * test lets it.
 */

import { makeContract } from '../src/contract.ts';
import { AppError } from '../src/domain/errors.ts';
import { listen } from '../src/listen.ts';
import { surroundings } from '../src/main.ts';
import { readMarkets } from '../src/ops/markets.ts';
import { Metrics } from '../src/pipeline/metrics.ts';
import { Changes } from '../src/store/changes.ts';
import { openSqlite } from '../src/store/sqlite/sqlite.ts';
import type { Change, Store } from '../src/store/store.ts';
import { fourOf, SERVE_KEY } from './administration.ts';
import type { Four } from './clients/four.ts';
import { serveConfig } from './start.ts';
import { StepClock } from './steps.ts';

const DATABASE = 'sqlite::memory:';

/** How a node is cut off from what happens elsewhere. */
interface Link {
  /** Whether changes are kept back, and the store is not current. */
  isCut: boolean;
  /** Whether the database answers this node. */
  isAway: boolean;
}

export class Node {
  readonly clock = new StepClock();
  readonly link: Link = { isCut: false, isAway: false };
  readonly store: Store;
  /** On the public port. */
  outside!: Four;
  /** On the internal port. */
  inside!: Four;
  readonly #changes = new Changes();
  #keptBack: Change[] = [];
  #stop: () => Promise<void> = async () => {};

  private constructor(behind: Store, isShared: boolean) {
    behind.subscribe((change) => {
      // What becomes of orders was recorded by this node itself, or might have been.
      if (this.link.isCut && change.kind !== 'orders') this.#keptBack.push(change);
      else this.#changes.announce([change]);
    });
    const own: Partial<Store> = {
      isCurrent: () => !this.link.isCut && behind.isCurrent(),
      subscribe: (listener) => this.#changes.subscribe(listener),
      close: isShared ? async () => {} : () => behind.close(),
    };
    const get = (target: Store, name: keyof Store) => {
      if (own[name] !== undefined) return own[name];
      if (this.link.isAway) return () => Promise.reject(away());
      return (target[name] as (...args: unknown[]) => unknown).bind(target);
    };
    this.store = new Proxy(behind, { get: get as never });
  }

  /** @param offsetMs by how much its clock is ahead of the machine's */
  static async start(
    behind: Store,
    isShared: boolean,
    offsetMs: number,
    args: readonly string[],
  ): Promise<Node> {
    const node = new Node(behind, isShared);
    node.clock.offsetMs = offsetMs;
    await node.#listen(args);
    return node;
  }

  async #listen(args: readonly string[]): Promise<void> {
    const config = serveConfig({ PROPUSK_DATABASE: DATABASE }, ...args);
    const parts = {
      ...surroundings(config),
      ...{ clock: this.clock, store: this.store, version: '0.0.0' },
    };
    const markets = readMarkets(config.mics);
    const ofContract = { ...parts, masterKey: SERVE_KEY, markets, rules: [] };
    const contract = await makeContract(config, ofContract);
    const metrics = new Metrics();
    const ports = await listen(config, { ...parts, contract, metrics, tls: undefined });
    this.outside = fourOf(ports.port);
    this.inside = fourOf(ports.internalPort);
    this.#stop = () => ports.stop();
  }

  /** Tells what was kept back, or that it was lost, and is current again. */
  catchUp(isLost = false): void {
    this.#changes.announce(isLost ? [{ kind: 'everything' }] : this.#keptBack);
    this.#keptBack = [];
    this.link.isCut = false;
  }

  /** Stops it, and closes what it remembers in. */
  async stop(): Promise<void> {
    await this.outside[Symbol.asyncDispose]();
    await this.inside[Symbol.asyncDispose]();
    await this.#stop();
  }
}

function away(): AppError {
  return new AppError('UNAVAILABLE', 'the database does not answer this node');
}

/** Nodes on one new database, started at the same moment. */
export class Nodes implements AsyncDisposable {
  readonly store: Store;
  readonly all: readonly Node[];

  private constructor(store: Store, all: readonly Node[]) {
    this.store = store;
    this.all = all;
  }

  /**
   * On a database in memory.
   * @param offsetsMs by how much each one's clock is ahead of the machine's
   */
  static async start(offsetsMs: readonly number[], ...args: readonly string[]): Promise<Nodes> {
    const store = await openSqlite(DATABASE);
    const nodes = offsetsMs.map((offsetMs) => Node.start(store, true, offsetMs, args));
    return new Nodes(store, await Promise.all(nodes));
  }

  /** Each with a store of its own, on a database that they share. */
  static async startOn(
    open: () => Promise<Store>,
    offsetsMs: readonly number[],
    ...args: readonly string[]
  ): Promise<Nodes> {
    const stores = await Promise.all(offsetsMs.map(open));
    const nodes = offsetsMs.map(async (offsetMs, i) => {
      const own = stores[i];
      if (own === undefined) throw new Error('a store for each');
      return Node.start(own, false, offsetMs, args);
    });
    return new Nodes(await open(), await Promise.all(nodes));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.all) await node.stop();
    await this.store.close();
  }
}
