/** Connections whose every byte the test chooses. */
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** How long the end of a connection is waited for. */
const GIVE_UP_MS = 5000;

/** Bytes to send, or milliseconds to wait before the next ones. */
export type Step = string | Uint8Array | number;

export interface Talk {
  /** What the server sent. */
  readonly bytes: Buffer;
  /** The same as text. */
  readonly text: string;
  /** False when the connection was still open in the end. */
  readonly isClosed: boolean;
  readonly ms: number;
}

export interface TalkOptions {
  /** Ends the talk: true when what was received is enough. */
  readonly enough?: (received: Buffer) => boolean;
  readonly giveUpMs?: number;
}

/** Sends the steps, and listens until the server closes, or it is enough. */
export async function talk(
  port: number,
  steps: readonly Step[],
  { enough = () => false, giveUpMs = GIVE_UP_MS }: TalkOptions = {},
): Promise<Talk> {
  const startedMs = performance.now();
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
  const parts: Buffer[] = [];
  const over = Promise.withResolvers<boolean>();
  socket.on('data', (chunk: Buffer) => {
    parts.push(chunk);
    if (enough(Buffer.concat(parts))) over.resolve(false);
  });
  socket.on('error', () => over.resolve(true));
  socket.on('close', () => over.resolve(true));
  const timer = setTimeout(() => over.resolve(false), giveUpMs);
  for (const step of steps) {
    if (typeof step === 'number') await Promise.race([sleep(step), over.promise]);
    else if (socket.writable) socket.write(step);
  }
  const isClosed = await over.promise;
  clearTimeout(timer);
  socket.destroy();
  const bytes = Buffer.concat(parts);
  return { bytes, text: bytes.toString(), isClosed, ms: performance.now() - startedMs };
}
