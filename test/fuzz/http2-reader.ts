/** Reads what a server sends over HTTP/2, frame by frame, and puts each stream's answer together. */
import { END_HEADERS, END_STREAM, type Frame, FrameType, framesIn } from '../http2-frames.ts';
import type { Answer } from './answer.ts';
import { HpackReader } from './hpack-reader.ts';

const ACK = 1;
const PADDED = 8;

/** What the reader tells of. */
export interface Http2Events {
  /** A stream's answer has ended, or its stream was reset. */
  readonly onAnswer: (stream: number, answer: Answer) => void;
  /** Frames that concern the connection, and what concerns flow. */
  readonly onFrame?: (frame: Frame) => void;
}

interface Half {
  status: number;
  headers: Record<string, string>;
  trailers: Record<string, string>;
  readonly body: Buffer[];
}

export class Http2Reader {
  readonly #events: Http2Events;
  readonly #hpack = new HpackReader();
  readonly #halves = new Map<number, Half>();
  #rest: Buffer = Buffer.alloc(0);
  #block: Buffer[] = [];
  #blockEndsStream = false;

  constructor(events: Http2Events) {
    this.#events = events;
  }

  /** Takes more bytes. Throws when they are no frames that a server may send. */
  push(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    for (const frame of framesIn(bytes)) {
      at += 9 + frame.payload.length;
      this.#take(frame);
    }
    this.#rest = bytes.subarray(at);
  }

  #take(frame: Frame): void {
    const { type, flags, stream, payload } = frame;
    if (type === FrameType.HEADERS || type === FrameType.CONTINUATION) {
      // A server of ours neither pads nor weighs.
      if (type === FrameType.HEADERS) this.#blockEndsStream = (flags & END_STREAM) !== 0;
      this.#block.push(payload);
      if ((flags & END_HEADERS) !== 0) this.#head(stream);
    } else if (type === FrameType.DATA) {
      const padding = (flags & PADDED) === 0 ? 0 : (payload[0] ?? 0) + 1;
      const from = padding === 0 ? 0 : 1;
      const data = payload.subarray(from, payload.length - padding + from);
      this.#halves.get(stream)?.body.push(Buffer.from(data));
      if ((flags & END_STREAM) !== 0) this.#end(stream, true);
    } else if (type === FrameType.RST_STREAM) {
      this.#end(stream, false);
    }
    this.#events.onFrame?.(frame);
  }

  #head(stream: number): void {
    const fields = Object.fromEntries(this.#hpack.read(Buffer.concat(this.#block)));
    this.#block = [];
    const half = this.#halves.get(stream);
    if (half !== undefined) {
      half.trailers = fields;
    } else {
      const status = Number(fields[':status']);
      // An interim answer says nothing yet.
      if (status < 200) return;
      this.#halves.set(stream, { status, headers: fields, trailers: {}, body: [] });
    }
    if (this.#blockEndsStream) this.#end(stream, true);
  }

  #end(stream: number, isWhole: boolean): void {
    const half = this.#halves.get(stream) ?? { status: 0, headers: {}, trailers: {}, body: [] };
    this.#halves.delete(stream);
    const { status, headers, trailers } = half;
    this.#events.onAnswer(stream, {
      status,
      headers,
      trailers,
      body: Buffer.concat(half.body),
      isWhole,
    });
  }
}

/** True for the answer to a ping or to settings. */
export function isAck({ type, flags }: Frame): boolean {
  return (type === FrameType.PING || type === FrameType.SETTINGS) && (flags & ACK) !== 0;
}
