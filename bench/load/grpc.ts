/** An HTTP/2 connection that carries unary gRPC calls, made of frames and nothing else. */
import net from 'node:net';
import { END_HEADERS, END_STREAM, FrameType, frameOf, PREFACE } from '../../test/http2-frames.ts';
import type { Connection, Listener } from './connection.ts';

/** As the biggest server's buffer is asked to be: no answer waits for a window. */
const WINDOW_BYTES = 2 ** 31 - 1;
const INITIAL_WINDOW_BYTES = 65_535;
const SETTINGS_INITIAL_WINDOW = 4;
const SETTINGS_MAX_CONCURRENT = 3;
const FRAME_HEAD = 9;
const MESSAGE_PREFIX = 5;
const ACK = 1;

/** The static table's `:method: POST` and `:scheme: http`. */
const POST_HTTP = [0x83, 0x86];
/** Literal with incremental indexing, new name. */
const LITERAL = 0x40;
const INDEXED = 0x80;
/** The newest entry of the dynamic table. */
const NEWEST = 62;

/** A head that puts its fields in the table, and the one that finds them there, as clients do it. */
function heads(path: string, more: readonly (readonly [string, string])[]): [Buffer, Buffer] {
  const fields: (readonly [string, string])[] = [
    [':path', path],
    [':authority', '127.0.0.1'],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
    ['user-agent', 'propusk-bench'],
    ...more,
  ];
  const first = fields.flatMap(([name, value]) => [LITERAL, ...text(name), ...text(value)]);
  const later = fields.map((_, i) => INDEXED | (NEWEST + fields.length - 1 - i));
  const frame = (block: number[]) =>
    frameOf(FrameType.HEADERS, END_HEADERS, 0, Buffer.from([...POST_HTTP, ...block]));
  return [frame(first), frame(later)];
}

function text(value: string): number[] {
  if (value.length >= 127) throw new Error(`${value} is too long`);
  return [value.length, ...Buffer.from(value)];
}

export interface GrpcOptions {
  readonly port: number;
  readonly path: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly isAnyLength?: boolean;
  /** What each message begins with, in hex. */
  readonly proof?: string;
}

export class GrpcConnection implements Connection {
  readonly #socket: net.Socket;
  readonly #listener: Listener;
  readonly #isAnyLength: boolean;
  readonly #proof: Buffer;
  readonly #laterHead: Buffer;
  readonly ready: Promise<void>;
  #head: Buffer;
  sample = '';
  underWay = 0;
  #nextStream = 1;
  /** By stream: its sender's number, and how many bytes of its answer have come. */
  readonly #calls = new Map<number, { tag: number; bytes: number }>();
  #answerBytes = 0;
  #rest: Buffer | undefined;
  /** What goes out when everything that has come is read. */
  #out: Buffer[] = [];
  #isReading = false;
  #isClosed = false;

