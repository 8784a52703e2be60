/** The process that makes load, from the outside. */
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { type Cores, pinned } from '../machine.ts';
import type { ClosedLoop, OpenLoop, Order, Outcome, Report } from './protocol.ts';

const PROGRAM = path.join(import.meta.dirname, 'process.ts');
/**
 * It collects its garbage before each window, and has room for most of what it makes in one (MiB): while it collects
 * it sends nothing, and what then comes at once would be taken for the server's slowness.
 */
const CALM = ['--expose-gc', '--min-semi-space-size=128', '--max-semi-space-size=128'];

/** A load whose place on the machine is known already. */
export type ClosedOrder = Omit<ClosedLoop, 'cores' | 'load'>;
export type OpenOrder = Omit<OpenLoop, 'cores' | 'load'>;

export class LoadProcess {
  readonly #cores: Cores | undefined;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<readonly Outcome[]>>();
  #orders = 0;

  constructor(cores: Cores | undefined) {
    this.#cores = cores;
    const [file = '', ...args] = pinned(cores?.load, [process.execPath, ...CALM, PROGRAM]);
    this.#child = spawn(file, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#child.on('message', ({ id, outcomes, failure }: Report) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (outcomes !== undefined) waiting?.resolve(outcomes);
      else waiting?.reject(new Error(failure));
    });
    this.#child.once('exit', (code) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`the load ended: ${code}`));
    });
  }

  /** Rejects when a single call fails. */
  async closed(order: ClosedOrder): Promise<Outcome> {
    return only(await this.#run([{ ...order, load: 'closed', cores: this.#cores }]));
  }

  /** All at the same time. */
  open(orders: readonly OpenOrder[]): Promise<readonly Outcome[]> {
    return this.#run(orders.map((order) => ({ ...order, load: 'open', cores: this.#cores })));
  }

  stop(): void {
    this.#child.disconnect();
  }

  #run(loads: Order['loads']): Promise<readonly Outcome[]> {
    const id = ++this.#orders;
    const waiting = Promise.withResolvers<readonly Outcome[]>();
    this.#waiting.set(id, waiting);
    this.#child.send({ id, loads } satisfies Order);
    return waiting.promise;
  }
}

function only(outcomes: readonly Outcome[]): Outcome {
  const [outcome] = outcomes;
  if (outcome === undefined) throw new Error('the load told nothing');
  return outcome;
}
