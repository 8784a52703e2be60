/** Bodies over HTTP/2, whole or in parts: each arrives once, in order, however it was cut. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { RequestMemory } from '../src/pipeline/request-memory.ts';
import { readBody } from '../src/transport/body.ts';
import type { HttpExchange } from '../src/transport/http.ts';
import { Http2Server } from '../src/transport/http2-server.ts';
import {
  CANCEL,
  END_HEADERS,
  END_STREAM,
  FrameType,
  frameOf,
  framesIn,
  headersOf,
  PREFACE,
  pseudo,
} from './http2-frames.ts';
import { type Step, talk } from './raw.ts';
import { until } from './wait.ts';

const START = Buffer.concat([PREFACE, frameOf(FrameType.SETTINGS, 0, 0)]);
const PADDED = 8;
const HEAD = headersOf(1, pseudo('POST', '/'), END_HEADERS);
const TRAILERS = headersOf(1, [['a', 'b']]);
const LARGE = 'x'.repeat(16_000);

const limits = {
  headerBytesMax: 4096,
  idleMsMax: 10_000,
  streamsPerConnectionMax: 100,
};
const memory = new RequestMemory(1 << 20);

/** Reads a body at once. */
async function whole(exchange: HttpExchange): Promise<Buffer> {
  const bodyLimits = { bodyBytesMax: 1 << 20, requestMsMax: 1000 };
  return readBody(exchange, bodyLimits, memory.open('here'), (body) => body);
}

/** Reads it as it comes. */
async function inParts(exchange: HttpExchange): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of exchange.chunks()) parts.push(part);
  return Buffer.concat(parts);
}

let read = whole;
/** What was handed on, and of that what its peer has left. */
let handled = 0;
let aborted = 0;
let isHandedWhole = false;

const http2 = new Http2Server({
  limits,
  handle(exchange) {
    handled++;
    exchange.onAbort(() => aborted++);
    const take = exchange.takeWhole.bind(exchange);
    exchange.takeWhole = () => {
      const taken = take();
      isHandedWhole = taken !== undefined;
      return taken;
    };
    // One that is reset ends as it may.
    read(exchange).then(
      (body) => exchange.send(200, [], `${body.length}: ${body}`),
      () => {},
    );
  },
  refuse: (exchange, error) => exchange.send(400, [], error.message),
});
const server = net.createServer((socket) => {
  socket.on('error', () => {});
  http2.take(socket);
});
await once(server.listen(0, '127.0.0.1'), 'listening');
const { port } = server.address() as AddressInfo;
after(() => server.close());

function data(text: string, flags = 0): Buffer {
  return frameOf(FrameType.DATA, flags, 1, Buffer.from(text));
}

function padded(text: string, flags = 0): Buffer {
  const payload = Buffer.concat([Buffer.from([3]), Buffer.from(text), Buffer.alloc(3)]);
  return frameOf(FrameType.DATA, flags | PADDED, 1, payload);
}

/** In one write, which arrives in one turn. */
function together(...frames: readonly Buffer[]): Buffer {
  return Buffer.concat(frames);
}

/** What the body of the answer says, or that there is none. */
async function answerTo(...steps: Step[]): Promise<string> {
  const bodyIn = (bytes: Buffer) =>
    framesIn(bytes).filter(({ type, stream }) => type === FrameType.DATA && stream === 1);
  const enough = (bytes: Buffer) => bodyIn(bytes).some(({ flags }) => (flags & END_STREAM) !== 0);
  const { bytes } = await talk(port, [START, ...steps], { enough, giveUpMs: 2000 });
  return Buffer.concat(bodyIn(bytes).map(({ payload }) => payload)).toString();
}

/** What it is, its frames, its bytes, and whether it is there in the turn of its head. */
type Case = readonly [what: string, steps: readonly Step[], body: string, isWhole: boolean];

const END = END_STREAM;
const CASES: readonly Case[] = [
  ['one frame', [together(HEAD, data('abc', END))], 'abc', true],
  ['none at all', [headersOf(1, pseudo('POST', '/'))], '', true],
  ['an empty frame', [together(HEAD, data('', END))], '', true],
  ['a frame and an empty one', [together(HEAD, data('abc'), data('', END))], 'abc', true],
  ['padding, which is not of it', [together(HEAD, padded('abc', END))], 'abc', true],
  ['trailers after it', [together(HEAD, data('abc'), TRAILERS)], 'abc', true],
  ['two frames at once', [together(HEAD, data('abc'), data('def', END))], 'abcdef', false],
  ['parts that come later', [HEAD, 20, data('abc'), 20, data('def', END)], 'abcdef', false],
  ['more later', [together(HEAD, data('abc')), 20, data('d'), 20, data('e', END)], 'abcde', false],
  ['its end later', [together(HEAD, padded('abc')), 20, data('', END)], 'abc', false],
  ['trailers later', [together(HEAD, data('abc')), 20, TRAILERS], 'abc', false],
  ['large frames', [together(HEAD, data(LARGE), data(LARGE, END))], LARGE + LARGE, false],
];

for (const [what, steps, body, isWhole] of CASES) {
  test(`a body: ${what}`, async () => {
    for (const how of [whole, inParts]) {
      read = how;
      assert.equal(await answerTo(...steps), `${body.length}: ${body}`, how.name);
      assert.equal(isHandedWhole, isWhole, how.name);
    }
  });
}

test('a stream that is reset in the turn that it began in is no call', async () => {
  const before = { handled, aborted };
  const reset = frameOf(FrameType.RST_STREAM, 0, 1, CANCEL);
  const next = headersOf(3, pseudo('POST', '/'));
  for (const begun of [[HEAD], [HEAD, data('abc')], [HEAD, data('abc', END_STREAM)]]) {
    await talk(port, [START, together(...begun, reset, next)], { giveUpMs: 50 });
  }
  // Those behind it are.
  await until('those', () => handled === before.handled + 3);
  assert.equal(aborted, before.aborted);
});

test('one that is reset later is one that its peer has left', async () => {
  const before = aborted;
  const reset = frameOf(FrameType.RST_STREAM, 0, 1, CANCEL);
  const steps = [START, together(HEAD, data('abc')), 20, reset];
  await talk(port, steps, { giveUpMs: 50 });
  await until('the end', () => aborted === before + 1);
});
