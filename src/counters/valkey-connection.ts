/** One connection to Valkey, or Redis: asks by scripts, and waits no longer than it is told to. */
import type { Script } from './valkey-scripts.ts';

/** Commands that may be under way; more than calls can be at a time. */
const COMMANDS_MAX = 20_000;

/** No answer in time. */
export class LateError extends Error {}

/** What of the client library is used here. */
interface Client {
  connect(): Promise<unknown>;
  destroy(): void;
  sendCommand(args: readonly string[]): Promise<unknown>;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

export interface ConnectionOptions {
  /** `redis://` or `rediss://`, as the setting has checked it. */
  readonly url: string;
  /** For each answer, in milliseconds. */
  readonly answerMsMax: number;
  /** For the whole of connecting, and for a late answer until it is given up, in milliseconds. */
  readonly silentMsMax: number;
  /** Hears that no answer is late any more. */
  readonly onCaughtUp: () => void;
  /** Hears of its end that was not asked for; it is to be closed then. */
  readonly onEnd: (error: Error) => void;
}

export type Reply = readonly number[];

export class Connection {
  readonly #client: Client;
  readonly #options: ConnectionOptions;
  /** Answers that are late; they come in order, so there is no use in asking for more. */
  #late = 0;
  #givingUp: NodeJS.Timeout | undefined;

  private constructor(client: Client, options: ConnectionOptions) {
    this.#client = client;
    this.#options = options;
  }

  /** Rejects when there is no connection in time. */
  static async open(options: ConnectionOptions): Promise<Connection> {
    const client = await clientOf(options);
    // It tells of its end by an error, in whatever state it is.
    let end = (_: Error) => {};
    client.on('error', (error) => end(error));
    const connected = client.connect();
    try {
      await within(options.silentMsMax, connected);
    } catch (error) {
      // A socket that is still on its way is not the client's to close before it has arrived.
      connected.then(
        () => client.destroy(),
        () => {},
      );
      client.destroy();
      throw error;
    }
    end = options.onEnd;
    return new Connection(client, options);
  }

  get isLate(): boolean {
    return this.#late > 0;
  }

  /** The same for what no call waits for: an answer may take as long as it may be late. */
  runInTime(script: Script, key: string, args: readonly string[]): Promise<Reply> {
    return this.run(script, key, args, undefined, this.#options.silentMsMax);
  }

  /**
   * Runs a script on one key.
   * @param onLate hears the answer if it comes after all
   * @param msMax for the answer, in milliseconds
   * @returns the integers that the script returns
   * @throws LateError; or what the server or the connection says
   */
  run(
    script: Script,
    key: string,
    args: readonly string[],
    onLate: (reply: Reply) => void = () => {},
    msMax = this.#options.answerMsMax,
  ): Promise<Reply> {
    const sent = this.#send(script, ['1', key, ...args]);
    return within(msMax, sent).catch((error) => {
      if (error instanceof LateError) this.#await(sent, onLate);
      throw error;
    });
  }

  #await(sent: Promise<Reply>, onLate: (reply: Reply) => void): void {
    const { silentMsMax, onEnd, onCaughtUp } = this.#options;
    const giveUp = () => onEnd(new LateError(`no answer within ${silentMsMax} ms`));
    if (this.#late === 0) this.#givingUp = setTimeout(giveUp, silentMsMax).unref();
    this.#late++;
    sent.then((reply) => {
      this.#late--;
      onLate(reply);
      if (this.#late > 0) return;
      clearTimeout(this.#givingUp);
      onCaughtUp();
    }, onEnd);
  }

  close(): void {
    clearTimeout(this.#givingUp);
    this.#client.destroy();
  }

  async #send(script: Script, args: readonly string[]): Promise<Reply> {
    try {
      return (await this.#client.sendCommand(['EVALSHA', script.sha, ...args])) as Reply;
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return (await this.#client.sendCommand(['EVAL', script.text, ...args])) as Reply;
    }
  }
}

/** Loaded where it is needed alone: it is large. */
async function clientOf({ url, silentMsMax }: ConnectionOptions): Promise<Client> {
  const { createClient } = await import('@redis/client');
  const { hostname, port, protocol, username, password, pathname } = new URL(url);
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  const at = { host, port: Number(port || 6379), connectTimeout: silentMsMax };
  const own = { ...at, reconnectStrategy: false as const };
  return createClient({
    // Valkey and every Redis speak it, proxies before them too.
    RESP: 2,
    name: 'propusk',
    socket: protocol === 'rediss:' ? { ...own, tls: true, ...serverName(host) } : own,
    ...(username !== '' && { username: decodeURIComponent(username) }),
    ...(password !== '' && { password: decodeURIComponent(password) }),
    database: Number(pathname.slice(1)),
    // What cannot be sent now is decided without Valkey: there is nothing to wait for.
    disableOfflineQueue: true,
    commandsQueueMaxLength: COMMANDS_MAX,
    // None: `within` does it, at less cost.
    commandOptions: { timeout: 0 },
    maintNotifications: 'disabled',
  });
}

/** Addresses are no names of servers. */
function serverName(host: string): { servername?: string } {
  return /^[\d.]+$|:/.test(host) ? {} : { servername: host };
}

/** Rejects with LateError when nothing comes in that many milliseconds. */
function within<T>(msMax: number, answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new LateError(`no answer within ${msMax} ms`));
    // Where this process was busy the answer may have come in time and waits to be read: timers run
    // before reads, immediates after them.
    const timer = setTimeout(() => setImmediate(late), msMax);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
