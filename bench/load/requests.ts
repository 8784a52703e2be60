/** The bytes of requests, made before they are needed. */
import { createSecretKey } from 'node:crypto';
import { type SigningKey, signToken } from '../../src/domain/token.ts';
import { END_STREAM, FrameType, frameOf } from '../../test/http2-frames.ts';
import { accountIdOfKey, clientIdOfKey, keyIdOf, secretOf } from '../fixture.ts';
import type { Source, Target } from './protocol.ts';

/** Long enough for any run, seconds. */
const TOKEN_LIFE = 86_400;

/** Requests of one target, the one after another. */
export class Requests {
  readonly #target: Target;
  readonly #signingKey: SigningKey | undefined;
  #made: Buffer[] = [];
  #next = 0;
  /** Fresh tokens so far, which makes each of them another. */
  #fresh = 0;

  constructor(target: Target) {
    this.#target = target;
    const { source } = target;
    if (source.of === 'tokens') {
      const { id, hex } = source.signingKey;
      this.#signingKey = { id, key: createSecretKey(Buffer.from(hex, 'hex')) };
    }
    if (isEndless(source)) this.#made = this.#all(source);
  }

  /** How many there are before they come again; each once where they are fresh. */
  get count(): number {
    return this.#made.length;
  }

  /** Has at least so many ready; nothing to do where they come again and again. */
  prepare(count: number): void {
    const { source } = this.#target;
    if (isEndless(source) || source.of !== 'tokens') return;
    this.#made = this.#made.slice(this.#next);
    this.#next = 0;
    while (this.#made.length < count) {
      const number = this.#fresh % source.keys;
      this.#made.push(this.#requestOf('token', this.#tokenOf(number, ++this.#fresh), number));
    }
  }

  /** undefined when those that were prepared are used up. */
  next(): Buffer | undefined {
    const request = this.#made[this.#next++];
    if (request !== undefined || !isEndless(this.#target.source)) return request;
    this.#next = 1;
    return this.#made[0];
  }

  #all(source: Source): Buffer[] {
    if (source.of === 'bodies') return source.bodies.map((body) => this.#restOf(body));
    return Array.from({ length: source.keys }, (_, number) =>
      source.of === 'secrets'
        ? this.#requestOf('secret', secretOf(number), number)
        : this.#requestOf('token', this.#tokenOf(number, 0), number),
    );
  }

  #tokenOf(keyNumber: number, turn: number): string {
    if (this.#signingKey === undefined) throw new Error('tokens need a signing key');
    const issuedAt = Math.floor(Date.now() / 1000);
    const session = `${process.pid}-${keyNumber}-${turn}-`.padEnd(22, '0');
    return signToken(
      {
        clientId: clientIdOfKey(keyNumber),
        sessionId: session,
        keyId: keyIdOf(keyNumber),
        issuedAt,
        expiresAt: issuedAt + TOKEN_LIFE,
      },
      this.#signingKey,
    );
  }

  #requestOf(field: 'token' | 'secret', value: string, keyNumber: number): Buffer {
    const { protocol, also, isAboutAccount } = this.#target;
    const account = isAboutAccount ? { account_id: accountIdOfKey(keyNumber) } : {};
    if (protocol === 'rest') {
      return this.#restOf(JSON.stringify({ [field]: value, ...account, ...also?.json }));
    }
    // The first field of every request that there is, and the second of those about accounts.
    const message = Buffer.concat([
      textField(1, value),
      isAboutAccount ? textField(2, accountIdOfKey(keyNumber)) : Buffer.alloc(0),
      Buffer.from(also?.protobufHex ?? '', 'hex'),
    ]);
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(message.length, 1);
    return frameOf(FrameType.DATA, END_STREAM, 0, Buffer.concat([prefix, message]));
  }

  #restOf(body: string): Buffer {
    const { path, port, headers = [['content-type', 'application/json']] } = this.#target;
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    const length = Buffer.byteLength(body);
    const head = `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n${lines}`;
    return Buffer.from(`${head}content-length: ${length}\r\n\r\n${body}`);
  }
}

/** A text in protobuf; shorter than 16 KiB. */
function textField(number: number, value: string): Buffer {
  const text = Buffer.from(value);
  const length = text.length < 128 ? [text.length] : [(text.length & 127) | 128, text.length >> 7];
  return Buffer.concat([Buffer.from([number * 8 + 2, ...length]), text]);
}

function isEndless(source: Source): boolean {
  return source.of !== 'tokens' || !source.isFresh;
}
