/** gRPC over HTTP/2 and gRPC-Web (binary) over either: one codec, two ways to send trailers. */
import { type Message, toBinary } from '@bufbuild/protobuf';
import { AppError, Code } from '../../domain/errors.ts';
import { StatusSchema } from '../../gen/google/rpc/status_pb.js';
import type { Call, CallHead, Exchange, Metadata } from '../../pipeline/call.ts';
import type { Held } from '../../pipeline/request-memory.ts';
import { oncePerError, statusOf } from '../../pipeline/status.ts';
import { type BodyLimits, readBody } from '../body.ts';
import { type HttpExchange, headerLines } from '../http.ts';
import { COMPRESSED_BYTES_MIN, compress, takesGzip } from './compression.ts';
import {
  FLAG_COMPRESSED,
  FLAG_TRAILERS,
  type Frame,
  FrameReader,
  frame,
  isPlainFrame,
  onlyFrame,
  PREFIX_BYTES,
  unpack,
} from './frames.ts';
import { readMessage } from './message-reader.ts';
import { frameOf } from './message-writer.ts';

const ENCODINGS = ['identity', 'gzip'];
const ACCEPTED = ENCODINGS.join(',');

/** Which flavour a content type names; undefined when it is neither. */
export function flavourOf(contentType: string): 'grpc' | 'grpc-web' | undefined {
  // What most send.
  if (contentType === 'application/json') return undefined;
  if (contentType === 'application/grpc') return 'grpc';
  const found = /^application\/grpc(-web)?(?:\+proto)?(?:;|$)/i.exec(contentType);
  if (found === null) return undefined;
  return found[1] === undefined ? 'grpc' : 'grpc-web';
}

