/** The servers that are measured: Propusk itself, the bare limits and the peers, each a process. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, openSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { type Fixture, MASTER_KEY } from './fixture.ts';
import { type Cores, pinned } from './machine.ts';

const ROOT = path.join(import.meta.dirname, '..');
const PEERS = path.join(import.meta.dirname, 'peers');

/** The files of `bench/peers` that are servers. */
export type PeerName =
  | 'bare-http'
  | 'bare-http2'
  | 'fastify'
  | 'grpc-js'
  | 'connect-node'
  | 'oidc-provider'
  | 'better-auth-map'
  | 'better-auth-sqlite';

/** A server that takes calls. */
export interface Running {
  readonly pid: number;
  readonly port: number;
  /** Of Propusk, the internal listener; of connect-node, HTTP/1.1. 0 where there is none. */
  readonly secondPort: number;
  /** Requests that a peer asks to be sent. */
  readonly bodies: readonly string[];
  /** From its start until it took calls, milliseconds. */
  readonly readyMs: number;
  /** Resident memory, MiB. */
  residentMib(): number;
  stop(): Promise<void>;
}

/** Installs the peers where they are not. */
export function installPeers(): void {
  const installed = path.join(PEERS, 'node_modules', '.package-lock.json');
  const lock = path.join(PEERS, 'package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  process.stderr.write('the peers are installed\n');
  const { status } = spawnSync('npm', ['ci', '--prefix', PEERS, '--no-audit', '--no-fund'], {
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  });
  if (status !== 0) throw new Error('the peers could not be installed');
}

/** Starts a server of `bench/peers`. */
export function startPeer(name: PeerName, fixture: Fixture, cores: Cores | undefined) {
  const env = {
    BENCH_SIGNING_KEY: fixture.signingKey.hex,
    BENCH_KEYS: String(fixture.keys),
    BENCH_FOLDER: fixture.folder,
  };
  const command = [process.execPath, path.join(PEERS, `${name}.js`)];
  return start(command, { env, cores, log: path.join(fixture.folder, `${name}.log`) }, (line) => {
    if (!line.startsWith('{')) return undefined;
    return { secondPort: 0, bodies: [], ...(JSON.parse(line) as Pick<Ready, 'port'>) };
  });
}

/**
 * Starts `propusk serve` with everything as it is by default, its log in a file.
 * @param args more flags
 */
export function startPropusk(
  fixture: Fixture,
  cores: Cores | undefined,
  args: readonly string[] = [],
) {
  const own = ['--listen=127.0.0.1:0', '--internal-listen=127.0.0.1:0'];
  const program = path.join(ROOT, 'bin', 'propusk.js');
  const command = [process.execPath, program, 'serve', ...own, ...args];
  const env = { PROPUSK_MASTER_KEY: MASTER_KEY, PROPUSK_DATABASE: fixture.database };
  const log = path.join(fixture.folder, 'propusk.log');
  return start(command, { env, cores, log }, (_, all) => {
    const ports = [...all.matchAll(/https?:\/\/[\d.]+:(\d+)/g)].map(([, port]) => Number(port));
    const isReady = /\/metrics\n/.test(all);
    const [port, secondPort] = ports;
    if (!isReady || port === undefined || secondPort === undefined) return undefined;
    return { port, secondPort, bodies: [] };
  });
}

interface StartOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly cores: Cores | undefined;
  /** Where its standard error goes. */
  readonly log: string;
}

type Ready = Pick<Running, 'port' | 'secondPort' | 'bodies'>;

/** @param read what a line, and all of standard output so far, say of the server; else undefined */
async function start(
  command: readonly string[],
  { env, cores, log }: StartOptions,
  read: (line: string, all: string) => Ready | undefined,
): Promise<Running> {
  const startedMs = performance.now();
  const [file = '', ...args] = pinned(cores?.server, command);
  const child = spawn(file, args, {
    env: { PATH: process.env.PATH, NODE_ENV: 'production', ...env },
    stdio: ['ignore', 'pipe', openSync(log, 'a')],
  });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const ready = await whenReady(child, read).catch((error) => {
    throw new Error(`${error.message}\n${readFileSync(log, 'utf8')}`);
  });
  const pid = child.pid ?? 0;
  return {
    ...ready,
    pid,
    readyMs: performance.now() - startedMs,
    residentMib: () => {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
    },
    async stop() {
      process.off('exit', kill);
      if (child.exitCode !== null || child.signalCode !== null) return;
      kill();
      await once(child, 'exit');
    },
  };
}

function whenReady(
  child: ChildProcess,
  read: (line: string, all: string) => Ready | undefined,
): Promise<Ready> {
  return new Promise((resolve, reject) => {
    let all = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      all += text;
      const lines = all.split('\n').slice(0, -1);
      const ready = lines.map((line) => read(line, all)).find((found) => found !== undefined);
      if (ready !== undefined) resolve(ready);
    });
    child.once('error', reject);
    child.once('exit', (code) =>
      reject(new Error(`a server ended with ${code}: ${child.spawnargs.join(' ')}`)),
    );
  });
}
