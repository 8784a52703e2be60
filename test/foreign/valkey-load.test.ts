/** Two `serve` under load while Valkey is killed, and while it hangs: nobody fails for it, nobody waits. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { WINDOW_MS } from '../../src/domain/quota.ts';
import { until } from '../wait.ts';
import { type Answer, FREE, LIMITED, ServeNodes } from './serve-nodes.ts';
import { ValkeyServer } from './valkey.ts';

/** Who calls at each node, and how long each rests: a load, and no overload. */
const IN_FLIGHT = 8;
const PAUSE_MS = 50;
/** How long Valkey is away at least; a call that waited for it would take as long. */
const AWAY_MS = 5000;
/** A machine that does more than this may keep a call for a while, but no bound for so long. */
const CALL_MS_MAX = 3000;
const TOLD_MS_MAX = 30_000;

/** Signs in at all nodes, time and again, by a key without limits. */
class Load {
  readonly answers: Answer[] = [];
  readonly #workers: Promise<void>[];
  #isOver = false;

  constructor(nodes: ServeNodes) {
    const workers = nodes.all.flatMap((_, node) => Array(IN_FLIGHT).fill(node) as number[]);
    this.#workers = workers.map(async (node) => {
      while (!this.#isOver) {
        this.answers.push(await nodes.signIn(node, FREE));
        await sleep(PAUSE_MS);
      }
    });
    // Their failures are told where they are waited for.
    for (const each of this.#workers) each.catch(() => {});
  }

  /** Ends it; rejects when a call was not answered. */
  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#workers);
  }
}

const AWAYS = [
  {
    what: 'killed with -9, and started empty',
    begin: (server: ValkeyServer) => server.kill(),
    end: (server: ValkeyServer) => server.startAgain(),
  },
  {
    what: 'stopped, and continued',
    begin: async (server: ValkeyServer) => server.signal('SIGSTOP'),
    end: async (server: ValkeyServer) => server.signal('SIGCONT'),
  },
];

for (const { what, begin, end } of AWAYS) {
  test(`Valkey ${what} under load`, async (t) => {
    await using server = await ValkeyServer.start();
    await using nodes = await ServeNodes.start(2, { PROPUSK_COUNTERS: server.url });
    await nodes.allShare();
    const load = new Load(nodes);
    await sleep(1000);
    const steady = load.answers.length;
    await begin(server);
    const beganMs = performance.now();
    await nodes.allAlone();
    // Alone, each lets through half of 200.
    for (const node of [0, 1]) {
      const counts = await nodes.statuses(150, [node], (each) => nodes.signIn(each, LIMITED));
      assert.deepEqual(counts, { 200: 100, 429: 50 });
    }
    await sleep(AWAY_MS - (performance.now() - beganMs));
    const away = load.answers.length;
    await end(server);
    await nodes.allShare();
    const count = async () => Number(await server.command('LLEN', 'propusk:key:Auth limited'));
    await until('what was let through alone', async () => (await count()) >= 200, TOLD_MS_MAX);
    for (const node of [0, 1]) {
      const counts = await nodes.statuses(50, [node], (each) => nodes.signIn(each, LIMITED));
      if (performance.now() - beganMs < WINDOW_MS) assert.deepEqual(counts, { 429: 50 });
    }
    await load.end();
    const statuses = new Set(load.answers.map(({ status }) => status));
    assert.deepEqual([...statuses], [200], 'nobody fails');
    const waits = load.answers.map(({ ms }) => ms).sort((a, b) => a - b);
    const at = (share: number) => (waits[Math.floor((waits.length - 1) * share)] ?? 0).toFixed(0);
    const told = `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms`;
    t.diagnostic(
      `${load.answers.length} calls, ${away - steady} of them while it was away: ${told}`,
    );
    assert.ok(Number(at(1)) < CALL_MS_MAX, told);
    // Told each time, not for each call; a machine that stands still for a second makes it more.
    for (const { output } of nodes.all) {
      const lines = output.stderr.split('limits are not shared').length - 1;
      assert.ok(lines >= 1 && lines <= 4, `${lines} lines`);
    }
    // A drain does not wait for Valkey, which hangs again.
    server.signal('SIGSTOP');
    const codes = await Promise.all(nodes.all.map((node) => node.stop()));
    assert.deepEqual(codes, [0, 0]);
  });
}
