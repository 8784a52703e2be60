/** A closed loop: so many calls at a time, each followed by the next. */
import { CoreWatch } from '../machine.ts';
import type { Connection, Listener } from './connection.ts';
import { open } from './open.ts';
import type { ClosedLoop, Outcome } from './protocol.ts';
import type { Requests } from './requests.ts';

/** For the last answers, milliseconds. */
const GRACE_MS = 5000;

/** How often it is looked whether there were enough answers. */
const STEP_MS = 50;

/** Runs it; rejects when a single call fails. */
export async function closedLoop(order: ClosedLoop, requests: Requests): Promise<Outcome> {
  const run = new Run(order, requests);
  return run.outcome();
}

class Run implements Listener {
  readonly #order: ClosedLoop;
  readonly #requests: Requests;
  readonly #failure = Promise.withResolvers<never>();
  readonly #drained = Promise.withResolvers<void>();
  readonly #enough = Promise.withResolvers<void>();
  #answers = 0;
  #sending = true;
  #underWay = 0;

  constructor(order: ClosedLoop, requests: Requests) {
    this.#order = order;
    this.#requests = requests;
    this.#failure.promise.catch(() => {});
  }

  async outcome(): Promise<Outcome> {
    const { target, shape, rampMs, windowMs, cores, serverPid } = this.#order;
    const connections = await open(target, shape, this, this.#failure.promise);
    try {
      for (const connection of connections) {
        for (let i = 0; i < shape.streams; i++) this.#send(connection);
      }
      await this.#wait(rampMs);
      const watch = new CoreWatch(cores, serverPid);
      watch.begin();
      this.#answers = 0;
      const fromMs = performance.now();
      await this.#wait(windowMs);
      await this.#waitForAnswers(fromMs);
      const seconds = (performance.now() - fromMs) / 1000;
      const answers = this.#answers;
      const usage = watch.end();
      this.#sending = false;
      if (this.#underWay > 0) await this.#until(this.#drained.promise, GRACE_MS);
      const sample = connections[0]?.sample ?? '';
      return { answers, seconds, rate: answers / seconds, usage, sample };
    } finally {
      for (const connection of connections) connection.close();
    }
  }

  answered(connection: Connection): void {
    this.#answers++;
    this.#underWay--;
    this.#send(connection);
    if (this.#underWay === 0) this.#drained.resolve();
  }

  failed(error: Error): void {
    this.#failure.reject(error);
  }

  #send(connection: Connection): void {
    if (!this.#sending) return;
    const request = this.#requests.next();
    if (request === undefined) {
      this.#sending = false;
      this.#enough.resolve();
      return;
    }
    this.#underWay++;
    connection.send(request, 0);
  }

  async #waitForAnswers(fromMs: number): Promise<void> {
    const { answersMin = 0, windowMsMax = Number.POSITIVE_INFINITY } = this.#order;
    while (this.#sending && this.#answers < answersMin) {
      if (performance.now() - fromMs > windowMsMax) return;
      await this.#wait(STEP_MS);
    }
  }

  /** Until the time is over, or there are no requests left. */
  async #wait(ms: number): Promise<void> {
    await this.#until(this.#enough.promise, ms);
  }

  async #until(moment: Promise<void>, ms: number): Promise<void> {
    const timeUp = Promise.withResolvers<void>();
    const timer = setTimeout(timeUp.resolve, ms);
    await Promise.race([moment, timeUp.promise, this.#failure.promise]);
    clearTimeout(timer);
  }
}
