/** Reads a request's body, within limits of size and time. */
import type { Readable } from 'node:stream';
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

/**
 * The whole body. Rejects with BODY_TOO_LARGE as soon as it is over the limit, with UNAVAILABLE when
 * all bodies together are, with DEADLINE_EXCEEDED when it is not there in time, with CANCELLED when
 * the peer goes away or the call is over.
 */
export function readBody(
  body: Readable,
  limits: Pick<BodyLimits, 'bodyBytesMax' | 'requestMsMax'>,
  held: Held,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let isSettled = false;
    // The listeners stay: to take them back costs as much as to add them.
    const settle = (error: AppError | undefined) => {
      if (isSettled) return;
      isSettled = true;
      timer.clear();
      // The listeners keep what they see for as long as the answer takes.
      const parts = chunks.splice(0);
      if (error === undefined) {
        resolve(parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts));
      } else {
        body.pause();
        reject(error);
      }
    };
    const onData = (chunk: Buffer) => {
      if (isSettled) return;
      size += chunk.length;
      chunks.push(chunk);
      if (size > limits.bodyBytesMax) return settle(tooLarge(limits.bodyBytesMax));
      const full = held.set(size + chunks.length * CHUNK_BYTES);
      if (full !== undefined) settle(full);
    };
    const onEnd = () => settle(undefined);
    const onClose = () => {
      if (!isSettled) settle(new AppError('CANCELLED', 'the caller went away'));
    };
    const timer = new TurnTimer(limits.requestMsMax, () => {
      const late = `the request did not arrive whole within ${limits.requestMsMax} ms`;
      settle(new AppError('DEADLINE_EXCEEDED', late));
    });
    held.onRelease(settle);
    body.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  });
}
