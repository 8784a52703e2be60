/** A PostgreSQL server: started for a test on a port and in a folder of its own, stopped with it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { atExit, temporaryFolder } from '../start.ts';
import { until } from '../wait.ts';
import { freePort } from './valkey.ts';

/** How long a server may take to begin, in milliseconds; the machine may be busy. */
const START_MS_MAX = 30_000;
/** Where Debian puts each version's programs. */
const DEBIAN = '/usr/lib/postgresql';

function program(name: string): string {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN) : [];
  const newest = versions.toSorted((a, b) => Number(b) - Number(a))[0];
  if (newest === undefined) {
    throw new Error('PostgreSQL is missing; run: bash scripts/install-foreign.sh');
  }
  return path.join(DEBIAN, newest, 'bin', name);
}

/** PostgreSQL refuses to run as root: as the user that its package makes, then. */
function account(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

export class PostgresServer implements AsyncDisposable {
  readonly port: number;
  /** Of a user who may do everything, to the database `postgres`. */
  readonly url: string;
  readonly #folder: string;
  #child: ChildProcess | undefined;
  /** Its processes, while they hang. */
  #hung: number[] = [];

  private constructor(port: number, folder: string) {
    this.port = port;
    this.url = `postgres://propusk@127.0.0.1:${port}/postgres`;
    this.#folder = folder;
  }

  static async start(): Promise<PostgresServer> {
    const who = account();
    const folder = temporaryFolder();
    if (who.uid !== undefined && who.gid !== undefined) chownSync(folder, who.uid, who.gid);
    const form = ['--encoding=UTF8', '--locale=C', '--auth=trust', '--no-sync'];
    execFileSync(program('initdb'), ['-D', path.join(folder, 'data'), '-U', 'propusk', ...form], {
      ...who,
      cwd: folder,
      stdio: 'ignore',
    });
    const server = new PostgresServer(await freePort(), folder);
    await server.startAgain();
    return server;
  }

  /** On the same port and data; resolves when it answers. */
  async startAgain(): Promise<void> {
    const fixed = ['listen_addresses=127.0.0.1', 'unix_socket_directories='];
    const settings = [...fixed, 'max_connections=400'];
    const own = ['-D', path.join(this.#folder, 'data'), '-p', String(this.port)];
    const args = [...own, ...settings.flatMap((one) => ['-c', one])];
    const begin = () => {
      const options = { ...account(), cwd: this.#folder, stdio: 'ignore' } as const;
      const child = spawn(program('postgres'), args, options);
      atExit.push(() => child.kill('SIGKILL'));
      this.#child = child;
    };
    begin();
    const answers = () => {
      // Where one was killed, its own children still have to find that out before another may begin.
      if (isOver(this.#child)) begin();
      return this.#answers();
    };
    await until('PostgreSQL', answers, START_MS_MAX);
  }

  /** A new database, empty or a copy of another that nobody has open; its URL. */
  async database(name: string, template = 'template0'): Promise<string> {
    await this.query(this.url, `CREATE DATABASE ${name} TEMPLATE ${template}`);
    return this.url.replace(/postgres$/, name);
  }

  /** The rows of one statement, over a connection of its own. */
  async query(url: string, sql: string): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => {});
    try {
      await client.connect();
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  }

  /** Has all of its processes hang, as a machine that stands still would, until `goOn`. */
  hang(): void {
    const pid = this.#child?.pid;
    if (pid === undefined || isOver(this.#child)) throw new Error('PostgreSQL does not run');
    // It first, so that it begins no other meanwhile, and forgets none that ends.
    process.kill(pid, 'SIGSTOP');
    this.#hung = [...childrenOf(pid), pid];
    for (const child of this.#hung) process.kill(child, 'SIGSTOP');
    atExit.push(() => this.goOn());
  }

  /** Nothing happens where none hang. */
  goOn(): void {
    for (const pid of this.#hung.splice(0)) {
      try {
        process.kill(pid, 'SIGCONT');
      } catch {
        // It has been killed meanwhile.
      }
    }
  }

  /** Ends it in order, as soon as the transactions under way are undone. */
  stop(): Promise<void> {
    return this.#end('SIGINT');
  }

  /** Ends it at once, as a machine that fails would. */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || isOver(child)) return;
    const gone = new Promise((resolve) => child.once('close', resolve));
    child.kill(signal);
    // What hangs does not see that it is to end.
    this.goOn();
    await gone;
  }

  async #answers(): Promise<boolean> {
    return this.query(this.url, 'SELECT 1').then(
      () => true,
      () => false,
    );
  }
}

/** The processes that a process has begun, and that live. */
function childrenOf(parent: number): number[] {
  const tasks = `/proc/${parent}/task`;
  const listed = readdirSync(tasks).map((task) =>
    readFileSync(`${tasks}/${task}/children`, 'utf8'),
  );
  return listed.join('').split(' ').filter(Boolean).map(Number);
}

function isOver(child: ChildProcess | undefined): boolean {
  return child === undefined || child.exitCode !== null || child.signalCode !== null;
}
