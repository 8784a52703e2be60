/** An answer of the server, whichever version of HTTP brought it. */
export interface Answer {
  /** 0 where the stream was reset before there was one. */
  readonly status: number;
  /** Lower-case names; the last of several values. */
  readonly headers: Readonly<Record<string, string>>;
  /** Of HTTP/2, what came after the body. */
  readonly trailers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** False where the connection or the stream ended before the answer did. */
  readonly isWhole: boolean;
}
