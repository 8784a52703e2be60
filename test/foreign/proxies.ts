/** The proxies of examples/ before the backend there, run as their READMEs say but for the ports. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { Rest1Client } from '../clients/rest.ts';
import { temporaryFolder } from '../start.ts';
import { until } from '../wait.ts';
import { EXAMPLES } from './examples.ts';
import { tool } from './tools.ts';

/** What the backend answers. */
export interface Echo {
  readonly method: string;
  readonly url: string;
  /** The headers about the caller, with their whole names. */
  readonly caller: Readonly<Record<string, string>>;
}

/** Ports as the examples have them. */
const PORTS = { proxy: 8000, propusk: 8080, backend: 3000 };

export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function isTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Runs a program until it is stopped; resolves when its port takes connections. */
export async function start(
  program: string,
  args: readonly string[],
  cwd: string,
  port: number,
  env: Record<string, string> = {},
): Promise<ChildProcess> {
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, HOME: cwd, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  running.add(child);
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr = (stderr + text).slice(-10_000);
  });
  const isUp = async () => {
    if (child.exitCode !== null) throw new Error(`${program} ended: ${stderr}`);
    return isTaken(port);
  };
  await until(`${program} on ${port}`, isUp, 20_000);
  return child;
}

export async function stop(child: ChildProcess): Promise<void> {
  running.delete(child);
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

/** The backend of the examples. */
export class Backend implements AsyncDisposable {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(port: number, child: ChildProcess) {
    this.port = port;
    this.#child = child;
  }

  static async start(): Promise<Backend> {
    const port = await freePort();
    const folder = path.join(EXAMPLES, 'backend');
    const env = { PORT: String(port) };
    return new Backend(port, await start(process.execPath, ['backend.js'], folder, port, env));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await stop(this.#child);
  }
}

/** A proxy that asks a server before it passes requests on to a backend. */
export class AskingProxy implements AsyncDisposable {
  readonly name: string;
  readonly port: number;
  readonly rest: Rest1Client;
  readonly #child: ChildProcess;

  private constructor(name: string, port: number, child: ChildProcess) {
    this.name = name;
    this.port = port;
    this.rest = new Rest1Client(`http://127.0.0.1:${port}`);
    this.#child = child;
  }

  /** @param config the name of its file in its folder of examples */
  static async start(
    name: 'nginx' | 'caddy',
    config: string,
    propusk: number,
    { port: backend }: Backend,
  ): Promise<AskingProxy> {
    const port = await freePort();
    const chosen = { proxy: port, propusk, backend };
    const text = readFileSync(path.join(EXAMPLES, name, config), 'utf8').replace(
      /:(8000|8080|3000)\b/g,
      (_, number: string) => {
        const [which] = Object.entries(PORTS).find(([, each]) => each === Number(number)) ?? [];
        return `:${chosen[which as keyof typeof PORTS]}`;
      },
    );
    const folder = temporaryFolder();
    writeFileSync(path.join(folder, config), text);
    mkdirSync(path.join(folder, 'tmp'));
    // The workers of an nginx that root runs are somebody else.
    chmodSync(folder, 0o755);
    const args = {
      nginx: ['-p', folder, '-c', config],
      caddy: ['run', '--config', config],
    };
    return new AskingProxy(name, port, await start(tool(name), args[name], folder, port));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.rest.close();
    await stop(this.#child);
  }
}
