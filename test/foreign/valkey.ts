/** Valkey, or Redis where the system has no Valkey: started for a test, and stopped with it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { createClient } from '@redis/client';
import { atExit, temporaryFolder } from '../start.ts';
import { until } from '../wait.ts';
import { tool } from './tools.ts';

/** How long a server may take to begin, in milliseconds; the machine may be busy. */
const START_MS_MAX = 20_000;

function program(): string {
  const isThere =
    spawnSync('valkey-server', ['--version'], { stdio: 'ignore' }).error === undefined;
  return tool(isThere ? 'valkey-server' : 'redis-server');
}

/** Below those that the system gives to connections and to whoever asks for any. */
const PORTS = { first: 20_000, count: 12_000 };
/** Goes on from one to the next, so that this process is never given the same twice. */
let portsGiven = Math.floor(Math.random() * PORTS.count);

/**
 * A port that nobody has at the moment. Who lets go of it, to be started on it again, finds it free: the
 * system gives it to no connection meanwhile, not even to one that calls there.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORTS.first + (portsGiven++ % PORTS.count);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

export class ValkeyServer implements AsyncDisposable {
  readonly url: string;
  readonly #port: number;
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;

  private constructor(port: number, args: readonly string[]) {
    this.#port = port;
    this.#args = args;
    this.url = `redis://127.0.0.1:${port}`;
  }

  /** @param args more settings of its own, such as `--maxmemory 2mb` */
  static async start(...args: readonly string[]): Promise<ValkeyServer> {
    const server = new ValkeyServer(await freePort(), args);
    await server.startAgain();
    return server;
  }

  /** One that will be on a port of its own when it is started again. */
  static async later(): Promise<ValkeyServer> {
    return new ValkeyServer(await freePort(), []);
  }

  /** Empty, on the same port. */
  async startAgain(): Promise<void> {
    const own = ['--port', String(this.#port), '--bind', '127.0.0.1', '--dir', temporaryFolder()];
    const fixed = [...own, '--save', '', '--appendonly', 'no', '--daemonize', 'no'];
    const child = spawn(program(), [...fixed, ...this.#args], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    this.#child = child;
    atExit.push(() => child.kill('SIGKILL'));
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      said += text;
    });
    await until(
      'Valkey',
      () => {
        if (child.exitCode !== null) throw new Error(`Valkey did not start: ${said}`);
        return said.includes('eady to accept connections');
      },
      START_MS_MAX,
    );
  }

  /** SIGSTOP has it hang, SIGCONT go on. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  /** Runs one command, such as `['DBSIZE']`, over a connection of its own. */
  async command(...args: readonly string[]): Promise<unknown> {
    const client = createClient({ url: this.url, RESP: 2 });
    client.on('error', () => {});
    await client.connect();
    try {
      return await client.sendCommand(args);
    } finally {
      client.destroy();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}
