/** How far long work has come, for people: a bar on a terminal, a line now and then elsewhere. */

import type { Clock } from '../domain/clock.ts';

/** A terminal's line is written this often at most, in milliseconds; elsewhere a line of its own. */
const TERMINAL_MS = 100;
const LINE_MS = 5_000;
const BAR_WIDTH = 20;

/** What it is written to. */
interface Stream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

/** One stretch of work after another, each with its own total. */
export class Progress {
  readonly #stream: Stream;
  readonly #isQuiet: boolean;
  readonly #clock: Pick<Clock, 'monotonic'>;
  #what = '';
  #total = 0;
  #done = 0;
  #begunMs = 0;
  #writtenMs = 0;

  /** @param isQuiet nothing is written */
  constructor(stream: Stream, isQuiet: boolean, clock: Pick<Clock, 'monotonic'>) {
    this.#stream = stream;
    this.#isQuiet = isQuiet;
    this.#clock = clock;
  }

  /** @param total of what is counted; 0 when there is nothing to do */
  begin(what: string, total: number): void {
    this.#what = what;
    this.#total = total;
    this.#done = 0;
    this.#begunMs = this.#clock.monotonic();
    this.#writtenMs = this.#begunMs;
    if (this.#stream.isTTY) this.#write();
  }

  /** That many more are done. */
  add(count: number): void {
    this.#done += count;
    const intervalMs = this.#stream.isTTY ? TERMINAL_MS : LINE_MS;
    if (this.#clock.monotonic() - this.#writtenMs >= intervalMs) this.#write();
  }

  /** The stretch is done. */
  end(): void {
    this.#done = this.#total;
    this.#write();
    this.leave();
  }

  /** Puts what others write after an unfinished stretch on a line of its own. */
  leave(): void {
    if (this.#stream.isTTY && !this.#isQuiet) this.#stream.write('\n');
  }

  #write(): void {
    this.#writtenMs = this.#clock.monotonic();
    if (this.#isQuiet) return;
    const [what, done, total] = [this.#what, this.#done, this.#total];
    const line = progressLine({ what, done, total, elapsedMs: this.#writtenMs - this.#begunMs });
    // Back to the line's beginning, and what is right of the new text away.
    this.#stream.write(this.#stream.isTTY ? `\r${line}\x1b[K` : `${line}\n`);
  }
}

interface Stretch {
  readonly what: string;
  readonly done: number;
  readonly total: number;
  readonly elapsedMs: number;
}

/** `copying rows  [#####...............]  25 %  1000/s  30s left` */
export function progressLine({ what, done, total, elapsedMs }: Stretch): string {
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const bar = '#'.repeat(Math.floor(share * BAR_WIDTH)).padEnd(BAR_WIDTH, '.');
  const perSecond = elapsedMs > 0 ? (done * 1000) / elapsedMs : 0;
  const percent = `${Math.floor(share * 100)}`.padStart(3);
  const head = `${what}  [${bar}] ${percent} %  ${Math.round(perSecond)}/s`;
  if (share === 1) return `${head}  in ${duration(elapsedMs / 1000)}`;
  return perSecond === 0 ? head : `${head}  ${duration((total - done) / perSecond)} left`;
}

function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  const minutes = Math.floor(whole / 60);
  return minutes === 0 ? `${whole}s` : `${minutes}m${whole % 60}s`;
}
