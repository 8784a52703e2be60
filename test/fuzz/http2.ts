/** HTTP/2: calls and streams as frames, right, odd and wrong. */
import {
  END_HEADERS,
  END_STREAM,
  FrameType,
  frameOf,
  hpack,
  PREFACE,
  pseudo,
} from '../http2-frames.ts';
import { type CallInput, grpcCall, type Header, restCall } from './calls.ts';
import { mutate, pieces } from './mutate.ts';
import type { Random } from './random.ts';

/** More than its window, an HTTP/2 server may refuse to take at a time. */
const BODY_BYTES_MAX = 30_000;
const PRIORITY_FRAME = 2;
const PADDED = 8;
const PRIORITY = 0x20;

/** A payload behind padding, as the flag says. */
function padded(random: Random, payload: Buffer): Buffer {
  const length = random.below(40);
  return Buffer.concat([Buffer.from([length]), payload, Buffer.alloc(length)]);
}

/** A header block in one frame or in several. */
function headFrames(random: Random, stream: number, block: Buffer, flags: number): Buffer[] {
  const [first = Buffer.alloc(0), ...rest] = random.oneIn(6) ? pieces(random, block, 4) : [block];
  const isPadded = random.oneIn(8);
  const hasPriority = random.oneIn(8);
  const weighed = hasPriority ? Buffer.concat([Buffer.from([0, 0, 0, 0, 15]), first]) : first;
  const own =
    flags |
    (isPadded ? PADDED : 0) |
    (hasPriority ? PRIORITY : 0) |
    (rest.length === 0 ? END_HEADERS : 0);
  return [
    frameOf(FrameType.HEADERS, own, stream, isPadded ? padded(random, weighed) : weighed),
    ...rest.map((part, i) =>
      frameOf(FrameType.CONTINUATION, i === rest.length - 1 ? END_HEADERS : 0, stream, part),
    ),
  ];
}

function dataFrames(random: Random, stream: number, body: Buffer, endsStream: boolean): Buffer[] {
  const parts = random.oneIn(3) ? pieces(random, body, 5) : [body];
  const cut = parts.flatMap((part) => (part.length > 16_000 ? halves(part) : [part]));
  if (random.oneIn(12)) cut.push(Buffer.alloc(0));
  if (cut.length === 0) cut.push(Buffer.alloc(0));
  return cut.map((part, i) => {
    const isPadded = random.oneIn(10) && part.length < 15_000;
    const flags = (endsStream && i === cut.length - 1 ? END_STREAM : 0) | (isPadded ? PADDED : 0);
    return frameOf(FrameType.DATA, flags, stream, isPadded ? padded(random, part) : part);
  });
}

/** Frames must stay within the frame size that everybody takes. */
function halves(part: Buffer): Buffer[] {
  const middle = part.length >> 1;
  const both = [part.subarray(0, middle), part.subarray(middle)];
  return both.flatMap((half) => (half.length > 16_000 ? halves(half) : [half]));
}

function blockOf(call: CallInput, requestId: string): Buffer {
  const own = call.headers.some(([name]) => name === 'x-request-id');
  const headers: Header[] = [...pseudo(call.verb, call.target), ...call.headers];
  return hpack(own ? headers : [...headers, ['x-request-id', requestId]]);
}

/** A call as one well-made stream. */
export function http2Call(
  random: Random,
  call: CallInput,
  requestId: string,
  stream: number,
): Buffer[] {
  const block = blockOf(call, requestId);
  const isEmpty = call.body.length === 0 && random.oneIn(2);
  const head = headFrames(random, stream, block, isEmpty ? END_STREAM : 0);
  if (isEmpty) return head;
  const endsByTrailers = random.oneIn(20);
  const bytes = call.body.subarray(0, BODY_BYTES_MAX);
  const body = dataFrames(random, stream, bytes, !endsByTrailers);
  const trailers = endsByTrailers
    ? headFrames(random, stream, hpack([['x-trailer', 'x']]), END_STREAM)
    : [];
  return [...head, ...body, ...trailers];
}

/** A stream's own frames with odd ones among them, cut short or reset. */
export function http2Stream(
  random: Random,
  requestId: string,
  stream: number,
  mayEndConnection = false,
): Buffer[] {
  const made = random.oneIn(2) ? grpcCall(random, 'grpc') : restCall(random);
  // A reader of spoilt streams cannot know which answer is the one without a body.
  const call = made.verb === 'HEAD' ? { ...made, verb: 'GET' } : made;
  const frames = http2Call(random, call, requestId, stream);
  const at = random.between(1, frames.length);
  // Between the parts of a header block, and after a stream's end, most frames end the connection.
  const isInsideBlock = frames[at]?.[3] === FrameType.CONTINUATION;
  const isOpen = at < frames.length && !isInsideBlock;
  const odd = random.list(random.between(1, 3), () =>
    isOpen || mayEndConnection ? openFrame(random, stream) : strayFrame(random, stream),
  );
  const place = isInsideBlock && !mayEndConnection ? frames.length : at;
  const mixed = frames.toSpliced(place, 0, ...odd);
  if (mayEndConnection) {
    return random.oneIn(4) ? mixed.slice(0, random.between(1, mixed.length)) : mixed;
  }
  const last = mixed.findIndex((frame) => frame[3] === FrameType.RST_STREAM || endsStream(frame));
  // What comes after the end may only be what is taken there.
  const after = last === -1 ? [] : mixed.slice(last + 1).filter(isStray);
  const whole = last === -1 ? mixed : [...mixed.slice(0, last + 1), ...after];
  return random.oneIn(4) ? whole.slice(0, random.between(place, whole.length)) : whole;
}

