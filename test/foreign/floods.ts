/** Clients that send as much as a connection takes, of what costs them little and a server more. */
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import {
  CANCEL,
  END_HEADERS,
  END_STREAM,
  FrameType,
  frameOf,
  headersOf,
  hpack,
  PREFACE,
  pseudo,
} from '../http2-frames.ts';

const SETTINGS = frameOf(FrameType.SETTINGS, 0, 0);
const OPENED = Buffer.concat([PREFACE, SETTINGS]);
/** What asks for nothing, and how often it is sent to find out whether the connection is open. */
const POKE = {
  h2: frameOf(FrameType.WINDOW_UPDATE, 0, 0, Buffer.from([0, 0, 0, 1])),
  'http/1.1': '\r\n',
};
const POKE_MS = 250;
const LARGE = '/docs/swagger-ui-bundle.js';

export interface Flood {
  readonly protocol: 'h2' | 'http/1.1';
  /** Sent once. */
  readonly first: Buffer;
  /** The wave of this number, sent after the one before it; undefined: there are no more. */
  readonly wave: (number: number) => Buffer | undefined;
  /** A client that does not read what it is sent. */
  readonly isDeaf?: true;
  /** The server ends it while it still sends; others it may bear until they rest. */
  readonly mustBeCut?: true;
}

function repeat(bytes: Buffer, times: number): Buffer {
  return Buffer.concat(Array.from({ length: times }, () => bytes));
}

/** The same wave again and again. */
function endless(bytes: Buffer, times = 500): () => Buffer {
  const wave = repeat(bytes, times);
  return () => wave;
}

function streams(from: number, count: number, of: (id: number) => Buffer[]): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, i) => of(2 * (from + i) + 1)).flat());
}

function requests(path: string, times: number): Buffer {
  return repeat(Buffer.from(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`), times);
}

const POST = pseudo('POST', '/v1/sessions');

/** By what they are called. */
export const FLOODS: Readonly<Record<string, Flood>> = {
  'streams that are reset at once': {
    protocol: 'h2',
    first: OPENED,
    wave: (number) =>
      streams(number * 100, 100, (id) => [
        headersOf(id, POST, END_HEADERS),
        frameOf(FrameType.RST_STREAM, 0, id, CANCEL),
      ]),
    mustBeCut: true,
  },
  'a header block that never ends': {
    protocol: 'h2',
    first: Buffer.concat([OPENED, frameOf(FrameType.HEADERS, END_STREAM, 1, hpack(POST))]),
    wave: endless(frameOf(FrameType.CONTINUATION, 0, 1, hpack([['a', 'b']]))),
    mustBeCut: true,
  },
  settings: {
    protocol: 'h2',
    first: OPENED,
    wave: endless(SETTINGS),
    isDeaf: true,
    mustBeCut: true,
  },
  pings: {
    protocol: 'h2',
    first: OPENED,
    wave: endless(frameOf(FrameType.PING, 0, 0, Buffer.alloc(8))),
    isDeaf: true,
    mustBeCut: true,
  },
  'empty data': {
    protocol: 'h2',
    first: Buffer.concat([OPENED, headersOf(1, POST, END_HEADERS)]),
    wave: endless(frameOf(FrameType.DATA, 0, 1)),
    mustBeCut: true,
  },
  'windows that grow by a byte': {
    protocol: 'h2',
    first: OPENED,
    wave: endless(frameOf(FrameType.WINDOW_UPDATE, 0, 0, Buffer.from([0, 0, 0, 1]))),
  },
  'requests in one piece': {
    protocol: 'http/1.1',
    first: Buffer.alloc(0),
    wave: endless(requests('/healthz', 1), 100),
  },
  'requests over HTTP/1.1 whose answers are not read': {
    protocol: 'http/1.1',
    first: Buffer.alloc(0),
    wave: endless(requests(LARGE, 1), 100),
    isDeaf: true,
  },
  'requests over HTTP/2 whose answers are not read': {
    protocol: 'h2',
    first: OPENED,
    wave: (number) =>
      number === 0
        ? streams(0, 100, (id) => [headersOf(id, pseudo('GET', '/openapi.json'))])
        : undefined,
    isDeaf: true,
  },
};

/** How one connection fared. */
export interface Fared {
  /** True when the server closed it while there was more to send. */
  readonly isCut: boolean;
  readonly bytes: number;
}

export interface FloodTarget {
  readonly port: number;
  readonly isTls: boolean;
  /** How long it sends, if the server lets it. */
  readonly sendMs: number;
  /** How long the server may take to end it, after that. */
  readonly endMsMax: number;
}

/**
 * Floods over one connection, until the server has closed it.
 * @throws when the server has not by `endMsMax` after the last wave
 */
export async function flood(kind: Flood, target: FloodTarget): Promise<Fared> {
  const { port, isTls, sendMs, endMsMax } = target;
  const to = { port, host: '127.0.0.1', noDelay: true };
  const options = { ...to, ALPNProtocols: [kind.protocol], rejectUnauthorized: false };
  const socket = isTls ? tls.connect(options) : net.connect(to);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('error', () => {});
  await Promise.race([once(socket, isTls ? 'secureConnect' : 'connect'), closed]);
  if (kind.isDeaf === undefined) socket.resume();
  const stopAt = performance.now() + sendMs;
  socket.write(kind.first);
  for (let number = 0; socket.writable && performance.now() < stopAt; number++) {
    const wave = kind.wave(number);
    if (wave === undefined) break;
    if (socket.write(wave)) continue;
    const rest = new Promise((resolve) => setTimeout(resolve, stopAt - performance.now()));
    await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), closed, rest]);
  }
  const isCut = !socket.writable;
  // Who does not read sees only by sending that the other side has gone.
  const poke = setInterval(
    () => kind.isDeaf && socket.writable && socket.write(POKE[kind.protocol]),
    POKE_MS,
  );
  const timer = setTimeout(() => socket.destroy(new Error('left open')), endMsMax);
  await closed;
  clearInterval(poke);
  clearTimeout(timer);
  if (socket.errored?.message === 'left open') throw new Error('the server left it open');
  return { isCut, bytes: socket.bytesWritten };
}
