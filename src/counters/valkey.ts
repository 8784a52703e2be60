/**
 * Keeps a connection to Valkey, or Redis, for all that nodes count together. While an answer is late nothing
 * more is asked; when it has come, asking goes on. One that does not come for long, an error or an end close
 * the connection, and another one is tried for, at growing intervals.
 */
import { type Clock, newId, type Random } from '../domain/clock.ts';
import { WINDOW_MS } from '../domain/quota.ts';
import type { Taken, Usage } from './counters.ts';
import { Nodes } from './nodes.ts';
import type { Back, Follower, Together } from './shared.ts';
import { Connection, LateError, type Reply } from './valkey-connection.ts';
import {
  BEAT_SCRIPT,
  LEAVE_SCRIPT,
  LOOK_SCRIPT,
  type Script,
  TAKE_SCRIPT,
  TELL_SCRIPT,
} from './valkey-scripts.ts';

/** The key that nodes say in that they live. */
const NODES_KEY = 'propusk:nodes';
/** How often they do; a third of what they are counted for after. */
const BEAT_MS = 5000;
/** For a connection to be there, and for an answer that is late. */
const SILENT_MS_MAX = 1000;
const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 2000;

/** What is heard of it. */
export interface Change {
  readonly isUp: boolean;
  /** Why it is away. */
  readonly why?: string;
  /** Nodes that share the limits, as last known. */
  readonly nodes: number;
}

export interface ValkeyOptions {
  readonly url: string;
  /** That a call waits at most, in milliseconds. */
  readonly answerMsMax: number;
  readonly clock: Clock;
  readonly random: Random;
  /** Hears of the first state, and of each change. */
  readonly onChange: (change: Change) => void;
  /** Tests give their own, which are told the time. */
  readonly scripts?: { readonly take: Script; readonly look: Script };
  /** What these need beside the limit. */
  readonly scriptArgs?: () => readonly string[];
}