function endsStream(frame: Buffer): boolean {
  const isOfMessage = frame[3] === FrameType.DATA || frame[3] === FrameType.HEADERS;
  return isOfMessage && ((frame[4] ?? 0) & END_STREAM) !== 0;
}

/** Frames that may come at any time. A header block's last parts belong to what is before them. */
function isStray(frame: Buffer): boolean {
  return frame[3] !== FrameType.DATA && frame[3] !== FrameType.HEADERS;
}

/** A frame that concerns one stream, or that nobody knows. */
function strayFrame(random: Random, stream: number): Buffer {
  return random.weighted<() => Buffer>([
    [3, () => frameOf(FrameType.RST_STREAM, 0, stream, random.pick(RESETS))],
    [2, () => frameOf(FrameType.WINDOW_UPDATE, 0, stream, Buffer.from([0, 0, 1, 0]))],
    [2, () => frameOf(PRIORITY_FRAME, 0, stream, Buffer.from([0, 0, 0, 0, random.below(256)]))],
    [2, () => frameOf(random.between(0x0b, 0xff), random.below(256), stream, random.bytes(9))],
  ])();
}

/** A frame that may come while the stream is open. */
function openFrame(random: Random, stream: number): Buffer {
  return random.weighted<() => Buffer>([
    [9, () => strayFrame(random, stream)],
    [1, () => frameOf(FrameType.DATA, 0, stream, Buffer.alloc(0))],
    [1, () => frameOf(FrameType.DATA, PADDED, stream, padded(random, Buffer.alloc(0)))],
    [1, () => frameOf(FrameType.HEADERS, END_HEADERS | END_STREAM, stream, hpack([['a', 'b']]))],
    [1, () => frameOf(FrameType.HEADERS, END_HEADERS, stream, hpack([[':path', '/']]))],
  ])();
}

const RESETS = [0, 1, 5, 7, 8, 0xffff_ffff].map((code) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(code);
  return bytes;
});

/** A frame of any kind, its fields mostly of the form they should have. */
function anyFrame(random: Random, stream: number): Buffer {
  const anywhere = random.weighted([
    [6, stream],
    [3, 0],
    [1, random.below(20)],
    [1, random.next()],
  ]);
  const flags = random.weighted([
    [4, 0],
    [4, END_HEADERS | END_STREAM],
    [1, random.below(256)],
  ]);
  const payload = random.weighted<() => Buffer>([
    [
      3,
      () => hpack(pseudo(random.pick(['GET', 'POST']), random.pick(['/healthz', '/v1/sessions']))),
    ],
    [2, () => random.bytes(random.pick([0, 4, 5, 6, 8, 12]))],
    [1, () => random.bytes(random.below(64))],
    [1, () => headerGarbage(random)],
    [1, () => settings(random)],
  ])();
  const type = random.oneIn(10) ? random.below(256) : random.below(10);
  return frameOf(type, flags, anywhere, payload);
}

/** Pairs of a setting's number and its value. */
function settings(random: Random): Buffer {
  const pairs = random.list(random.below(5), () => {
    const pair = Buffer.alloc(6);
    pair.writeUInt16BE(random.oneIn(5) ? random.below(65_536) : random.between(1, 9));
    const value = random.pick([0, 1, 100, 16_384, 65_535, 0x7fff_ffff, 0xffff_ffff]);
    pair.writeUInt32BE(value, 2);
    return pair;
  });
  return Buffer.concat(pairs);
}

/** Header blocks that are none: entries that are not there, numbers without end, bad Huffman. */
function headerGarbage(random: Random): Buffer {
  return Buffer.concat(
    random.list(random.between(1, 6), () =>
      random.weighted<() => Buffer>([
        [3, () => Buffer.from([0x80 | random.below(128)])],
        [2, () => Buffer.concat([Buffer.from([0x40]), hpack([['a', 'b']]).subarray(1)])],
        [
          1,
          () =>
            Buffer.concat([Buffer.from([random.pick([0xff, 0x7f, 0x3f, 0x0f])]), random.bytes(6)]),
        ],
        [1, () => Buffer.concat([Buffer.from([0x00, 0x84]), random.bytes(12)])],
        [1, () => Buffer.from([0x20 | random.below(32)])],
      ])(),
    ),
  );
}

/** Bytes of a connection of its own, in the pieces that they are sent in. */
export function http2Bytes(random: Random, requestId: string): Buffer[] {
  const own = random.oneIn(4) ? settings(random) : Buffer.alloc(0);
  const opening = [PREFACE, frameOf(FrameType.SETTINGS, 0, 0, own)];
  const frames = random
    .list(random.between(1, 4), () => 0)
    .flatMap((_, i) => {
      const stream = 2 * i + 1;
      const stranger = random.oneIn(6) ? [anyFrame(random, stream)] : [];
      return [...http2Stream(random, requestId, stream, true), ...stranger];
    });
  const good = Buffer.concat([...opening, ...frames]);
  const bytes = random.weighted<() => Buffer>([
    [
      6,
      () =>
        Buffer.concat([
          ...opening,
          ...random.list(random.between(1, 12), () => anyFrame(random, 1)),
        ]),
    ],
    [6, () => Buffer.concat([...opening, mutate(random, Buffer.concat(frames))])],
    [5, () => good],
    [1, () => mutate(random, good)],
    [1, () => Buffer.concat([PREFACE, random.bytes(random.below(200))])],
    [1, () => good.subarray(0, random.below(good.length))],
  ])();
  return pieces(random, bytes, 5);
}
