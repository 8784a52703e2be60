/** Reads header blocks (HPACK, RFC 7541), so that answers over raw HTTP/2 can be judged. */

/**
 * How many bits the Huffman code of each byte has, in base 32, byte 0 first (RFC 7541, appendix B).
 * The code is canonical: the lengths are all of it.
 */
const LENGTHS =
  'dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6cad67777777777777777777777878djd' +
  'e6f56565666577666567655677777fbedskmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmm' +
  'nmmnqqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrq';

/** The static table, RFC 7541, appendix A. */
const STATIC: readonly (readonly [string, string])[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  ...['200', '204', '206', '304', '400', '404', '500'].map((code) => [':status', code] as const),
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ...(
    'accept-language accept-ranges accept access-control-allow-origin age allow authorization ' +
    'cache-control content-disposition content-encoding content-language content-length ' +
    'content-location content-range content-type cookie date etag expect expires from host ' +
    'if-match if-modified-since if-none-match if-range if-unmodified-since last-modified link ' +
    'location max-forwards proxy-authenticate proxy-authorization range referer refresh ' +
    'retry-after server set-cookie strict-transport-security transfer-encoding user-agent vary ' +
    'via www-authenticate'
  )
    .split(' ')
    .map((name) => [name, ''] as const),
];

/** By its code with a leading 1, so that the length is told as well: the byte. */
const CODES = new Map<number, number>();
{
  const byLength = [...LENGTHS]
    .map((digit, byte) => ({ byte, length: Number.parseInt(digit, 32) }))
    .sort((a, b) => a.length - b.length || a.byte - b.byte);
  let code = 0;
  let before = 0;
  for (const { byte, length } of byLength) {
    code *= 2 ** (length - before);
    CODES.set(code + 2 ** length, byte);
    code += 1;
    before = length;
  }
}

function unhuffman(bytes: Buffer): string {
  const out: number[] = [];
  let path = 1;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      path = path * 2 + ((byte >> bit) & 1);
      const found = CODES.get(path);
      if (found !== undefined) {
        out.push(found);
        path = 1;
      }
    }
  }
  return Buffer.from(out).toString('latin1');
}

/** One connection's reader: it remembers what the writer does. */
export class HpackReader {
  readonly #recent: (readonly [string, string])[] = [];
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #size = 0;
  #sizeMax = 4096;

  /** The header fields of a whole block. Throws when it is none. */
  read(block: Buffer): [string, string][] {
    this.#bytes = block;
    this.#at = 0;
    const fields: [string, string][] = [];
    while (this.#at < block.length) {
      const first = block[this.#at] ?? 0;
      if (first >= 0x80) fields.push([...this.#entry(this.#number(7))]);
      else if (first >= 0x40) fields.push(this.#remember(this.#literal(6)));
      else if (first >= 0x20) this.#resize(this.#number(5));
      else fields.push(this.#literal(4));
    }
    return fields;
  }

  #number(prefixBits: number): number {
    const max = 2 ** prefixBits - 1;
    let value = (this.#bytes[this.#at++] ?? 0) & max;
    if (value < max) return value;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new Error('a header block ends inside a number');
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }

  #text(): string {
    const isHuffman = (this.#bytes[this.#at] ?? 0) >= 0x80;
    const end = this.#number(7) + this.#at;
    const bytes = this.#bytes.subarray(this.#at, end);
    if (end > this.#bytes.length) throw new Error('a header block ends inside a text');
    this.#at = end;
    return isHuffman ? unhuffman(bytes) : bytes.toString('latin1');
  }

  #literal(prefixBits: number): [string, string] {
    const index = this.#number(prefixBits);
    const name = index === 0 ? this.#text() : this.#entry(index)[0];
    return [name, this.#text()];
  }

  #entry(index: number): readonly [string, string] {
    const entry = STATIC[index - 1] ?? this.#recent[index - 1 - STATIC.length];
    if (entry === undefined) throw new Error(`a header block names entry ${index}`);
    return entry;
  }

  #remember(field: [string, string]): [string, string] {
    this.#recent.unshift(field);
    this.#size += sizeOf(field);
    this.#evict();
    return field;
  }

  #resize(sizeMax: number): void {
    this.#sizeMax = sizeMax;
    this.#evict();
  }

  #evict(): void {
    while (this.#size > this.#sizeMax) {
      const oldest = this.#recent.pop();
      if (oldest === undefined) return;
      this.#size -= sizeOf(oldest);
    }
  }
}

function sizeOf([name, value]: readonly [string, string]): number {
  return name.length + value.length + 32;
}
