/** Inputs on their way to the server, and what became of them. */
import type { Answer } from './answer.ts';
import type { Input } from './input.ts';
import { flawOfAnswer } from './judge.ts';
import type { Finding } from './server.ts';

/** What became of an input. */
export type Outcome =
  /** The server answered. */
  | 'answered'
  /** The stream or the connection was ended without an answer. */
  | 'cut'
  /** The client went away first. */
  | 'left';

/** Where the carriers tell what became of their inputs. */
export interface Book {
  readonly over: (input: Input, outcome: Outcome) => void;
  readonly report: (finding: Finding) => void;
}

/** Notes an answer, and what is wrong with it. */
export function noteAnswer(book: Book, input: Input, answer: Answer, verb: string): void {
  const flaw = flawOfAnswer(answer, verb);
  if (flaw !== undefined) book.report({ index: input.index, what: flaw });
  book.over(input, answer.isWhole ? 'answered' : 'cut');
}

/** A queue that makes those wait who put into it while it is long. */
export class Queue<T extends { readonly input: Input }> {
  readonly #items: T[] = [];
  readonly #max: number;
  #room: (() => void)[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  get length(): number {
    return this.#items.length;
  }

  /** The numbers of the inputs in it. */
  get indexes(): number[] {
    return this.#items.map(({ input }) => input.index);
  }

  /** Resolves when there is room for more. */
  async put(item: T): Promise<void> {
    this.#items.push(item);
    if (this.#items.length > this.#max)
      await new Promise<void>((resolve) => this.#room.push(resolve));
  }

  /** Takes its place before all others; for what was taken already. */
  putBack(item: T): void {
    this.#items.unshift(item);
  }

  peek(): T | undefined {
    return this.#items[0];
  }

  take(): T | undefined {
    const item = this.#items.shift();
    if (this.#items.length <= this.#max) {
      for (const resolve of this.#room) resolve();
      this.#room = [];
    }
    return item;
  }
}
