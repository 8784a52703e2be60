/** What loads know of a connection. */

/** Carries calls; each call is known by a number of its sender's own. */
export interface Connection {
  /** Calls under way. */
  readonly underWay: number;
  /** Resolves when calls can be sent. */
  readonly ready: Promise<void>;
  /** Sends a request; `tag` comes back with the answer. */
  send(request: Buffer, tag: number): void;
  /** The first answer's body, as text or hex. */
  readonly sample: string;
  close(): void;
}

/** Hears of the calls of a connection. */
export interface Listener {
  answered(connection: Connection, tag: number): void;
  /** A call failed, or the connection did: nothing that was measured counts. */
  failed(error: Error): void;
}
