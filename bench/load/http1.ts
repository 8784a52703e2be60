/** An HTTP/1.1 connection that carries one call after another, and costs little. */
import net from 'node:net';
import type { Connection, Listener } from './connection.ts';

const HEAD_END = Buffer.from('\r\n\r\n');
const LAST_CHUNK = Buffer.from('\r\n0\r\n\r\n');
/** Read at a time; little, since hundreds of connections are opened for a window. */
const READ_BYTES = 16_384;
/** Where the status is in `HTTP/1.1 200 OK`. */
const STATUS_AT = 9;
const STATUS_OK = Buffer.from('200 ');

export interface Http1Options {
  readonly port: number;
  readonly isAnyLength?: boolean;
  /** What each answer holds. */
  readonly proof?: string;
}

export class Http1Connection implements Connection {
  readonly #socket: net.Socket;
  readonly #listener: Listener;
  readonly #isAnyLength: boolean;
  readonly #proof: Buffer;
  readonly ready: Promise<void>;
  sample = '';
  underWay = 0;
  #tag = 0;
  /** What came of an answer that is not whole yet. */
  #part: Buffer | undefined;
  /** `content-length: ` as this server writes it; undefined: it sends chunks. */
  #lengthHeader: Buffer | undefined;
  #bodyBytes = 0;
  #isClosed = false;

  constructor({ port, isAnyLength = false, proof = '' }: Http1Options, listener: Listener) {
    this.#listener = listener;
    this.#isAnyLength = isAnyLength;
    this.#proof = Buffer.from(proof);
    const buffer = Buffer.alloc(READ_BYTES);
    this.#socket = net.connect({
      ...{ port, host: '127.0.0.1', noDelay: true },
      onread: {
        buffer,
        callback: (bytes) => {
          this.#read(buffer.subarray(0, bytes));
          return true;
        },
      },
    });
    this.#socket.on('error', (error) => listener.failed(error));
    this.#socket.on('close', () => {
      if (!this.#isClosed) listener.failed(new Error('the server closed a connection'));
    });
    this.ready = new Promise((resolve) => this.#socket.once('connect', resolve));
  }

  send(request: Buffer, tag: number): void {
    this.#tag = tag;
    this.underWay = 1;
    this.#socket.write(request);
  }

  close(): void {
    this.#isClosed = true;
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    const bytes = this.#part === undefined ? chunk : Buffer.concat([this.#part, chunk]);
    if (!this.#isWhole(bytes)) {
      // The buffer that it came in is used again.
      this.#part = Buffer.from(bytes);
      return;
    }
    this.#part = undefined;
    const isOk = bytes.compare(STATUS_OK, 0, STATUS_OK.length, STATUS_AT, STATUS_AT + 4) === 0;
    if (!isOk || bytes.indexOf(this.#proof) === -1) {
      this.#listener.failed(new Error(`answered ${bytes.toString()}`));
      return;
    }
    this.underWay = 0;
    this.#listener.answered(this, this.#tag);
  }

  #isWhole(bytes: Buffer): boolean {
    const headEnd = bytes.indexOf(HEAD_END);
    if (headEnd === -1) return false;
    if (this.sample === '') this.#learn(bytes, headEnd);
    const bodyAt = headEnd + HEAD_END.length;
    const isWhole =
      this.#lengthHeader === undefined
        ? bytes.subarray(-LAST_CHUNK.length).equals(LAST_CHUNK)
        : bytes.length >= bodyAt + this.#lengthOf(bytes, this.#lengthHeader);
    if (isWhole && this.sample === '') {
      this.sample = bytes.toString('utf8', bodyAt);
      this.#bodyBytes = bytes.length - bodyAt;
    }
    if (isWhole && !this.#isAnyLength && bytes.length - bodyAt !== this.#bodyBytes) {
      this.#listener.failed(new Error(`another answer than before: ${bytes.toString()}`));
    }
    return isWhole;
  }

  #learn(bytes: Buffer, headEnd: number): void {
    const found = /\r\ncontent-length: */i.exec(bytes.toString('latin1', 0, headEnd));
    this.#lengthHeader = found === null ? undefined : Buffer.from(found[0]);
  }

  #lengthOf(bytes: Buffer, header: Buffer): number {
    let at = bytes.indexOf(header);
    if (at === -1) return 0;
    let length = 0;
    for (at += header.length; (bytes[at] ?? 0) >= 48; at++) {
      length = length * 10 + (bytes[at] ?? 0) - 48;
    }
    return length;
  }
}
