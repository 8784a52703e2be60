/**
 * Load on a schedule: calls go out when they are due, whether or not the ones before were answered, and
 * their latency counts from when they were due. Made of bytes prepared beforehand, so that it costs
 * much less than the server that it measures.
 */
import net from 'node:net';
import {
  END_HEADERS,
  END_STREAM,
  FrameType,
  frameOf,
  headersOf,
  PREFACE,
  pseudo,
} from '../test/http2-frames.ts';

const CONNECTIONS = 16;
/** As the server's own default has it. */
const STREAMS_PER_CONNECTION = 1000;
/** After the last call was due, this long is waited for answers, in milliseconds. */
const GRACE_MS = 2000;
/** `:status: 200` as HPACK always writes it. */
const STATUS_200 = 0x88;

/** One call that is sent over and over: a REST request with a JSON body. */
export interface Request {
  readonly port: number;
  readonly path: string;
  readonly body: string;
}

export interface Load {
  /** Calls a second, at random moments (Poisson); or so many at a time, each after another. */
  readonly rate?: number;
  readonly atATime?: number;
  readonly seconds: number;
}

export interface Outcome {
  /** Answers with 200 each second, while the load was on. */
  readonly goodput: number;
  /** Of those with 200, from when they were due; what had no answer in the end counts until then. */
  readonly p50: number;
  readonly p99: number;
  /** Shares of the calls that were due. */
  readonly refused: number;
  readonly unanswered: number;
  /** 99 of 100 calls went out at most so much later than they were due, in milliseconds. */
  readonly senderLag: number;
}

/** A connection that sends one request as often as it is told, and reads the status of each answer. */
class Connection {
  readonly #socket: net.Socket;
  readonly #head: Buffer;
  readonly #data: Buffer;
  readonly #due = new Map<number, number>();
  readonly #done: (dueMs: number, isGood: boolean) => void;
  #next = 1;
  #rest = Buffer.alloc(0);

  constructor(request: Request, done: (dueMs: number, isGood: boolean) => void) {
    this.#done = done;
    this.#socket = net.connect({ port: request.port, host: '127.0.0.1', noDelay: true });
    const wide = Buffer.alloc(4);
    wide.writeUInt32BE(2 ** 31 - 1 - 65_535);
    this.#socket.write(
      Buffer.concat([
        PREFACE,
        frameOf(FrameType.SETTINGS, 0, 0),
        frameOf(FrameType.WINDOW_UPDATE, 0, 0, wide),
      ]),
    );
    const headers = [
      ...pseudo('POST', request.path),
      ['content-type', 'application/json'],
    ] as const;
    this.#head = headersOf(0, headers as never, END_HEADERS);
    this.#data = frameOf(FrameType.DATA, END_STREAM, 0, Buffer.from(request.body));
    this.#socket.on('data', (chunk: Buffer) => this.#read(chunk));
    this.#socket.on('error', (error) => {
      throw error;
    });
  }

  get isFull(): boolean {
    return this.#due.size >= STREAMS_PER_CONNECTION;
  }

  send(dueMs: number): void {
    const bytes = Buffer.concat([this.#head, this.#data]);
    bytes.writeUInt32BE(this.#next, 5);
    bytes.writeUInt32BE(this.#next, this.#head.length + 5);
    this.#due.set(this.#next, dueMs);
    this.#next += 2;
    this.#socket.write(bytes);
  }

  /** When those were due that have no answer yet. */
  get waiting(): Iterable<number> {
    return this.#due.values();
  }

  close(): void {
    this.#socket.removeAllListeners('error').on('error', () => {});
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (bytes.length >= at + 9) {
      const end = at + 9 + bytes.readUIntBE(at, 3);
      if (bytes.length < end) break;
      const stream = bytes.readUInt32BE(at + 5);
      if (bytes[at + 3] === FrameType.HEADERS) this.#answered(stream, bytes[at + 9] === STATUS_200);
      if (bytes[at + 3] === FrameType.SETTINGS && bytes[at + 4] === 0) {
        this.#socket.write(frameOf(FrameType.SETTINGS, 1, 0));
      }
      if (bytes[at + 3] === FrameType.GOAWAY) throw new Error('the server ended the connection');
      at = end;
    }
    this.#rest = Buffer.from(bytes.subarray(at));
  }

  #answered(stream: number, isGood: boolean): void {
    const dueMs = this.#due.get(stream);
    if (dueMs === undefined) return;
    this.#due.delete(stream);
    this.#done(dueMs, isGood);
  }
}

/** Puts the load on, and tells what came of it. */
export async function measure(request: Request, load: Load): Promise<Outcome> {
  const run = new Run(request, load);
  return run.outcome();
}

class Run {
  readonly #load: Load;
  readonly #connections: Connection[];
  readonly #endMs: number;
  readonly #latencies: number[] = [];
  readonly #lags: number[] = [];
  #sent = 0;
  #goodInTime = 0;
  #refused = 0;
  #nextDueMs: number;

  constructor(request: Request, load: Load) {
    this.#load = load;
    this.#connections = Array.from(
      { length: CONNECTIONS },
      () => new Connection(request, (dueMs, isGood) => this.#note(dueMs, isGood)),
    );
    this.#nextDueMs = performance.now();
    this.#endMs = this.#nextDueMs + load.seconds * 1000;
  }

  async outcome(): Promise<Outcome> {
    for (let i = 0; i < (this.#load.atATime ?? 0); i++) this.#send(performance.now());
    while (performance.now() < this.#endMs) {
      if (this.#load.rate !== undefined) this.#sendDue(this.#load.rate);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const cutMs = this.#endMs + GRACE_MS;
    while (this.#waiting().length > 0 && performance.now() < cutMs) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const good = this.#goodInTime;
    const unanswered = this.#waiting();
    for (const dueMs of unanswered) this.#latencies.push(performance.now() - dueMs);
    for (const connection of this.#connections) connection.close();
    return {
      goodput: good / this.#load.seconds,
      p50: quantile(this.#latencies, 0.5),
      p99: quantile(this.#latencies, 0.99),
      refused: this.#refused / this.#sent,
      unanswered: unanswered.length / this.#sent,
      senderLag: quantile(this.#lags, 0.99),
    };
  }

  #sendDue(rate: number): void {
    const nowMs = performance.now();
    while (this.#nextDueMs <= nowMs) {
      this.#lags.push(nowMs - this.#nextDueMs);
      this.#send(this.#nextDueMs);
      this.#nextDueMs += (-Math.log(1 - Math.random()) / rate) * 1000;
    }
  }

  #send(dueMs: number): void {
    const first = this.#sent++;
    for (let i = 0; i < CONNECTIONS; i++) {
      const connection = this.#connections[(first + i) % CONNECTIONS];
      if (connection === undefined || connection.isFull) continue;
      connection.send(dueMs);
      return;
    }
    throw new Error('more calls are under way than the connections carry');
  }

  #note(dueMs: number, isGood: boolean): void {
    const nowMs = performance.now();
    if (isGood) this.#latencies.push(nowMs - dueMs);
    else this.#refused++;
    if (isGood && nowMs < this.#endMs) this.#goodInTime++;
    if (this.#load.atATime !== undefined && nowMs < this.#endMs) this.#send(nowMs);
  }

  #waiting(): number[] {
    return this.#connections.flatMap((connection) => [...connection.waiting]);
  }
}

function quantile(values: number[], share: number): number {
  values.sort((a, b) => a - b);
  return values[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN;
}
