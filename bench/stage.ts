/** What a run needs: the cores, the load, and servers and databases that are started once. */
import { type Fixture, openFixture } from './fixture.ts';
import { LoadProcess } from './load/client.ts';
import { type Cores, findCores } from './machine.ts';
import { installPeers, type PeerName, type Running, startPeer, startPropusk } from './servers.ts';

/** Other programs keep the server waiting; where that is to be borne, it is no overload. */
const ANY_LAG = '--lag-ms-max=1000000';

export interface StageOptions {
  /** For development: windows that were disturbed count as well, and the server does not shed. */
  readonly isNoisy: boolean;
  /** Of the database that most parts run on. */
  readonly keys: number;
  /** How many sessions it has had. */
  readonly pastSessions: number;
  /** Multiplies the number of rounds, for a first look. */
  readonly share: number;
}

export class Stage implements AsyncDisposable {
  readonly options: StageOptions;
  readonly cores: Cores | undefined = findCores();
  readonly load: LoadProcess;
  readonly #fixtures = new Map<string, Promise<Fixture>>();
  readonly #servers = new Map<string, Promise<Running>>();

  constructor(options: StageOptions) {
    installPeers();
    this.options = options;
    this.load = new LoadProcess(this.cores);
  }

  get isNoisy(): boolean {
    return this.options.isNoisy;
  }

  /** So many rounds, or fewer for a first look. */
  rounds(count: number): number {
    return Math.max(3, Math.round(count * this.options.share));
  }

  /** The database of the run, or one of another size. */
  fixture(keys = this.options.keys, pastSessions = this.options.pastSessions): Promise<Fixture> {
    return once(this.#fixtures, `${keys} ${pastSessions}`, () => openFixture(keys, pastSessions));
  }

  /** Another copy of the run's database, for a second server on it. */
  secondFixture(): Promise<Fixture> {
    const { keys, pastSessions } = this.options;
    return once(this.#fixtures, 'second', () => openFixture(keys, pastSessions));
  }

  peer(name: PeerName): Promise<Running> {
    return once(this.#servers, name, async () => startPeer(name, await this.fixture(), this.cores));
  }

  /** `propusk serve` on a database, that of the run when none is given. */
  async propusk(fixture?: Fixture): Promise<Running> {
    const on = fixture ?? (await this.fixture());
    return once(this.#servers, on.database, () => this.freshPropusk(on));
  }

  /**
   * One that nobody else uses; whoever starts it stops it.
   * @param args more flags
   */
  freshPropusk(fixture: Fixture, args: readonly string[] = []): Promise<Running> {
    return startPropusk(fixture, this.cores, this.isNoisy ? [ANY_LAG, ...args] : args);
  }

  /** Stops the servers of the parts so far. */
  async clear(): Promise<void> {
    const servers = [...this.#servers.values()];
    this.#servers.clear();
    // What did not start is no reason to leave others running.
    for (const server of await Promise.allSettled(servers)) {
      if (server.status === 'fulfilled') await server.value.stop();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.load.stop();
    await this.clear();
    for (const fixture of await Promise.allSettled(this.#fixtures.values())) {
      if (fixture.status === 'fulfilled') fixture.value.remove();
    }
  }
}

function once<T>(held: Map<string, Promise<T>>, name: string, make: () => Promise<T>): Promise<T> {
  const found = held.get(name) ?? make();
  held.set(name, found);
  return found;
}
