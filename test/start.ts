/** Starts servers for tests: in this process, or as people do, in one of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pino from 'pino';
import { type Config, readCommandLine } from '../src/config.ts';
import { type Server, type Surroundings, start, surroundings } from '../src/main.ts';
import { collect, ended, type Ran, ran } from './child.ts';
import { enginesOf } from './engines.ts';

const PROGRAM = path.join(import.meta.dirname, '..', 'bin', 'propusk.js');

/** Tests keep the event loop, or all of the machine, busy: a lag says nothing about the server. */
const ANY_LAG = ['--lag-ms-max', '1000000'];

/** Ends what must not outlive this process. */
export const atExit: (() => void)[] = [];
process.on('exit', () => {
  for (const end of atExit.toReversed()) end();
});

export interface Started {
  readonly port: number;
  /** `127.0.0.1:PORT`. */
  readonly authority: string;
  /** `http://127.0.0.1:PORT`, or https. */
  readonly url: string;
  /** The demo key's secret. */
  readonly secret: string;
}

/** A server in this process, with its log kept. */
export interface InProcess extends Started, AsyncDisposable {
  readonly server: Server;
  /** The data folder. */
  readonly folder: string;
  /** Every line of the log, as it was written. */
  readonly log: string[];
  /** Stops it and starts it again on the same data and port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** A new folder that is gone when the process ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'propusk-test-'));
  atExit.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function configOf(args: readonly string[], env: Record<string, string> = {}): Config {
  const request = readCommandLine(args, env, '0.0.0');
  if (request.kind !== 'run') throw new Error(`not a command that runs: ${args.join(' ')}`);
  return request.config;
}

/**
 * Starts `propusk dev` in this process, on a free port and a new folder.
 * @param args more flags, as on the command line
 */
export async function startHere(
  args: readonly string[] = [],
  change: Partial<Surroundings> = {},
): Promise<InProcess> {
  const folder = temporaryFolder();
  const log: string[] = [];
  const fixed = ['--data', folder, '--log-level', 'debug', '--drain-notice-ms', '20', ...ANY_LAG];
  const engines = await enginesOf(folder);
  const begin = async (port: number) => {
    const config = configOf(['dev', '--listen', `127.0.0.1:${port}`, ...fixed, ...args], engines);
    const kept = pino({ level: config.logLevel, base: null }, { write: (line) => log.push(line) });
    return start(config, { ...surroundings(config), log: kept, ...change });
  };
  let server = await begin(0);
  const { port } = server;
  const authority = `127.0.0.1:${port}`;
  const stop = () => server.stop();
  return {
    get server() {
      return server;
    },
    port,
    authority,
    url: `${server.tls === undefined ? 'http' : 'https'}://${authority}`,
    secret: server.demoKeys[0]?.secret ?? '',
    folder,
    log,
    async restart() {
      await server.stop();
      server = await begin(port);
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** The master key of servers that `startServe` makes. */
export const SERVE_MASTER_KEY = 'ab'.repeat(32);

/** The variables of a new database for `serve`. */
async function serveEngines(): Promise<Record<string, string>> {
  const folder = temporaryFolder();
  const own = { PROPUSK_DATABASE: `sqlite:${path.join(folder, 'propusk.db')}` };
  return { ...own, ...(await enginesOf(folder)) };
}

/** Starts `propusk serve` in this process, on free ports and a new database without a key in it. */
export function startServe(...args: readonly string[]): Promise<Server> {
  return startServeWith({}, ...args);
}

/** The same in other surroundings. */
export async function startServeWith(
  change: Partial<Surroundings>,
  ...args: readonly string[]
): Promise<Server> {
  const config = serveConfig(await serveEngines(), ...args);
  return start(config, { ...surroundings(config), ...change });
}

/**
 * The settings of `propusk serve` on free ports.
 * @param env more variables, such as PROPUSK_DATABASE
 */
export function serveConfig(env: Record<string, string>, ...args: readonly string[]): Config {
  const listen = ['--listen=127.0.0.1:0', '--internal-listen=127.0.0.1:0', '--log-level=silent'];
  const fixed = [...listen, '--drain-notice-ms=20', ...ANY_LAG];
  return configOf(['serve', ...fixed, ...args], { PROPUSK_MASTER_KEY: SERVE_MASTER_KEY, ...env });
}

/** A server in a process of its own. */
export interface InChild extends Started, AsyncDisposable {
  readonly child: ChildProcess;
  readonly folder: string;
  /** What it printed, so far. */
  readonly output: { stdout: string; stderr: string };
  /** Sends a signal and resolves with the exit code (null when the signal ended it). */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** A command under way. */
export interface Running {
  readonly child: ChildProcess;
  readonly result: Promise<Ran>;
}

/** Starts `propusk` with a command that ends by itself. */
export function beginProgram(
  args: readonly string[],
  options: { env?: Record<string, string>; node?: string } = {},
): Running {
  const child = spawn(options.node ?? process.execPath, [PROGRAM, ...args], {
    env: { PATH: process.env.PATH, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  atExit.push(() => child.kill('SIGKILL'));
  return { child, result: ran(child) };
}

/** Runs `propusk` to its end. */
export function runProgram(
  args: readonly string[],
  options: { env?: Record<string, string>; node?: string } = {},
): Promise<Ran> {
  return beginProgram(args, options).result;
}

/** Starts the program in a process of its own; resolves when it has printed `isReady`. */
async function startApart(
  args: readonly string[],
  env: Record<string, string>,
  isReady: RegExp,
): Promise<Pick<InChild, 'child' | 'output' | 'stop'>> {
  const child = spawn(process.execPath, [PROGRAM, ...args, ...ANY_LAG], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  atExit.push(() => child.kill('SIGKILL'));
  const output = collect(child);
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', () => isReady.test(output.stdout) && resolve());
    child.once('close', () => reject(new Error(`propusk did not start: ${output.stderr}`)));
  });
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    child.kill(signal);
    return ended(child);
  };
  return { child, output, stop };
}

/** A server for production in a process of its own. */
export interface ServeInChild extends AsyncDisposable {
  readonly child: ChildProcess;
  /** Of the public API. */
  readonly url: string;
  /** Of the administration. */
  readonly internalUrl: string;
  /** For commands on the same database. */
  readonly env: Record<string, string>;
  /** What it printed, so far. */
  readonly output: InChild['output'];
  readonly stop: InChild['stop'];
}

/**
 * Starts `propusk serve` as people do, on free ports and a new database.
 * @param change more variables, or others
 * @param args more flags, or others
 */
export async function startServeApart(
  change: Record<string, string> = {},
  args: readonly string[] = [],
): Promise<ServeInChild> {
  const own = { PROPUSK_MASTER_KEY: SERVE_MASTER_KEY, ...(await serveEngines()) };
  const env = { ...own, ...change };
  const ports = ['--listen=127.0.0.1:0', '--internal-listen=127.0.0.1:0', '--drain-notice-ms=20'];
  const started = await startApart(['serve', ...ports, ...args], env, /\/metrics\n/);
  const [url = '', internalUrl = ''] = started.output.stdout.match(/http:\/\/[\d.]+:\d+/g) ?? [];
  return {
    ...started,
    url,
    internalUrl,
    env,
    async [Symbol.asyncDispose]() {
      await started.stop('SIGKILL');
    },
  };
}

/** Starts `propusk dev` as people do, on a free port (or `--listen` of args) and a new folder. */
export async function startDev(
  options: { args?: readonly string[]; env?: Record<string, string>; folder?: string } = {},
): Promise<InChild> {
  const folder = options.folder ?? temporaryFolder();
  const args = ['dev', '--listen', '127.0.0.1:0', '--data', folder, ...(options.args ?? [])];
  const env = { ...(await enginesOf(folder)), ...options.env };
  const { child, output, stop } = await startApart(args, env, /Ctrl\+C/);
  const url = /(https?:\/\/\S+)\n/.exec(output.stdout)?.[1] ?? '';
  const port = Number(new URL(url).port);
  return {
    child,
    folder,
    output,
    port,
    authority: `127.0.0.1:${port}`,
    url,
    secret: /demo secret +(\S+)/.exec(output.stdout)?.[1] ?? '',
    stop,
    async [Symbol.asyncDispose]() {
      await stop('SIGKILL');
    },
  };
}

/** A word that no other test has. */
export function unique(): string {
  return randomBytes(6).toString('hex');
}
