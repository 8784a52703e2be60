/**
 * Tells a database that hangs from one that is busy: who is busy answers somebody, if only the feed's
 * looks; who hangs answers nobody. Who asks waits as long as it takes for the one, and not for the other.
 */
import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../domain/clock.ts';
import { DatabaseFailure } from './connection.ts';

/** How long nobody may be answered, in milliseconds. */
const SILENCE_MS_MAX = 1_000;

export class Pulse {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #askedMax: number;
  #beatAtMs: number;
  /** Questions under way, also those that nobody waits for any more. */
  #asked = 0;

  /** @param askedMax questions that are asked of a database which hangs, to see whether it still does */
  constructor(clock: Pick<Clock, 'monotonic'>, askedMax: number) {
    this.#clock = clock;
    this.#askedMax = askedMax;
    this.#beatAtMs = clock.monotonic();
  }

  /** Somebody was answered. */
  beat(): void {
    this.#beatAtMs = this.#clock.monotonic();
  }

  /** Settles as the question does. @throws DatabaseFailure where the database hangs */
  async ask<R>(question: () => Promise<R>): Promise<R> {
    if (this.#asked >= this.#askedMax && (await this.#isSilent())) throw hangs();
    this.#asked++;
    const answer = question().finally(() => this.#asked--);
    answer.then(
      () => this.beat(),
      () => {},
    );
    return this.#unlessSilent(answer);
  }

  #unlessSilent<R>(answer: Promise<R>): Promise<R> {
    return new Promise<R>((resolve, reject) => {
      let isOver = false;
      let timer: NodeJS.Timeout;
      const wait = (ms: number) => {
        timer = setTimeout(async () => {
          const isSilent = await this.#isSilent();
          if (isOver) return;
          if (isSilent) reject(hangs());
          else wait(SILENCE_MS_MAX - this.#silentMs());
        }, ms);
      };
      wait(SILENCE_MS_MAX);
      answer.then(resolve, reject).finally(() => {
        isOver = true;
        clearTimeout(timer);
      });
    });
  }

  #silentMs(): number {
    return this.#clock.monotonic() - this.#beatAtMs;
  }

  async #isSilent(): Promise<boolean> {
    if (this.#silentMs() < SILENCE_MS_MAX) return false;
    // Or it was this process that slept, and what it was answered meanwhile is still to be read.
    await setImmediate();
    await setImmediate();
    return this.#silentMs() >= SILENCE_MS_MAX;
  }
}

function hangs(): DatabaseFailure {
  const message = `the database has answered nobody for ${SILENCE_MS_MAX} ms`;
  return new DatabaseFailure(message, true, undefined);
}
