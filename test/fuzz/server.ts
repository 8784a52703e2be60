/** Starts the server that is fuzzed, and listens to all that it logs. */
import { type ChildProcess, fork } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { temporaryFolder } from '../start.ts';
import { flawOfLine } from './judge.ts';
import type { Holdings } from './server-process.ts';
import { SECRET, TOKEN_MARK } from './values.ts';

const PROGRAM = path.join(import.meta.dirname, 'server-process.ts');
const FLAGS = [
  ['--listen', '127.0.0.1:0'],
  ['--secret', SECRET],
  ['--cors-origin', 'https://example.org'],
  ['--trusted-proxy', '127.0.0.0/8'],
  ['--sniff-ms-max', '2000'],
  ['--header-ms-max', '1000'],
  ['--request-ms-max', '1000'],
  ['--idle-ms-max', '2000'],
  ['--deadline-ms-max', '400'],
  ['--header-bytes-max', '8192'],
  ['--body-bytes-max', '200000'],
  ['--streams-per-connection-max', '100'],
  ['--tokens-cached-max', '1000'],
  ['--grants-cached-max', '1000'],
  ['--limit', '1000000000'],
  ['--lag-ms-max', '60000'],
  ['--address-calls-max', '1000000000'],
].flat();
/** How long what is over may take to be let go, in milliseconds. */
const SETTLE_MS_MAX = 15_000;

/** What broke a rule, and by which input as far as that is known. */
export interface Finding {
  readonly index?: number | undefined;
  readonly what: string;
}

export class FuzzedServer implements AsyncDisposable {
  readonly port: number;
  /** Takes the place of TOKEN_MARK in what is sent. */
  readonly token: Buffer;
  readonly #child: ChildProcess;
  /** Resolves when its process has ended, which it should not before it is told to. */
  readonly gone: Promise<void>;
  isGone = false;
  /** Hears how its process ended. */
  onExit: (how: string) => void = () => {};
  #atRest: Holdings | undefined;
  #lines = 0;

  private constructor(child: ChildProcess, port: number, token: string) {
    this.#child = child;
    this.port = port;
    this.token = Buffer.from(token);
    this.gone = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.isGone = true;
        if (signal !== 'SIGTERM') this.onExit(`with ${code ?? signal}`);
        resolve();
      });
    });
  }

  /** @param report hears of what the log should not hold */
  static async start(report: (finding: Finding) => void): Promise<FuzzedServer> {
    const child = fork(PROGRAM, [...FLAGS, '--data', temporaryFolder()], {
      // It counts what is on the heap by what is not yet stable in Node.
      execArgv: ['--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    process.on('exit', () => child.kill('SIGKILL'));
    const port = await new Promise<number>((resolve, reject) => {
      child.once('message', (message) => resolve(message as number));
      child.once('exit', (code) => reject(new Error(`the server did not start: ${code}`)));
      child.stderr?.once('data', (text) => reject(new Error(`the server did not start: ${text}`)));
    });
    const token = await signIn(port);
    if (token.length !== TOKEN_MARK.length) throw new Error(`a token has ${token.length} bytes`);
    const server = new FuzzedServer(child, port, token);
    server.#listen(report);
    return server;
  }

  /** Lines of its log so far. */
  get lines(): number {
    return this.#lines;
  }

  #listen(report: (finding: Finding) => void): void {
    const stderr = this.#child.stderr;
    if (stderr === null) throw new Error('the server has no log');
    createInterface({ input: stderr }).on('line', (line) => {
      this.#lines++;
      const what = flawOfLine(line);
      if (what === undefined) return;
      const index = /"requestId":"f-(\d+)"/.exec(line)?.[1];
      report({ index: index === undefined ? undefined : Number(index), what });
    });
  }

  /** What it holds now. */
  async holdings(): Promise<Holdings> {
    return new Promise((resolve, reject) => {
      this.#child.once('message', (message) => resolve(message as Holdings));
      this.#child.send('look', (error) => error && reject(error));
    });
  }

  /** Notes what it holds before anything was sent: that much it may hold when all is over. */
  async note(): Promise<void> {
    this.#atRest = await this.holdings();
  }

  /**
   * What it holds when everything is over, and what of that it should have let go.
   * @returns no leaks as soon as all is back to what it was at first
   */
  async settled(): Promise<{ holdings: Holdings; leaks: string[] }> {
    const giveUpAt = performance.now() + SETTLE_MS_MAX;
    for (;;) {
      const holdings = await this.holdings();
      const leaks = this.#leaksIn(holdings);
      if (leaks.length === 0 || performance.now() > giveUpAt) return { holdings, leaks };
      await sleep(200);
    }
  }

  #leaksIn({ counts, openSockets }: Holdings): string[] {
    const leaks = Object.entries(counts)
      .map(([name, count]) => [name, count - (this.#atRest?.counts[name] ?? 1)] as const)
      .filter(([, more]) => more > 0)
      .map(([name, more]) => `${more} of ${name} are left`);
    const open = openSockets - (this.#atRest?.openSockets ?? 0);
    return open > 0 ? [...leaks, `${open} sockets are open`] : leaks;
  }

  /** An honest client signs in; throws when it cannot. */
  async signIn(): Promise<void> {
    await signIn(this.port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.gone;
  }
}

/** Signs in and asks what the token may do. */
async function signIn(port: number): Promise<string> {
  const post = async (path: string, body: object) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { connection: 'close' },
    });
    if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}`);
    return answer.json();
  };
  const { token } = (await post('/v1/sessions', { secret: SECRET })) as { token: string };
  await post('/v1/sessions/details', { token });
  return token;
}