/** grpc-message is ASCII; everything else, and the percent sign, is percent-encoded UTF-8. */
function percentEncode(text: string): string {
  let encoded = '';
  for (const byte of Buffer.from(text)) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += isPlain
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

const OK: Metadata = ['grpc-status', '0'];

const statusTrailers = oncePerError((error): Metadata => {
  const status = statusOf(error);
  const details = Buffer.from(toBinary(StatusSchema, status)).toString('base64');
  const trailers = [
    ...['grpc-status', String(status.code)],
    ...['grpc-message', percentEncode(status.message)],
    ...['grpc-status-details-bin', details.replace(/=+$/, '')],
  ];
  const { retryAfterMs } = error;
  if (error.code === Code.RESOURCE_EXHAUSTED && retryAfterMs !== undefined) {
    // The only thing that makes the official clients try again after their limit.
    trailers.push('grpc-retry-pushback-ms', String(Math.ceil(retryAfterMs)));
  }
  return trailers;
});

/** Carries one gRPC or gRPC-Web call. */
export class GrpcExchange implements Exchange {
  readonly head: CallHead;
  readonly #http: HttpExchange;
  readonly #limits: BodyLimits;
  readonly #isWeb: boolean;
  readonly #held: Held;
  readonly #messageBytesMax: number;
  #isStarted = false;
  /** The one answer, which goes out together with its end. */
  #last: Buffer | undefined;

  constructor(http: HttpExchange, head: CallHead, limits: BodyLimits) {
    this.head = head;
    this.#http = http;
    this.#limits = limits;
    this.#isWeb = head.protocol === 'grpc-web';
    this.#held = limits.memory.open(head.remoteAddress);
    this.#messageBytesMax =
      head.method === undefined || head.method.methodKind === 'unary'
        ? limits.bodyBytesMax
        : Math.min(limits.bodyBytesMax, limits.streamBodyBytesMax);
  }

  readOne(): Message | Promise<Message> {
    const encoding = this.#encoding();
    const { requestMsMax } = this.#limits;
    // The limit is the message's, as it is in a stream.
    const limits = { requestMsMax, bodyBytesMax: this.#messageBytesMax + PREFIX_BYTES };
    const http = this.#http;
    if (this.#streamsAnswers()) {
      return readBody(http, limits, this.#held, (body) => this.#readForStream(body, encoding));
    }
    return readBody(http, limits, this.#held, (body) => this.#decodeOnly(body, encoding));
  }

  /** A stream may be open for days: nothing of its request is counted, nor kept but the message. */
  async #readForStream(body: Buffer, encoding: string): Promise<Message> {
    // What a message has that nobody knows is a part of the bytes it came in, and those of more.
    const message = await this.#decodeOnly(Buffer.from(body), encoding);
    this.#held.set(0);
    return message;
  }

  #decodeOnly(body: Buffer, encoding: string): Message | Promise<Message> {
    // As nearly all are: one frame, not compressed.
    if (isPlainFrame(body, this.#messageBytesMax)) {
      return readMessage(this.#method().input, body, PREFIX_BYTES);
    }
    return this.#decode(onlyFrame(body, this.#messageBytesMax), encoding);
  }

  async *readAll(): AsyncIterable<Message> {
    const encoding = this.#encoding();
    const reader = new FrameReader(this.#messageBytesMax);
    for await (const chunk of this.#chunks()) {
      reader.push(chunk);
      const full = this.#held.set(reader.bytes);
      if (full !== undefined) throw full;
      for (let next = reader.next(); next !== undefined; next = reader.next()) {
        yield await this.#decode(next, encoding);
      }
      this.#held.set(reader.bytes);
    }
    reader.end();
  }

  write(message: Message, call: Call): undefined | Promise<void> {
    const plain = frameOf(this.#method().output, message);
    const isLong = plain.length - PREFIX_BYTES >= COMPRESSED_BYTES_MIN;
    const packed = isLong && this.#takesGzip() ? compress(plain.subarray(PREFIX_BYTES)) : undefined;
    this.#start(call, packed !== undefined);
    const framed = packed === undefined ? plain : frame(FLAG_COMPRESSED, packed);
    if (this.#streamsAnswers()) return this.#http.write(framed);
    this.#last = framed;
    return undefined;
  }

  finish(call: Call, error: AppError | undefined): void {
    this.#held.release();
    const status = error === undefined ? OK : statusTrailers(error);
    const own = call.responseTrailers;
    const trailers = own.length === 0 ? status : [...status, ...own];
    if (this.#isWeb) {
      this.#finishWeb(call, trailers);
    } else if (this.#isStarted || call.responseHeaders.length > 0) {
      // Headers of the service's own would be taken for trailers in an answer of trailers only.
      this.#start(call, false);
      this.#http.end(trailers, this.#last);
    } else {
      this.#http.send(200, [...this.#headers(call), ...trailers], '');
    }
  }

  onAbort(listener: () => void): void {
    this.#http.onAbort(listener);
  }

  #finishWeb(call: Call, trailers: Metadata): void {
    const block = frame(FLAG_TRAILERS, Buffer.from(headerLines(trailers)));
    if (this.#isStarted) {
      if (this.#last !== undefined) this.#http.write(this.#last);
      this.#http.end([], block);
    } else {
      this.#http.send(200, this.#headers(call), block);
    }
  }

  #method() {
    if (this.head.method === undefined) throw new Error('a call without a method has no messages');
    return this.head.method;
  }

  #takesGzip(): boolean {
    return takesGzip(this.head.headers['grpc-accept-encoding']);
  }

  /** The body's bytes as they come; CANCELLED when the peer goes away before their end. */
  async *#chunks(): AsyncIterable<Buffer> {
    try {
      // Whoever stops reading, a service or a bad frame, must not take the answer's stream down.
      yield* this.#http.chunks();
    } catch {
      throw new AppError('CANCELLED', 'the caller went away');
    }
  }

  #encoding(): string {
    const encoding = this.head.headers['grpc-encoding'] ?? 'identity';
    if (typeof encoding === 'string' && ENCODINGS.includes(encoding)) return encoding;
    throw new AppError(
      'ENCODING_UNSUPPORTED',
      `this grpc-encoding is not spoken here; use ${ENCODINGS.join(' or ')}`,
    );
  }

  #decode(received: Frame, encoding: string): Message | Promise<Message> {
    const data = unpack(received, encoding, this.#messageBytesMax);
    const { input } = this.#method();
    return data instanceof Promise
      ? data.then((unpacked) => readMessage(input, unpacked))
      : readMessage(input, data);
  }

  #headers(call: Call): string[] {
    return [
      'content-type',
      this.#isWeb ? 'application/grpc-web+proto' : 'application/grpc+proto',
      'grpc-accept-encoding',
      ACCEPTED,
      'x-request-id',
      call.requestId,
      ...call.quotaHeaders,
      ...call.responseHeaders,
    ];
  }

  /** Of a stream, the first message cannot tell whether a later one will be compressed. */
  #start(call: Call, isCompressed: boolean): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    const headers = this.#headers(call);
    if (isCompressed || (this.#streamsAnswers() && this.#takesGzip())) {
      headers.push('grpc-encoding', 'gzip');
    }
    this.#http.start(200, headers);
  }

  #streamsAnswers(): boolean {
    const kind = this.head.method?.methodKind;
    return kind === 'server_streaming' || kind === 'bidi_streaming';
  }
}
