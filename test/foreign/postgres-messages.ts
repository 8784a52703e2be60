/** What a client of PostgreSQL sends, message by message (protocol 3.0). */

export interface ClientMessage {
  /** As it was sent. */
  readonly raw: Buffer;
  /** Parameters of the connection, in its first message alone. */
  readonly startup?: Readonly<Record<string, string>>;
  /** What the server does when it has it, where it does something. */
  readonly sql?: string;
  /** Whether it commits then. */
  readonly isCommit: boolean;
}

/** Reads one connection, in pieces as they come. Knows nothing of TLS, nor of cancellation. */
export class PostgresMessages {
  #rest: Buffer = Buffer.alloc(0);
  #isStarted = false;
  /** What is prepared under which name. */
  readonly #texts = new Map<string, string>();
  /** What the portals, by their names, will execute. */
  readonly #portals = new Map<string, string>();

  /** The messages that are whole with these bytes. */
  take(bytes: Buffer): ClientMessage[] {
    const messages: ClientMessage[] = [];
    this.#rest = Buffer.concat([this.#rest, bytes]);
    for (;;) {
      // The first message has no type before its length.
      const lengthAt = this.#isStarted ? 1 : 0;
      if (this.#rest.length < lengthAt + 4) return messages;
      const end = lengthAt + this.#rest.readInt32BE(lengthAt);
      if (this.#rest.length < end) return messages;
      const raw = this.#rest.subarray(0, end);
      this.#rest = this.#rest.subarray(end);
      messages.push(this.#isStarted ? this.#read(raw) : this.#start(raw));
    }
  }

  #start(raw: Buffer): ClientMessage {
    this.#isStarted = true;
    const texts = raw.subarray(8).toString('utf8').split('\0');
    const startup: Record<string, string> = {};
    for (let i = 0; i + 1 < texts.length; i += 2) startup[texts[i] ?? ''] = texts[i + 1] ?? '';
    return { raw, startup, isCommit: false };
  }

  #read(raw: Buffer): ClientMessage {
    const [first = '', second = ''] = raw.subarray(5).toString('latin1').split('\0');
    switch (String.fromCharCode(raw[0] ?? 0)) {
      case 'Q':
        return { raw, sql: first, isCommit: isCommit(first) };
      case 'P':
        this.#texts.set(first, second);
        break;
      case 'B':
        this.#portals.set(first, this.#texts.get(second) ?? '');
        break;
      case 'E': {
        const sql = this.#portals.get(first) ?? '';
        return { raw, sql, isCommit: isCommit(sql) };
      }
      default:
    }
    return { raw, isCommit: false };
  }
}

function isCommit(sql: string): boolean {
  return /^\s*commit\s*;?\s*$/i.test(sql);
}
