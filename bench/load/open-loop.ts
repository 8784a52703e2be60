/**
 * An open loop: calls go out when they are due, whether or not those before were answered, and their
 * latency counts from when they were due, so that no stall of the server is left out.
 */
import { setImmediate } from 'node:timers/promises';
import { CoreWatch } from '../machine.ts';
import type { Connection, Listener } from './connection.ts';
import { open } from './open.ts';
import type { OpenLoop, Outcome } from './protocol.ts';
import type { Requests } from './requests.ts';

/** For the last answers, milliseconds; what has none then counts as taking that long. */
const GRACE_MS = 2000;

/** Runs it; rejects when a single call fails. */
export async function openLoop(order: OpenLoop, requests: Requests): Promise<Outcome> {
  const run = new Run(order, requests);
  return run.outcome();
}

/** All that are under way in this process. */
const underWay = new Set<Run>();

class Run implements Listener {
  readonly #order: OpenLoop;
  readonly #requests: Requests;
  readonly #failure = Promise.withResolvers<never>();
  #error: Error | undefined;
  /** By the number of the call; those from before counting begins are below zero. */
  readonly #dueMs = new Map<number, number>();
  readonly #latencies: number[] = [];
  readonly #late: number[] = [];
  /** Connections with room, the one that had it longest first. */
  #free: Connection[] = [];
  /** Calls that are due and found no connection with room. */
  readonly #waiting: number[] = [];
  #tag = 0;
  /** When the next call is due, and from when on there are none. */
  #nextMs = 0;
  #endMs = 0;
  #countedFrom = Number.POSITIVE_INFINITY;

  constructor(order: OpenLoop, requests: Requests) {
    this.#order = order;
    this.#requests = requests;
    this.#failure.promise.catch(() => {});
  }

  async outcome(): Promise<Outcome> {
    const { target, shape, rampMs, windowMs, cores, serverPid } = this.#order;
    const connections = await open(target, shape, this, this.#failure.promise);
    this.#free = connections.flatMap((one) => Array<Connection>(shape.streams).fill(one));
    underWay.add(this);
    try {
      await this.#sendFor(rampMs);
      this.#countedFrom = this.#tag;
      this.#late.length = 0;
      const watch = new CoreWatch(cores, serverPid);
      watch.begin();
      const fromMs = performance.now();
      await this.#sendFor(windowMs);
      const seconds = (performance.now() - fromMs) / 1000;
      const usage = watch.end();
      const cutMs = performance.now() + GRACE_MS;
      while (this.#dueMs.size > 0 && performance.now() < cutMs) await this.#turn();
      for (const [tag, dueMs] of this.#dueMs) this.#note(tag, performance.now() - dueMs);
      const answers = this.#latencies.length;
      const of = (share: number) => quantile(this.#latencies, share);
      const times = { p50: of(0.5), p99: of(0.99), lateMs: quantile(this.#late, 0.99) };
      const sample = connections[0]?.sample ?? '';
      return { answers, seconds, rate: answers / seconds, usage, ...times, sample };
    } finally {
      underWay.delete(this);
      for (const connection of connections) connection.close();
    }
  }

  answered(connection: Connection, tag: number): void {
    const dueMs = this.#dueMs.get(tag) ?? Number.NaN;
    this.#dueMs.delete(tag);
    this.#note(tag, performance.now() - dueMs);
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(connection);
    else this.#sendOn(connection, next);
    // Many answers may come in one turn: what is due meanwhile, of any load, does not wait for the last.
    for (const run of underWay) run.#sendDue();
  }

  failed(error: Error): void {
    this.#error ??= error;
    this.#failure.reject(error);
  }

  async #sendFor(ms: number): Promise<void> {
    this.#nextMs = performance.now();
    this.#endMs = this.#nextMs + ms;
    while (performance.now() < this.#endMs) {
      this.#sendDue();
      await this.#turn();
    }
  }

  #sendDue(): void {
    const nowMs = performance.now();
    while (this.#nextMs <= nowMs && this.#nextMs < this.#endMs) {
      this.#late.push(nowMs - this.#nextMs);
      this.#send(this.#nextMs);
      this.#nextMs += (-Math.log(1 - Math.random()) / this.#order.rate) * 1000;
    }
  }

  /**
   * One of the event loop: the load has a core of its own, and a timer would be late. No race with the
   * failure's promise, which would remember each turn, and stop the load to collect them.
   */
  async #turn(): Promise<void> {
    await setImmediate();
    if (this.#error !== undefined) throw this.#error;
  }

  #send(dueMs: number): void {
    const tag = this.#tag++;
    this.#dueMs.set(tag, dueMs);
    const connection = this.#free.shift();
    if (connection === undefined) this.#waiting.push(tag);
    else this.#sendOn(connection, tag);
  }

  #sendOn(connection: Connection, tag: number): void {
    const request = this.#requests.next();
    if (request === undefined) throw new Error('too few requests were prepared');
    connection.send(request, tag);
  }

  #note(tag: number, ms: number): void {
    if (tag >= this.#countedFrom) this.#latencies.push(ms);
  }
}

function quantile(values: number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
