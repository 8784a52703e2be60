/** Carries streams over a few HTTP/2 connections, many on their way on each. */
import net from 'node:net';
import { CANCEL, type Frame, FrameType, frameOf, PREFACE } from '../http2-frames.ts';
import type { Answer } from './answer.ts';
import { Http2Reader, isAck } from './http2-reader.ts';
import type { Input } from './input.ts';
import { type Book, noteAnswer, Queue } from './job.ts';

const LANES = 3;
const STREAMS_MAX = 40;
/** After this many streams a connection is left for a new one. */
const STREAMS_OF_CONNECTION_MAX = 300;
const ANSWER_MS_MAX = 8000;
const PATIENCE_MS = 200;
const LOOK_MS = 25;
/** By then the server must have closed a connection whose peer has said goodbye. */
const CLOSE_MS_MAX = 20_000;
/** How often an input is sent that others, perhaps, brought down. */
const TRIES_MAX = 3;

const ACK = 1;
const WINDOW_BYTES = 65_535;
/** Answers are never held up: this client reads whatever comes. */
const OPENING = Buffer.concat([
  PREFACE,
  frameOf(FrameType.SETTINGS, 0, 0, Buffer.from([0, 4, 0x40, 0, 0, 0])),
  frameOf(FrameType.WINDOW_UPDATE, 0, 0, Buffer.from([0x7f, 0xfe, 0, 0])),
]);

type Http2Input = Extract<Input, { carrier: 'http2' }>;

interface Job {
  readonly input: Http2Input;
  readonly frames: (stream: number) => Buffer[];
  tries: number;
  sinceMs: number;
}

export class Http2Carrier {
  readonly queue = new Queue<Job>(LANES * STREAMS_MAX);
  readonly #port: number;
  readonly #book: Book;
  readonly #connections = new Set<Connection>();
  readonly #timer: NodeJS.Timeout;

  constructor(port: number, book: Book) {
    this.#port = port;
    this.#book = book;
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  async send(input: Http2Input, frames: (stream: number) => Buffer[]): Promise<void> {
    const room = this.queue.put({ input, frames, tries: 0, sinceMs: 0 });
    this.#pump();
    await room;
  }

  /** The numbers of the inputs that nothing has become of yet. */
  get underWay(): number[] {
    return [...this.#connections].flatMap((each) => each.underWay).concat(this.queue.indexes);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const connection of this.#connections) connection.destroy();
  }

  #pump(): void {
    const used = [...this.#connections].filter((connection) => !connection.isLeaving);
    for (const connection of used) connection.pump();
    for (let count = used.length; count < LANES && this.queue.length > 0; count++) {
      const connection = new Connection(this.#port, this.#book, this.queue, () => {
        this.#connections.delete(connection);
        this.#pump();
      });
      this.#connections.add(connection);
      connection.pump();
    }
  }

  #look(): void {
    for (const connection of this.#connections) connection.look();
    this.#pump();
  }
}

/** Bytes of DATA, which the peer's window must have room for. */
function flowBytes(frames: readonly Buffer[]): number {
  return frames
    .filter((frame) => frame[3] === FrameType.DATA)
    .reduce((sum, frame) => sum + frame.length - 9, 0);
}

class Connection {
  readonly #book: Book;
  readonly #queue: Queue<Job>;
  readonly #jobs = new Map<number, Job>();
  readonly #socket: net.Socket;
  #nextStream = 1;
  #window = WINDOW_BYTES;
  #usedAt = performance.now();
  #leftAt: number | undefined;

  constructor(port: number, book: Book, queue: Queue<Job>, onClose: () => void) {
    this.#book = book;
    this.#queue = queue;
    this.#socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    const reader = new Http2Reader({
      onAnswer: (stream, answer) => this.#settle(stream, answer),
      onFrame: (frame) => this.#answerFrame(frame),
    });
    this.#socket.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk);
      } catch (error) {
        book.report({ what: `not what HTTP/2 servers send: ${(error as Error).message}` });
        this.#socket.destroy();
      }
      this.pump();
    });
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => {
      this.#lost();
      onClose();
    });
    this.#socket.write(OPENING);
  }

  get underWay(): number[] {
    return [...this.#jobs.values()].map(({ input }) => input.index);
  }

  /** It takes no more streams. */
  get isLeaving(): boolean {
    return this.#leftAt !== undefined;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Sends what there is room for. */
  pump(): void {
    while (this.#jobs.size < STREAMS_MAX && this.#nextStream < 2 * STREAMS_OF_CONNECTION_MAX) {
      const job = this.#queue.peek();
      if (job === undefined || this.isLeaving || this.#socket.destroyed) return;
      const stream = this.#nextStream;
      const frames = job.frames(stream);
      const flow = flowBytes(frames);
      if (flow > this.#window) return;
      this.#queue.take();
      this.#nextStream += 2;
      this.#window -= flow;
      job.tries++;
      job.sinceMs = performance.now();
      this.#usedAt = job.sinceMs;
      this.#jobs.set(stream, job);
      this.#socket.write(Buffer.concat(frames));
    }
  }

  /** Gives up what has waited too long, and the connection when it has been used enough. */
  look(): void {
    const now = performance.now();
    for (const [stream, job] of this.#jobs) {
      if (now - job.sinceMs < (job.input.isAnswered ? ANSWER_MS_MAX : PATIENCE_MS)) continue;
      if (job.input.isAnswered) {
        this.#book.report({ index: job.input.index, what: `no answer in ${ANSWER_MS_MAX} ms` });
      }
      this.#jobs.delete(stream);
      this.#socket.write(frameOf(FrameType.RST_STREAM, 0, stream, CANCEL));
      this.#book.over(job.input, 'left');
    }
    if (this.#jobs.size > 0) return;
    if (this.#leftAt !== undefined) {
      if (now - this.#leftAt > CLOSE_MS_MAX) this.#giveUp(`not closed in ${CLOSE_MS_MAX} ms`);
    } else if (this.#nextStream >= 2 * STREAMS_OF_CONNECTION_MAX) {
      this.#leftAt = now;
      this.#socket.end(frameOf(FrameType.GOAWAY, 0, 0, Buffer.alloc(8)));
    } else if (this.#queue.length > 0 && now - this.#usedAt > ANSWER_MS_MAX) {
      // With nothing under way, all that was sent has been read: the window must be open again.
      this.#giveUp(`${this.#window} bytes of the connection's window are left`);
    }
  }

  #giveUp(what: string): void {
    this.#book.report({ what });
    this.#socket.destroy();
  }

  #settle(stream: number, answer: Answer): void {
    const job = this.#jobs.get(stream);
    if (job === undefined) return;
    this.#jobs.delete(stream);
    noteAnswer(this.#book, job.input, answer, job.input.verb);
  }

  #answerFrame(frame: Frame): void {
    const { type, stream, payload } = frame;
    if (type === FrameType.WINDOW_UPDATE && stream === 0) {
      this.#window += payload.readUInt32BE(0);
    } else if ((type === FrameType.SETTINGS || type === FrameType.PING) && !isAck(frame)) {
      const echoed = type === FrameType.PING ? payload : Buffer.alloc(0);
      if (this.#socket.writable) this.#socket.write(frameOf(type, ACK, 0, echoed));
    }
  }

  /** What was under way goes over another connection: others may have brought this one down. */
  #lost(): void {
    for (const job of this.#jobs.values()) {
      if (job.tries < TRIES_MAX) this.#queue.putBack(job);
      else this.#book.over(job.input, 'cut');
    }
    this.#jobs.clear();
  }
}
