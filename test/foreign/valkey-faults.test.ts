/** Valkey away, in every way that was thought of: what a node does meanwhile, and that it comes back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SharedCounters } from '../../src/counters/shared.ts';
import { type Change, Valkey } from '../../src/counters/valkey.ts';
import { systemClock, systemRandom } from '../../src/domain/clock.ts';
import { figuresAt } from '../figures.ts';
import { startServeApart } from '../start.ts';
import { until } from '../wait.ts';
import { madePair } from './tools.ts';
import { freePort, ValkeyServer } from './valkey.ts';

/** What a node of this machine, which does more than this, may take to notice. */
const NOTICED_MS_MAX = 30_000;
/** Far above what a call may wait, which is 20 ms, and far below what it would for one that hangs. */
const WAIT_MS_MAX = 2000;
const HANG_MS = 10_000;

/** One node, and what it was told of Valkey. */
class Node implements AsyncDisposable {
  readonly changes: Change[] = [];
  readonly valkey: Valkey;
  readonly counters: SharedCounters;

  private constructor(valkey: Valkey, changes: Change[]) {
    this.valkey = valkey;
    this.changes = changes;
    const own = { together: valkey, clock: systemClock, callersMax: 1000 };
    this.counters = new SharedCounters({ ...own, prefix: 'test:' });
  }

  static async open(url: string): Promise<Node> {
    const changes: Change[] = [];
    const onChange = (change: Change) => changes.push(change);
    const common = { answerMsMax: 20, clock: systemClock, random: systemRandom };
    return new Node(await Valkey.open({ url, onChange, ...common }), changes);
  }

  /** Calls until it is up, or away. */
  async until(isUp: boolean): Promise<void> {
    const look = async () => {
      await this.counters.look('nobody', 1);
      return this.valkey.isUp === isUp;
    };
    await until(isUp ? 'up' : 'away', look, NOTICED_MS_MAX);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.valkey.close();
  }
}

/** Whether a call passes, and how long it took to tell, in milliseconds. */
async function taken(node: Node, limit: number): Promise<{ isAllowed: boolean; ms: number }> {
  const beganMs = performance.now();
  const result = await node.counters.take('caller', limit);
  assert.ok(result !== 'full');
  return { isAllowed: result.isAllowed, ms: performance.now() - beganMs };
}

interface Fault {
  readonly what: string;
  readonly why: RegExp;
  readonly begin: (server: ValkeyServer) => unknown;
  readonly end: (server: ValkeyServer) => unknown;
}

const FAULTS: readonly Fault[] = [
  {
    what: 'is killed and starts empty',
    why: /closed|ECONNRESET|EPIPE/i,
    begin: (server) => server.kill(),
    end: (server) => server.startAgain(),
  },
  {
    what: 'hangs',
    why: /no answer within 1000 ms/,
    begin: (server) => server.signal('SIGSTOP'),
    end: (server) => server.signal('SIGCONT'),
  },
  {
    what: 'is a replica that only reads',
    why: /READONLY/,
    begin: (server) => server.command('REPLICAOF', '127.0.0.1', '1'),
    end: (server) => server.command('REPLICAOF', 'NO', 'ONE'),
  },
  {
    what: 'has no memory left',
    why: /OOM/,
    begin: (server) => server.command('CONFIG', 'SET', 'maxmemory', '1'),
    end: (server) => server.command('CONFIG', 'SET', 'maxmemory', '0'),
  },
];

