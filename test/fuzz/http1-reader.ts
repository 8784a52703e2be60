/** Cuts what a server sends over HTTP/1.1 into answers. */
import type { Answer } from './answer.ts';

const END_OF_HEAD = Buffer.from('\r\n\r\n');

interface Head {
  readonly status: number;
  readonly headers: Record<string, string>;
  /** Where the body starts. */
  readonly bodyAt: number;
}

function headIn(bytes: Buffer): Head | undefined {
  const at = bytes.indexOf(END_OF_HEAD);
  if (at === -1) return undefined;
  const [first = '', ...lines] = bytes.subarray(0, at).toString('latin1').split('\r\n');
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1];
  if (status === undefined)
    throw new Error(`not an answer: ${JSON.stringify(first.slice(0, 100))}`);
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(': ');
    if (colon <= 0) throw new Error(`not a header: ${JSON.stringify(line.slice(0, 100))}`);
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 2);
  }
  return { status: Number(status), headers, bodyAt: at + 4 };
}

/** The chunks at `at`, joined, and where they end; undefined while there are more to come. */
function unchunk(bytes: Buffer, at: number): { body: Buffer; end: number } | undefined {
  const chunks: Buffer[] = [];
  let from = at;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', from);
    if (lineEnd === -1) return undefined;
    const size = Number.parseInt(bytes.subarray(from, lineEnd).toString('latin1'), 16);
    if (Number.isNaN(size)) throw new Error('not a chunk');
    const end = lineEnd + 2 + size + 2;
    if (bytes.length < end) return undefined;
    if (size === 0) return { body: Buffer.concat(chunks), end };
    chunks.push(bytes.subarray(lineEnd + 2, end - 2));
    from = end;
  }
}

/** Reads the answers of one connection. */
export class Http1Reader {
  #rest: Buffer = Buffer.alloc(0);

  /** True when bytes of an answer came that was not whole. */
  get isInside(): boolean {
    return this.#rest.length > 0;
  }

  push(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
  }

  /**
   * The next whole answer, interim ones left out; undefined until more comes. Throws when it is none.
   * @param verb of the request: an answer to HEAD has no body, whatever it says
   */
  next(verb: string): Answer | undefined {
    for (;;) {
      if (this.#rest.length === 0) return undefined;
      const head = headIn(this.#rest);
      if (head === undefined) return undefined;
      if (head.status >= 200) return this.#answer(head, verb);
      this.#rest = this.#rest.subarray(head.bodyAt);
    }
  }

  #answer({ status, headers, bodyAt }: Head, verb: string): Answer | undefined {
    let body: Buffer = Buffer.alloc(0);
    let end = bodyAt;
    if (verb !== 'HEAD' && status !== 204 && headers['transfer-encoding'] !== undefined) {
      const chunked = unchunk(this.#rest, bodyAt);
      if (chunked === undefined) return undefined;
      ({ body, end } = chunked);
    } else if (verb !== 'HEAD' && status !== 204) {
      end = bodyAt + Number(headers['content-length'] ?? 0);
      if (this.#rest.length < end) return undefined;
      body = this.#rest.subarray(bodyAt, end);
    }
    this.#rest = this.#rest.subarray(end);
    return { status, headers, trailers: {}, body, isWhole: true };
  }
}
