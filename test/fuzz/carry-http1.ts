/** Carries well-made requests over a few HTTP/1.1 connections, several on their way on each. */
import net from 'node:net';
import { Http1Reader } from './http1-reader.ts';
import type { Input } from './input.ts';
import { type Book, noteAnswer, Queue } from './job.ts';

const LANES = 8;
const DEPTH = 6;
/** How long an answer is waited for that must come, and one that need not, in milliseconds. */
const ANSWER_MS_MAX = 8000;
const PATIENCE_MS = 150;
const LOOK_MS = 25;

type Http1Input = Extract<Input, { carrier: 'http1' }>;

interface Job {
  readonly input: Http1Input;
  readonly bytes: Buffer;
  /** On its second try it travels alone. */
  isAlone: boolean;
  headSinceMs: number;
}

export class Http1Carrier {
  readonly queue = new Queue<Job>(LANES * DEPTH);
  readonly #lanes: Lane[];

  constructor(port: number, book: Book) {
    this.#lanes = Array.from({ length: LANES }, () => new Lane(port, book, this.queue));
  }

  async send(input: Http1Input, bytes: Buffer): Promise<void> {
    const room = this.queue.put({ input, bytes, isAlone: false, headSinceMs: 0 });
    for (const lane of this.#lanes) lane.pump();
    await room;
  }

  /** The numbers of the inputs that nothing has become of yet. */
  get underWay(): number[] {
    return [...this.#lanes.flatMap((lane) => lane.underWay), ...this.queue.indexes];
  }

  close(): void {
    for (const lane of this.#lanes) lane.close();
  }
}

class Lane {
  readonly #port: number;
  readonly #book: Book;
  readonly #queue: Queue<Job>;
  readonly #timer: NodeJS.Timeout;
  #socket: net.Socket | undefined;
  #reader = new Http1Reader();
  #jobs: Job[] = [];
  /** The last answer said that the connection ends. */
  #isEnding = false;

  constructor(port: number, book: Book, queue: Queue<Job>) {
    this.#port = port;
    this.#book = book;
    this.#queue = queue;
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  get underWay(): number[] {
    return this.#jobs.map(({ input }) => input.index);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#socket?.destroy();
  }

  /** Sends what there is room for. */
  pump(): void {
    while (this.#jobs.length < DEPTH && !this.#isEnding && !this.#jobs.some((job) => job.isAlone)) {
      if (this.#queue.peek()?.isAlone === true && this.#jobs.length > 0) return;
      const job = this.#queue.take();
      if (job === undefined) return;
      this.#socket ??= this.#connect();
      this.#jobs.push(job);
      if (this.#jobs.length === 1) job.headSinceMs = performance.now();
      this.#socket.write(job.bytes);
    }
  }

  #connect(): net.Socket {
    const socket = net.connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
    this.#reader = new Http1Reader();
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', () => {});
    socket.on('close', () => this.#lost());
    return socket;
  }

  #take(chunk: Buffer): void {
    this.#reader.push(chunk);
    try {
      for (let job = this.#jobs[0]; job !== undefined; job = this.#jobs[0]) {
        const answer = this.#reader.next(job.input.verb);
        if (answer === undefined) break;
        this.#jobs.shift();
        if (this.#jobs[0] !== undefined) this.#jobs[0].headSinceMs = performance.now();
        noteAnswer(this.#book, job.input, answer, job.input.verb);
        if (answer.headers.connection === 'close') this.#isEnding = true;
      }
    } catch (error) {
      this.#book.report({ index: this.#jobs[0]?.input.index, what: (error as Error).message });
      this.#socket?.destroy();
    }
    this.pump();
  }

  /** The connection is gone: what it had not answered goes over another. */
  #lost(): void {
    this.#socket = undefined;
    const wasEnding = this.#isEnding;
    this.#isEnding = false;
    const jobs = this.#jobs;
    this.#jobs = [];
    const [first, ...others] = jobs;
    for (const job of others.reverse()) this.#queue.putBack(job);
    if (first !== undefined) {
      if (wasEnding) this.#queue.putBack(first);
      else this.#retry(first);
    }
    this.pump();
  }

  #retry(job: Job): void {
    if (!job.isAlone) {
      job.isAlone = true;
      this.#queue.putBack(job);
      return;
    }
    if (job.input.isAnswered) {
      this.#book.report({ index: job.input.index, what: 'a whole request was cut off unanswered' });
    }
    this.#book.over(job.input, 'cut');
  }

  #look(): void {
    const [first] = this.#jobs;
    if (first === undefined) {
      this.pump();
      return;
    }
    const waitedMs = performance.now() - first.headSinceMs;
    if (waitedMs < (first.input.isAnswered ? ANSWER_MS_MAX : PATIENCE_MS)) return;
    if (first.input.isAnswered) {
      this.#book.report({ index: first.input.index, what: `no answer in ${ANSWER_MS_MAX} ms` });
    }
    this.#book.over(first.input, 'left');
    this.#jobs.shift();
    // Those behind it are not to blame.
    this.#isEnding = true;
    this.#socket?.destroy();
  }
}
