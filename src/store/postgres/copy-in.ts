/** COPY … FROM STDIN over a connection of pg, which speaks its messages but has no call for it. */
import type { Writable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import pg from 'pg';

/** What pg's connection does for COPY, which its types leave out. */
interface CopyConnection {
  readonly stream: Writable;
  sendCopyFromChunk(chunk: Uint8Array): void;
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
}

class CopyIn extends pg.Query {
  readonly #chunks: Iterable<Uint8Array>;
  /** Answered, or refused: what is sent after that nobody reads. */
  isOver = false;
  /** What kept the chunks from being made. */
  failure: unknown;

  constructor(sql: string, chunks: Iterable<Uint8Array>, done: (error?: Error) => void) {
    super(sql, (error) => {
      this.isOver = true;
      done(error);
    });
    this.#chunks = chunks;
  }

  /** Called by pg when the server is ready to take the rows. */
  handleCopyInResponse(connection: CopyConnection): void {
    this.#send(connection).then(
      () => connection.endCopyFrom(),
      (error: unknown) => {
        this.failure = error;
        connection.sendCopyFail('the rows could not be read');
      },
    );
  }

  async #send(connection: CopyConnection): Promise<void> {
    const { stream } = connection;
    for (const chunk of this.#chunks) {
      if (this.isOver || stream.destroyed) return;
      connection.sendCopyFromChunk(chunk);
      if (stream.writableNeedDrain) await drained(stream);
      // Chunks are made at once: signals, and the server's refusal, are heard in between.
      else await setImmediate();
    }
  }
}

function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done).off('close', done);
      resolve();
    };
    stream.on('drain', done).on('close', done);
  });
}

/**
 * Has the server take all chunks; no more than one or two of them are in memory.
 * @param sql `COPY … FROM STDIN`
 * @throws what the server refuses, with the line in `where`; or what made no chunk
 */
export async function copyIn(
  client: pg.Client,
  sql: string,
  chunks: Iterable<Uint8Array>,
): Promise<void> {
  let query: CopyIn | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      query = new CopyIn(sql, chunks, (error) => (error ? reject(error) : resolve()));
      client.query(query);
    });
  } catch (error) {
    throw query?.failure ?? error;
  }
}