export class Valkey implements Together {
  readonly #options: ValkeyOptions;
  readonly #nodeId: string;
  readonly #nodes = new Nodes();
  readonly #followers: Follower[] = [];
  readonly #scripts: { readonly take: Script; readonly look: Script };
  #connection: Connection | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Attempts and connections that failed one after the other. */
  #failures = 0;
  #wasUp: boolean | undefined;
  /** When it was lost last, monotonic milliseconds. */
  #lostAtMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  private constructor(options: ValkeyOptions) {
    this.#options = options;
    this.#nodeId = newId(options.random);
    this.#scripts = options.scripts ?? { take: TAKE_SCRIPT, look: LOOK_SCRIPT };
  }

  /** Resolves when it is up, or when the first attempt has failed: it goes on trying by itself. */
  static async open(options: ValkeyOptions): Promise<Valkey> {
    const valkey = new Valkey(options);
    await valkey.#connect();
    return valkey;
  }

  get isUp(): boolean {
    return this.#connection !== undefined && !this.#connection.isLate;
  }

  /** Nodes that share the limits, as last known. */
  get nodes(): number {
    return this.#nodes.count;
  }

  follow(follower: Follower): void {
    this.#followers.push(follower);
  }

  shareOf(limit: number): number {
    return this.#nodes.shareOf(limit);
  }

  async take(
    key: string,
    limit: number,
    onLate: (isAllowed: boolean) => void,
  ): Promise<Taken | undefined> {
    const args = [String(limit), ...this.#scriptArgs()];
    const late = ([isAllowed]: Reply) => onLate(isAllowed === 1);
    const reply = await this.#ask(this.#scripts.take, key, args, late);
    return reply && { ...usageOf(reply, limit), isAllowed: reply[0] === 1 };
  }

  async look(key: string, limit: number): Promise<Usage | undefined> {
    const args = [String(limit), ...this.#scriptArgs()];
    const reply = await this.#ask(this.#scripts.look, key, args);
    return reply && usageOf(reply, limit);
  }

  async tell(key: string, agesMs: readonly number[], onLate: () => void): Promise<boolean> {
    const ages = agesMs.map((ms) => Math.floor(ms * 1000)).join();
    return (await this.#ask(TELL_SCRIPT, key, ['0', ages], onLate)) !== undefined;
  }

  /** Takes leave of the other nodes, where that can be done, and closes the connection. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.run(LEAVE_SCRIPT, NODES_KEY, [this.#nodeId]).catch(() => {});
    connection?.close();
  }

  #scriptArgs(): readonly string[] {
    return this.#options.scriptArgs?.() ?? [];
  }

  async #ask(
    script: Script,
    key: string,
    args: readonly string[],
    onLate?: (reply: Reply) => void,
  ): Promise<Reply | undefined> {
    const connection = this.#connection;
    if (connection === undefined || connection.isLate) return undefined;
    try {
      return await connection.run(script, key, args, onLate);
    } catch (error) {
      if (!(error instanceof LateError)) this.#lost(connection, error);
      return undefined;
    }
  }

  async #connect(): Promise<void> {
    const { url, answerMsMax } = this.#options;
    let connection: Connection | undefined;
    try {
      connection = await Connection.open({
        url,
        answerMsMax,
        silentMsMax: SILENT_MS_MAX,
        onCaughtUp: () => this.#tellFollowers({ wasLost: false, hasForgotten: false }),
        onEnd: (error) => this.#lost(connection, error),
      });
      // It writes: what cannot be written to is not up.
      const isKnown = await this.#beat(connection);
      if (this.#isClosed) connection.close();
      else this.#up(connection, isKnown);
    } catch (error) {
      connection?.close();
      this.#away(error);
    }
  }

  /** Says that this node lives, and hears how many do; whether this one was still known. */
  async #beat(connection: Connection): Promise<boolean> {
    const [nodes = 1, known] = await connection.runInTime(BEAT_SCRIPT, NODES_KEY, [this.#nodeId]);
    this.#nodes.heard(nodes);
    return known === 1;
  }

  #beatLater(connection: Connection): void {
    this.#timer = setTimeout(async () => {
      try {
        const isKnown = await this.#beat(connection);
        if (this.#connection !== connection) return;
        this.#failures = 0;
        // Somebody has emptied it.
        if (!isKnown) this.#tellFollowers({ wasLost: true, hasForgotten: true });
        this.#beatLater(connection);
      } catch (error) {
        this.#lost(connection, error);
      }
    }, BEAT_MS).unref();
  }

  #up(connection: Connection, isKnown: boolean): void {
    this.#connection = connection;
    this.#say(true);
    // What was counted before the window nobody misses.
    const awayMs = this.#options.clock.monotonic() - this.#lostAtMs;
    this.#tellFollowers({ wasLost: true, hasForgotten: !isKnown && awayMs < WINDOW_MS });
    this.#beatLater(connection);
  }

  #tellFollowers(back: Back): void {
    for (const each of this.#followers) each(back);
  }

  /** Of one connection, whoever notices first. */
  #lost(connection: Connection | undefined, error: unknown): void {
    if (connection === undefined || this.#connection !== connection) return;
    this.#connection = undefined;
    this.#lostAtMs = this.#options.clock.monotonic();
    connection.close();
    this.#away(error);
  }

  #away(error: unknown): void {
    if (this.#isClosed) return;
    this.#say(false, whyOf(error));
    clearTimeout(this.#timer);
    const mostMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.min(10, this.#failures));
    this.#failures++;
    // Nodes that lost it at one instant do not come back at one.
    const ms = mostMs * (0.5 + this.#options.random(1).readUInt8() / 512);
    this.#timer = setTimeout(() => this.#connect(), ms).unref();
  }

  #say(isUp: boolean, why?: string): void {
    if (this.#wasUp === isUp) return;
    this.#wasUp = isUp;
    this.#options.onChange({ isUp, nodes: this.nodes, ...(why !== undefined && { why }) });
  }
}

function usageOf([, count = 0, resetUs = 0]: readonly number[], limit: number): Usage {
  return { limit, remaining: Math.max(0, limit - count), resetMs: resetUs / 1000 };
}

/** Several addresses that all failed make an error without words. */
function whyOf(error: unknown): string {
  const { message, code } = error as NodeJS.ErrnoException;
  return message || code || String(error);
}
