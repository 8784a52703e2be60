/** Carries bytes, each input's over a connection of its own, and judges whatever comes back. */
import net from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import type { Answer } from './answer.ts';
import { Http1Reader } from './http1-reader.ts';
import { Http2Reader } from './http2-reader.ts';
import type { Input } from './input.ts';
import { type Book, Queue } from './job.ts';
import { flawOfAnswer } from './judge.ts';

const CONNECTIONS_MAX = 96;
/** A client that hears nothing for so long goes away, in milliseconds. */
const QUIET_MS = 60;
/** By then the server must have closed a connection whose peer is gone, or silent. */
const CLOSE_MS_MAX = 20_000;
/** The listener looks at no more to tell HTTP/2 from HTTP/1.1. */
const PREFACE_START = 'PRI * HTTP/2.0\r\n';

type RawInput = Extract<Input, { carrier: 'raw1' | 'raw2' }>;

interface Job {
  readonly input: RawInput;
  readonly pieces: readonly Buffer[];
}

export class RawCarrier {
  readonly queue = new Queue<Job>(CONNECTIONS_MAX);
  readonly #port: number;
  readonly #book: Book;
  readonly #open = new Set<number>();

  constructor(port: number, book: Book) {
    this.#port = port;
    this.#book = book;
  }

  async send(input: RawInput, pieces: readonly Buffer[]): Promise<void> {
    const room = this.queue.put({ input, pieces });
    this.#pump();
    await room;
  }

  /** The numbers of the inputs that nothing has become of yet. */
  get underWay(): number[] {
    return [...this.#open, ...this.queue.indexes];
  }

  close(): void {}

  #pump(): void {
    while (this.#open.size < CONNECTIONS_MAX) {
      const job = this.queue.take();
      if (job === undefined) return;
      this.#open.add(job.input.index);
      this.#talk(job).finally(() => {
        this.#open.delete(job.input.index);
        this.#pump();
      });
    }
  }

  async #talk({ input, pieces }: Job): Promise<void> {
    const socket = net.connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    let answers = 0;
    const judge = (answer: Answer) => {
      answers++;
      const what = flawOfAnswer(answer, 'GET');
      if (what !== undefined) this.#book.report({ index: input.index, what });
    };
    const read = readerOf(pieces, judge);
    let heardAt = performance.now();
    socket.on('data', (chunk: Buffer) => {
      heardAt = performance.now();
      try {
        read(chunk);
      } catch (error) {
        const what = `not an answer to raw bytes: ${(error as Error).message}`;
        this.#book.report({ index: input.index, what });
        socket.destroy();
      }
    });
    socket.on('error', () => {});
    for (const piece of pieces) {
      if (socket.writable) socket.write(piece);
      await turn();
    }
    const isLeft = await this.#end(socket, input, closed, () => heardAt);
    this.#book.over(input, answers > 0 ? 'answered' : isLeft ? 'left' : 'cut');
  }

  /** Waits for the end that the input wants; true when it was the client that went away. */
  async #end(
    socket: net.Socket,
    input: RawInput,
    closed: Promise<void>,
    heardAt: () => number,
  ): Promise<boolean> {
    const sentAt = performance.now();
    let isLeaving = false;
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        const now = performance.now();
        if (input.ending !== 'wait' && !isLeaving && now - Math.max(heardAt(), sentAt) > QUIET_MS) {
          isLeaving = true;
          if (input.ending === 'reset') socket.resetAndDestroy();
          else socket.end();
        } else if (now - sentAt > CLOSE_MS_MAX) {
          this.#book.report({ index: input.index, what: `not closed in ${CLOSE_MS_MAX} ms` });
          socket.destroy();
        }
      }, 15);
      closed.then(() => {
        clearInterval(timer);
        resolve();
      });
    });
    return isLeaving;
  }
}

/** Reads answers in the version that the listener must have taken the bytes for. */
function readerOf(pieces: readonly Buffer[], judge: (answer: Answer) => void) {
  const start = Buffer.concat(pieces).subarray(0, PREFACE_START.length).toString('latin1');
  if (start === PREFACE_START) {
    const reader = new Http2Reader({ onAnswer: (_stream, answer) => judge(answer) });
    return (chunk: Buffer) => reader.push(chunk);
  }
  const reader = new Http1Reader();
  return (chunk: Buffer) => {
    reader.push(chunk);
    for (let next = reader.next('GET'); next !== undefined; next = reader.next('GET')) judge(next);
  };
}
