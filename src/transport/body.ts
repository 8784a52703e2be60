/** Reads a request's body, within limits of size and time. */
import { AppError } from '../domain/errors.ts';
import type { Held, RequestMemory } from '../pipeline/request-memory.ts';
import { TurnTimer } from '../pipeline/turn-timer.ts';

/** What a chunk costs beside its bytes; a body of many small ones costs mostly this. */
export const CHUNK_BYTES = 256;

export interface BodyLimits {
  readonly bodyBytesMax: number;
  /** The same of one message of a stream, which may be held for as long as the stream is open. */
  readonly streamBodyBytesMax: number;
  /** From the head of the request to the end of its body. */
  readonly requestMsMax: number;
  /** What all bodies together may hold. */
  readonly memory: RequestMemory;
}

/** The refusal of a body or message that is too large. */
export function tooLarge(bytesMax: number): AppError {
  return new AppError('BODY_TOO_LARGE', `the request is larger than ${bytesMax} bytes`);
}

/** Takes a body as it comes. */
export interface BodySink {
  data(chunk: Buffer): void;
  /** It has come whole. */
  end(): void;
}

/** Where a body comes from. */
export interface BodySource {
  /** The whole body where it is there already, to be asked for once: then nothing else is asked of this. */
  takeWhole(): Buffer | undefined;
  /** Hands all that comes to a sink. */
  read(sink: BodySink): void;
  /** Reads no more for now. */
  pause(): void;
}

/**
 * What `make` makes of the whole body. Throws, or rejects, with what that throws, with BODY_TOO_LARGE as
 * soon as the body is over the limit, with UNAVAILABLE when all bodies together are, with DEADLINE_EXCEEDED
 * when it is not there in time, with CANCELLED when the call is over, as it is when the peer goes away.
 * No promise where the body is there already.
 */
export function readBody<T>(
  source: BodySource,
  limits: Pick<BodyLimits, 'bodyBytesMax' | 'requestMsMax'>,
  held: Held,
  make: (body: Buffer) => T | Promise<T>,
): T | Promise<T> {
  const whole = source.takeWhole();
  if (whole !== undefined) {
    if (whole.length > limits.bodyBytesMax) throw tooLarge(limits.bodyBytesMax);
    const full = held.set(whole.length + CHUNK_BYTES);
    if (full !== undefined) throw full;
    return make(whole);
  }
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let isSettled = false;
    const settle = (error: AppError | undefined) => {
      if (isSettled) return;
      isSettled = true;
      timer.clear();
      // The sink may be known for as long as the answer takes.
      const parts = chunks.splice(0);
      if (error !== undefined) {
        source.pause();
        reject(error);
        return;
      }
      try {
        const [first] = parts;
        resolve(make(parts.length === 1 && first !== undefined ? first : Buffer.concat(parts)));
      } catch (thrown) {
        reject(thrown);
      }
    };
    const data = (chunk: Buffer) => {
      if (isSettled) return;
      size += chunk.length;
      chunks.push(chunk);
      if (size > limits.bodyBytesMax) return settle(tooLarge(limits.bodyBytesMax));
      const full = held.set(size + chunks.length * CHUNK_BYTES);
      if (full !== undefined) settle(full);
    };
    const timer = new TurnTimer(limits.requestMsMax, () => {
      const late = `the request did not arrive whole within ${limits.requestMsMax} ms`;
      settle(new AppError('DEADLINE_EXCEEDED', late));
    });
    held.onRelease(settle);
    source.read({ data, end: () => settle(undefined) });
  });
}