for (const { what, why, begin, end } of FAULTS) {
  test(`Valkey ${what}: the share, at once, told once; then together again`, async () => {
    await using server = await ValkeyServer.start();
    await using node = await Node.open(server.url);
    await using other = await Node.open(server.url);
    await node.until(true);
    await other.until(true);
    // Until it beats again, the first one knows of itself alone.
    await until('two nodes', () => node.valkey.nodes === 2, NOTICED_MS_MAX);
    node.changes.length = 0;
    for (let i = 0; i < 3; i++) assert.ok((await taken(node, 10)).isAllowed);
    await begin(server);
    const away = [];
    for (let i = 0; i < 20; i++) away.push(await taken(node, 10));
    assert.equal(away.filter(({ isAllowed }) => isAllowed).length, 2, 'half of 10, less 3');
    assert.ok(Math.max(...away.map(({ ms }) => ms)) < WAIT_MS_MAX);
    assert.ok(node.counters.decidedAlone >= 20);
    // One that hangs may be late at first.
    await until('a change', () => node.changes.length > 0, NOTICED_MS_MAX);
    assert.deepEqual([node.changes[0]?.isUp, node.changes[0]?.nodes], [false, 2]);
    assert.match(node.changes[0]?.why ?? '', why);
    await end(server);
    await node.until(true);
    const count = async () => Number(await server.command('LLEN', 'test:caller'));
    // Nothing is lost: neither what was counted together before nor what was alone. Where an answer
    // was late, the call may have been counted before as well.
    await until('what was let through', async () => (await count()) >= 5, NOTICED_MS_MAX);
    assert.ok((await count()) <= 6, `${await count()}`);
    // Told each time, not for each call; a machine that stands still for a second makes it more.
    assert.ok(node.changes.at(-1)?.isUp && node.changes.length <= 6, `${node.changes.length}`);
  });
}

test('a Valkey that is emptied while it is used is told again', async () => {
  await using server = await ValkeyServer.start();
  await using node = await Node.open(server.url);
  await node.until(true);
  for (let i = 0; i < 5; i++) await taken(node, 10);
  await server.command('FLUSHALL');
  const count = async () => (await server.command('LLEN', 'test:caller')) === 5;
  await until('what was counted before', count, NOTICED_MS_MAX);
});

test('one that is not there, or hangs, at the start: nobody waits for it, and it is found later', async () => {
  for (const hangs of [false, true]) {
    await using server = hangs ? await ValkeyServer.start() : await ValkeyServer.later();
    server.signal('SIGSTOP');
    const beganMs = performance.now();
    await using node = await Node.open(server.url);
    assert.ok(performance.now() - beganMs < HANG_MS);
    assert.equal(node.changes[0]?.isUp, false);
    for (let i = 0; i < 20; i++) assert.ok((await taken(node, 20)).ms < WAIT_MS_MAX);
    assert.equal((await taken(node, 20)).isAllowed, false, 'never without a limit');
    if (hangs) server.signal('SIGCONT');
    else await server.startAgain();
    await node.until(true);
  }
});

test('over TLS, with a password that no line of the log tells', async () => {
  const password = 'hunter2hunter2';
  const { certFile, flags } = await madePair('-newkey', 'rsa:2048');
  const port = await freePort();
  const tls = ['--tls-port', String(port), '--tls-auth-clients', 'no'];
  const pair = ['--tls-cert-file', certFile, '--tls-key-file', String(flags[3])];
  await using server = await ValkeyServer.start(...tls, ...pair, '--requirepass', password);
  assert.ok(server);
  const shared = async (word: string, roots: Record<string, string>) => {
    const url = `rediss://:${word}@localhost:${port}/3`;
    const node = await startServeApart({ PROPUSK_COUNTERS: url, ...roots });
    const figure = async () => (await figuresAt(node.internalUrl)).get('propusk_counters_shared');
    return { node, figure };
  };
  const good = await shared(password, { NODE_EXTRA_CA_CERTS: certFile });
  await until('shared', async () => (await good.figure()) === 1, NOTICED_MS_MAX);
  const bad = await shared('hunter2wrong', { NODE_EXTRA_CA_CERTS: certFile });
  const distrusting = await shared(password, {});
  for (const [{ node, figure }, why] of [
    [bad, /WRONGPASS/],
    [distrusting, /self-signed certificate/],
  ] as const) {
    assert.equal(await figure(), 0);
    await until(
      'a line',
      () => node.output.stderr.includes('limits are not shared'),
      NOTICED_MS_MAX,
    );
    assert.match(node.output.stderr, why);
  }
  for (const { node } of [good, bad, distrusting]) {
    await node.stop();
    assert.doesNotMatch(node.output.stderr + node.output.stdout, /hunter2/);
  }
});
