/** What tests of the limits share: a server whose clocks they move, and what its answers tell. */
import assert from 'node:assert/strict';
import type { Client, Headers } from './clients/client.ts';
import { Four } from './clients/four.ts';
import { type InProcess, startHere } from './start.ts';

/** A server whose clocks the test moves, and a client of each protocol. */
export class Scene implements AsyncDisposable {
  readonly server: InProcess;
  readonly four: Four;
  readonly #state: { wallMs: number; monotonicMs: number };

  private constructor(server: InProcess, state: { wallMs: number; monotonicMs: number }) {
    this.server = server;
    this.four = new Four(server);
    this.#state = state;
  }

  static async start(args: readonly string[] = []): Promise<Scene> {
    const state = { wallMs: Date.now(), monotonicMs: 1e6 };
    const clock = { now: () => Math.floor(state.wallMs), monotonic: () => state.monotonicMs };
    return new Scene(await startHere(args, { clock }), state);
  }

  get nowMs(): number {
    return Math.floor(this.#state.wallMs);
  }

  /** Time goes on. */
  pass(ms: number): void {
    this.#state.wallMs += ms;
    this.#state.monotonicMs += ms;
  }

  /** Somebody sets the wall clock. */
  step(ms: number): void {
    this.#state.wallMs += ms;
  }

  /** The secret of the demo key with this label. */
  secretOf(label: string): string {
    const key = this.server.server.demoKeys.find((each) => each.label === label);
    assert.ok(key);
    return key.secret;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.four[Symbol.asyncDispose]();
    await this.server.stop();
  }
}

/** How many of so many calls at once are answered; the others must be refused by the limit. */
export async function passing(
  scene: Scene,
  calls: number,
  call: (client: Client) => Promise<unknown>,
) {
  const { all } = scene.four;
  const results = await Promise.all(
    Array.from({ length: calls }, (_, i) =>
      call(all[i % all.length] as Client).then(
        () => 'passed',
        (error) => error.reason,
      ),
    ),
  );
  const counts = Map.groupBy(results, (result) => result);
  assert.deepEqual(
    [...counts.keys()].filter((key) => !['passed', 'RATE_LIMITED'].includes(key)),
    [],
  );
  return counts.get('passed')?.length ?? 0;
}

export interface Figures {
  readonly name: string;
  readonly limit: number;
  readonly remaining: number;
  readonly resetSeconds: number;
}

/** What the headers or the metadata tell. */
export function figuresOf(headers: Headers): Figures {
  const policy = /^"([^"]+)";q=(\d+);w=60$/.exec(headers['ratelimit-policy'] ?? '');
  const left = /^"([^"]+)";r=(\d+);t=(\d+)$/.exec(headers.ratelimit ?? '');
  assert.ok(policy && left, JSON.stringify(headers));
  assert.equal(policy[1], left[1]);
  return {
    name: String(left[1]),
    limit: Number(policy[2]),
    remaining: Number(left[2]),
    resetSeconds: Number(left[3]),
  };
}