  constructor(options: GrpcOptions, listener: Listener) {
    this.#listener = listener;
    this.#isAnyLength = options.isAnyLength ?? false;
    this.#proof = Buffer.from(options.proof ?? '', 'hex');
    [this.#head, this.#laterHead] = heads(options.path, options.headers ?? []);
    this.#socket = net.connect({ port: options.port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('data', (chunk) => this.#read(chunk as Buffer));
    this.#socket.on('error', (error) => listener.failed(error));
    this.#socket.on('close', () => {
      if (!this.#isClosed) listener.failed(new Error('the server closed a connection'));
    });
    this.#socket.write(opening());
    // Its settings are the first that a server says.
    this.ready = new Promise((resolve) => this.#socket.once('data', () => resolve()));
  }

  send(request: Buffer, tag: number): void {
    const stream = this.#nextStream;
    this.#nextStream += 2;
    this.underWay++;
    this.#calls.set(stream, { tag, bytes: 0 });
    // A copy: the same request may be under way already, on another stream.
    const bytes = Buffer.concat([this.#head, request]);
    bytes.writeUInt32BE(stream, 5);
    bytes.writeUInt32BE(stream, this.#head.length + 5);
    this.#head = this.#laterHead;
    if (this.#isReading) this.#out.push(bytes);
    else this.#socket.write(bytes);
  }

  close(): void {
    this.#isClosed = true;
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#isReading = true;
    let at = 0;
    while (bytes.length >= at + FRAME_HEAD) {
      const end = at + FRAME_HEAD + bytes.readUIntBE(at, 3);
      if (bytes.length < end) break;
      this.#frame(bytes, at, end);
      at = end;
    }
    this.#rest = at === bytes.length ? undefined : bytes.subarray(at);
    this.#isReading = false;
    const [first] = this.#out;
    if (first === undefined) return;
    this.#socket.write(this.#out.length === 1 ? first : Buffer.concat(this.#out));
    this.#out = [];
  }

  #frame(bytes: Buffer, at: number, end: number): void {
    const type = bytes[at + 3];
    const flags = bytes[at + 4] ?? 0;
    const stream = bytes.readUInt32BE(at + 5);
    const call = this.#calls.get(stream);
    if (type === FrameType.DATA && call !== undefined) {
      const from = at + FRAME_HEAD;
      if (this.sample === '') this.sample = bytes.toString('hex', from, end);
      const messageAt = from + MESSAGE_PREFIX;
      const isProved =
        bytes.compare(this.#proof, 0, undefined, messageAt, messageAt + this.#proof.length) === 0;
      // Messages are shorter than a frame: each begins with the first of its answer.
      if (call.bytes === 0 && !isProved) {
        this.#listener.failed(new Error(`answered ${bytes.toString('hex', from, end)}`));
      }
      call.bytes += end - from;
    } else if (type === FrameType.HEADERS && call !== undefined) {
      if ((flags & END_STREAM) !== 0)
        this.#ended(stream, call, bytes.subarray(at + FRAME_HEAD, end));
    } else if (type === FrameType.SETTINGS || type === FrameType.PING) {
      const acknowledged = frameOf(
        type,
        ACK,
        0,
        type === FrameType.PING ? bytes.subarray(at + FRAME_HEAD, end) : undefined,
      );
      if ((flags & ACK) === 0) this.#out.push(acknowledged);
    } else if (type === FrameType.GOAWAY || type === FrameType.RST_STREAM) {
      this.#listener.failed(new Error(`the server sent frame ${bytes.toString('hex', at, end)}`));
    }
  }

  /**
   * A unary call that fails has no message, and one that succeeds has exactly one: the length tells
   * them apart, and the trailers need not be read.
   */
  #ended(stream: number, call: { tag: number; bytes: number }, trailers: Buffer): void {
    this.#calls.delete(stream);
    this.underWay--;
    if (this.#answerBytes === 0) this.#answerBytes = call.bytes;
    const isGood = this.#isAnyLength
      ? call.bytes >= MESSAGE_PREFIX
      : call.bytes === this.#answerBytes && call.bytes > MESSAGE_PREFIX;
    if (isGood) this.#listener.answered(this, call.tag);
    else this.#listener.failed(new Error(`a call failed with grpc-status ${statusIn(trailers)}`));
  }
}

/** The first text that is a number: a compressed head begins with what is new, the status. */
function statusIn(trailers: Buffer): string {
  for (const [at, length] of trailers.entries()) {
    const text = trailers.toString('latin1', at + 1, at + 1 + length);
    if (length <= 2 && /^\d+$/.test(text)) return text;
  }
  return 'unknown';
}

function opening(): Buffer {
  const settings = Buffer.alloc(12);
  settings.writeUInt16BE(SETTINGS_MAX_CONCURRENT, 0);
  settings.writeUInt32BE(0, 2);
  settings.writeUInt16BE(SETTINGS_INITIAL_WINDOW, 6);
  settings.writeUInt32BE(WINDOW_BYTES, 8);
  const more = Buffer.alloc(4);
  more.writeUInt32BE(WINDOW_BYTES - INITIAL_WINDOW_BYTES);
  return Buffer.concat([
    PREFACE,
    frameOf(FrameType.SETTINGS, 0, 0, settings),
    frameOf(FrameType.WINDOW_UPDATE, 0, 0, more),
  ]);
}
