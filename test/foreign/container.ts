/**
 * Runs programs as a container would, by Linux's own means: a root of their own that they cannot write, processes
 * and network of their own, and a numeric user. Needs root. The system's folders stand in for the base image.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { lstatSync, mkdirSync, readFileSync, readlinkSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { collect, ended, type Ran, ran } from '../child.ts';
import { atExit } from '../start.ts';
import { until } from '../wait.ts';

/** What the program and its Node need of the system. */
const SYSTEM = ['usr', 'lib', 'lib64', 'bin', 'sbin', 'etc'];

export interface Inside {
  /** Where the image lies. */
  readonly root: string;
  /** Folders of the machine by their place inside; they can be written, all else cannot. */
  readonly volumes: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  /** Numeric; of the user and the group. */
  readonly uid: number;
  readonly workdir: string;
}

/** What a shell does to set the root up, before it runs the words behind it. */
function preparation({ root, volumes, workdir, uid }: Inside): string {
  const system = SYSTEM.filter((name) => !lstatSync(`/${name}`).isSymbolicLink());
  for (const name of SYSTEM) {
    const place = path.join(root, name);
    if (system.includes(name)) mkdirSync(place, { recursive: true });
    else if (lstatSync(place, { throwIfNoEntry: false }) === undefined) {
      symlinkSync(readlinkSync(`/${name}`), place);
    }
  }
  const places = [...Object.keys(volumes), 'proc', 'dev', 'tmp'];
  for (const place of places) mkdirSync(path.join(root, place), { recursive: true });
  const drop = uid === 0 ? '' : '--no-new-privs --bounding-set=-all --inh-caps=-all';
  return [
    'set -e',
    'ip link set lo up',
    `mount --bind ${root} ${root}`,
    ...system.map((name) => `mount --bind /${name} ${root}/${name}`),
    ...Object.entries(volumes).map(([to, from]) => `mount --bind ${from} ${root}${to}`),
    ...system.map((name) => `mount -o remount,ro,bind ${root}/${name}`),
    `mount -t proc proc ${root}/proc`,
    `mount --rbind /dev ${root}/dev`,
    // As `docker run --read-only`; who builds may write.
    ...(uid === 0 ? [] : [`mount -o remount,ro,bind ${root}`]),
    `exec chroot ${root} /usr/bin/setpriv --reuid ${uid} --regid ${uid} --clear-groups ${drop} \\`,
    `  /usr/bin/env --chdir ${workdir} "$@"`,
  ].join('\n');
}

/** A program in a container. */
export class Container implements AsyncDisposable {
  /** What it printed, so far. */
  readonly output: { stdout: string; stderr: string };
  readonly #inside: Inside;
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;

  /** Starts a program as the first process of a container. */
  constructor(inside: Inside, words: readonly string[]) {
    this.#inside = inside;
    const shell = ['/bin/sh', '-c', preparation(inside), 'sh', ...words];
    const fresh = ['--mount', '--net', '--pid', '--ipc', '--fork'];
    const child = spawn('unshare', [...fresh, ...shell], {
      env: { PATH: process.env.PATH, ...inside.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    atExit.push(() => this.#kill());
    this.output = collect(child);
    this.#ended = ended(child);
  }

  /** Resolves when it has printed that; throws when it ends before. */
  async printed(text: RegExp): Promise<void> {
    const isThere = () => {
      if (this.#child.exitCode !== null) throw new Error(`it ended: ${this.output.stderr}`);
      return text.test(this.output.stdout);
    };
    await until(`${text}`, isThere, 30_000);
  }

  /** Runs another program beside the first, to its end. */
  async run(words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
    const { uid, workdir } = this.#inside;
    const enter = ['-t', String(this.#firstProcess()), '-m', '-n', '-p', '-i', '-r'];
    const user = ['/usr/bin/setpriv', '--reuid', `${uid}`, '--regid', `${uid}`, '--clear-groups'];
    const child = spawn(
      'nsenter',
      [...enter, ...user, '/usr/bin/env', '--chdir', workdir, ...words],
      {
        env: { PATH: process.env.PATH, ...this.#inside.env, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: 60_000,
      },
    );
    return ran(child);
  }

  /** Resolves with the exit code. */
  ended(): Promise<number | null> {
    return this.#ended;
  }

  /** Sends the first process a signal, and resolves with the exit code. */
  stop(signal: NodeJS.Signals): Promise<number | null> {
    process.kill(this.#firstProcess(), signal);
    return this.#ended;
  }

  /** As the machine counts it. */
  #firstProcess(): number {
    const { pid } = this.#child;
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
  }

  /** With the first process all others go. What waits for it alone would leave it behind. */
  #kill(): void {
    const { exitCode, signalCode } = this.#child;
    if (exitCode === null && signalCode === null) process.kill(this.#firstProcess(), 'SIGKILL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#kill();
    await this.#ended;
  }
}
