/** gRPC's length-prefixed messages: one flag byte, four bytes of length, the message. */
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { AppError } from '../../domain/errors.ts';
import { CHUNK_BYTES, tooLarge } from '../body.ts';

/** What is before each message. */
export const PREFIX_BYTES = 5;
/** The message is compressed as `grpc-encoding` says. */
export const FLAG_COMPRESSED = 1;
/** gRPC-Web sends its trailers as a last frame in the body. */
export const FLAG_TRAILERS = 0x80;

const gunzipAsync = promisify(gunzip);

export interface Frame {
  readonly flags: number;
  readonly data: Buffer;
}

/** Puts the prefix before a message. */
export function frame(flags: number, message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  framed[0] = flags;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, PREFIX_BYTES);
  return framed;
}

function invalid(message: string): AppError {
  return new AppError('INVALID_REQUEST', message);
}

const NOTHING = Buffer.alloc(0);

/** Cuts a byte stream into frames; it holds one frame at most, and that within the limit. */
export class FrameReader {
  readonly #bytesMax: number;
  #rest: Buffer = NOTHING;
  #chunks: Buffer[] = [];
  #size = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** What it holds costs so many bytes of memory. */
  get bytes(): number {
    return this.#rest.length + this.#size + this.#chunks.length * CHUNK_BYTES;
  }

  /** Takes more bytes. */
  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
  }

  /** The next whole frame, or undefined until more bytes come. */
  next(): Frame | undefined {
    if (this.#rest.length + this.#size < PREFIX_BYTES) return undefined;
    if (this.#rest.length < PREFIX_BYTES) this.#gather();
    const length = this.#rest.readUInt32BE(1);
    if (length > this.#bytesMax) throw tooLarge(this.#bytesMax);
    const end = PREFIX_BYTES + length;
    if (this.#rest.length + this.#size < end) return undefined;
    this.#gather();
    const data = this.#rest.subarray(PREFIX_BYTES, end);
    const flags = this.#rest[0] ?? 0;
    // An empty part of it would hold all of it.
    this.#rest = end === this.#rest.length ? NOTHING : this.#rest.subarray(end);
    return { flags, data };
  }

  /** Throws when the stream ended inside a frame. */
  end(): void {
    if (this.#rest.length + this.#size > 0) {
      throw invalid(
        'the request ended inside a message: its length prefix says more than was sent',
      );
    }
  }

  #gather(): void {
    if (this.#size === 0) return;
    // A copy even of one: a chunk is a part of all that was read of the socket at once.
    this.#rest = Buffer.concat([this.#rest, ...this.#chunks]);
    this.#chunks = [];
    this.#size = 0;
  }
}

/** True for a body that is one frame, within the limit. */
function isOneFrame(body: Buffer, bytesMax: number): boolean {
  const length = body.length - PREFIX_BYTES;
  return length >= 0 && length <= bytesMax && body.readUInt32BE(1) === length;
}

/** The same, and not compressed. */
export function isPlainFrame(body: Buffer, bytesMax: number): boolean {
  return body[0] === 0 && isOneFrame(body, bytesMax);
}

/** The frame of a request that has exactly one; it is a part of the body. */
export function onlyFrame(body: Buffer, bytesMax: number): Frame {
  if (isOneFrame(body, bytesMax)) {
    return { flags: body[0] ?? 0, data: body.subarray(PREFIX_BYTES) };
  }
  const reader = new FrameReader(bytesMax);
  reader.push(body);
  const first = reader.next();
  if (first !== undefined) reader.next();
  reader.end();
  const sent = first === undefined ? 'none was' : 'several were';
  const message = `this method takes one message, and ${sent} sent`;
  throw new AppError('MESSAGE_COUNT_WRONG', message);
}

/** The message bytes of a frame, decompressed where its flag says so; no promise where it does not. */
export function unpack(
  { flags, data }: Frame,
  encoding: string,
  bytesMax: number,
): Buffer | Promise<Buffer> {
  return flags === 0 ? data : decompress({ flags, data }, encoding, bytesMax);
}

async function decompress(
  { flags, data }: Frame,
  encoding: string,
  bytesMax: number,
): Promise<Buffer> {
  if (flags !== FLAG_COMPRESSED) throw invalid(`a message has unknown flags ${flags}`);
  if (encoding === 'identity') {
    throw new AppError(
      'COMPRESSION_UNDECLARED',
      'a message is flagged as compressed, but grpc-encoding names no compression',
    );
  }
  try {
    return await gunzipAsync(data, { maxOutputLength: bytesMax });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(bytesMax);
    throw invalid('a message that is flagged as compressed is not gzip');
  }
}
