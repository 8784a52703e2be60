/** The same over HTTP/2: hand-made frames that break the rules, or wear them out. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Rest2Client } from './clients/rest.ts';
import { besidesEngines } from './engines.ts';
import {
  CANCEL,
  END_HEADERS,
  END_STREAM,
  type Frame,
  FrameType,
  frameOf,
  framesIn,
  headersOf,
  hpack,
  PREFACE,
  pseudo,
} from './http2-frames.ts';
import { type Step, talk } from './raw.ts';
import { startHere } from './start.ts';
import { linesOf, until } from './wait.ts';

const flags = [
  ['--sniff-ms-max', '150'],
  ['--idle-ms-max', '300'],
  ['--request-ms-max', '20000'],
  ['--header-bytes-max', '4096'],
  ['--streams-per-connection-max', '5'],
].flat();
const server = await startHere(flags);
after(() => server.stop());

const PROTOCOL_ERROR = 1;
const REFUSED_STREAM = 7;
const SETTINGS = frameOf(FrameType.SETTINGS, 0, 0);
const GET = headersOf(1, pseudo('GET', '/healthz'));

type Header = readonly [string, string];

/** The frames that answer these, until the server closes; idle ones it closes soon. */
async function exchange(...steps: Step[]): Promise<{ frames: Frame[]; isClosed: boolean }> {
  const { bytes, isClosed } = await talk(server.port, [PREFACE, SETTINGS, ...steps]);
  return { frames: framesIn(bytes), isClosed };
}

/** The same, until this stream has its whole answer. */
async function answered(stream: number, ...steps: Step[]): Promise<Frame[]> {
  const enough = (bytes: Buffer) =>
    framesIn(bytes).some((frame) => frame.stream === stream && isLast(frame));
  const { bytes } = await talk(server.port, [PREFACE, SETTINGS, ...steps], { enough });
  return framesIn(bytes);
}

function isLast({ type, flags }: Frame): boolean {
  if (type === FrameType.RST_STREAM) return true;
  return type === FrameType.DATA && (flags & END_STREAM) !== 0;
}

function find(frames: readonly Frame[], type: number, stream: number): Frame | undefined {
  return frames.find((frame) => frame.type === type && frame.stream === stream);
}

function codeIn(frame: Frame | undefined, at: number): number | undefined {
  return frame?.payload.readUInt32BE(at);
}

async function assertServes(): Promise<void> {
  await using client = new Rest2Client(server.url);
  const body = JSON.stringify({ secret: server.secret });
  assert.equal((await client.send('POST', '/v1/sessions', { body })).status, 200);
}

test('well-made frames are answered', async () => {
  const frames = await answered(1, GET);
  const data = find(frames, FrameType.DATA, 1);
  assert.equal(data?.payload.toString(), '{"status":"ok"}');
});

const path = pseudo('GET', '/healthz');
const BAD_HEADS: Readonly<Record<string, readonly Header[]>> = {
  'no :path': path.filter(([name]) => name !== ':path'),
  'no :method': path.filter(([name]) => name !== ':method'),
  'an empty :path': pseudo('GET', ''),
  'a :path without its slash': pseudo('GET', 'healthz'),
  'an upper-case name': [...path, ['X-A', 'b']],
  'a pseudo-header too late': [['a', 'b'], ...path],
  'a :path twice': [...path, [':path', '/x']],
  'an unknown pseudo-header': [...path, [':nope', 'x']],
  'a header of the connection': [...path, ['connection', 'keep-alive']],
  'a transfer-encoding': [...path, ['transfer-encoding', 'chunked']],
  'an odd te': [...path, ['te', 'gzip']],
};

for (const [what, headers] of Object.entries(BAD_HEADS)) {
  test(`${what} ends the stream, not the connection`, async () => {
    const frames = await answered(3, headersOf(1, headers), headersOf(3, path));
    assert.equal(codeIn(find(frames, FrameType.RST_STREAM, 1), 0), PROTOCOL_ERROR);
    assert.ok(find(frames, FrameType.DATA, 3), 'the next stream is answered');
  });
}

test('a body of another length than it says ends the stream', async () => {
  const head = [...pseudo('POST', '/v1/sessions'), ['content-length', '5'] as const];
  const frames = await answered(
    3,
    headersOf(1, head, END_HEADERS),
    frameOf(FrameType.DATA, END_STREAM, 1, Buffer.from('{}')),
    headersOf(3, path),
  );
  assert.equal(codeIn(find(frames, FrameType.RST_STREAM, 1), 0), PROTOCOL_ERROR);
  assert.ok(find(frames, FrameType.DATA, 3));
});

test('headers over the limit are refused as over HTTP/1.1', async () => {
  const big: Header[] = [...path, ['a', 'b'.repeat(4096)]];
  const frames = await answered(3, headersOf(1, big), headersOf(3, path));
  const refusal = JSON.parse(find(frames, FrameType.DATA, 1)?.payload.toString() ?? '');
  assert.deepEqual([refusal.code, refusal.message], [3, 'the request headers are too large']);
  assert.ok(find(frames, FrameType.DATA, 3));
  const many: Header[] = [
    ...path,
    ...Array.from({ length: 300 }, (_, i) => [`a${i}`, ''] as const),
  ];
  assert.ok(find(await answered(1, headersOf(1, many)), FrameType.RST_STREAM, 1));
});

test('CONNECT has no path, and leads nowhere', async () => {
  const head: Header[] = [
    [':method', 'CONNECT'],
    [':authority', 'x:1'],
  ];
  const frames = await answered(1, headersOf(1, head, END_HEADERS));
  const refusal = JSON.parse(find(frames, FrameType.DATA, 1)?.payload.toString() ?? '');
  assert.equal(refusal.code, 5);
});

const FATAL: Readonly<Record<string, readonly Buffer[]>> = {
  'a stream with an even number': [headersOf(2, path)],
  'data on a stream that is not there': [frameOf(FrameType.DATA, END_STREAM, 5, Buffer.from('x'))],
  'a window that grows by nothing': [frameOf(FrameType.WINDOW_UPDATE, 0, 0, Buffer.alloc(4))],
  'a window that overflows': [
    frameOf(FrameType.WINDOW_UPDATE, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff])),
  ],
  'a frame over the frame size': [frameOf(FrameType.DATA, 0, 1, Buffer.alloc(20_000))],
  'a header block that is none': [
    frameOf(FrameType.HEADERS, END_HEADERS | END_STREAM, 1, Buffer.alloc(5, 0xff)),
  ],
  'bad settings': [frameOf(FrameType.SETTINGS, 0, 0, Buffer.from([0, 5, 0, 0, 0, 1]))],
  'a header block without an end': [
    frameOf(FrameType.HEADERS, 0, 1, hpack(path)),
    ...Array.from({ length: 100 }, () =>
      frameOf(FrameType.CONTINUATION, 0, 1, hpack([['a', 'b'.repeat(500)]])),
    ),
  ],
  'another frame inside a header block': [frameOf(FrameType.HEADERS, 0, 1, hpack(path)), SETTINGS],
};

for (const [what, frames] of Object.entries(FATAL)) {
  test(`${what} ends the connection`, async () => {
    const heard = await exchange(...frames);
    assert.ok(heard.isClosed);
    assert.notEqual(codeIn(find(heard.frames, FrameType.GOAWAY, 0), 4), 0);
    await assertServes();
  });
}

test('a preface that goes wrong in its second half is closed', async () => {
  const { isClosed, text } = await talk(server.port, ['PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n']);
  assert.ok(isClosed);
  assert.ok(!text.includes('HTTP/1.1'));
});

test('a connection that stays idle is closed', async () => {
  await Promise.all(
    [['PRI * HTTP/2.0\r\n'], [PREFACE], [PREFACE, SETTINGS], [PREFACE, SETTINGS, GET]].map(
      async (steps) => {
        const { isClosed, ms } = await talk(server.port, steps);
        assert.ok(isClosed && ms >= 290 && ms < 3000, `${ms} ms`);
      },
    ),
  );
});

test('a peer that holds streams open and answers no ping is closed', async () => {
  const open = headersOf(1, pseudo('POST', '/v1/sessions'), END_HEADERS);
  const { frames, isClosed } = await exchange(open);
  assert.ok(isClosed);
  assert.ok(find(frames, FrameType.PING, 0));
});

test('streams over the limit are refused, those within it are not', async () => {
  const open = (stream: number) => headersOf(stream, pseudo('POST', '/v1/sessions'), END_HEADERS);
  const streams = [1, 3, 5, 7, 9, 11, 13];
  const body = Buffer.from(JSON.stringify({ secret: server.secret }));
  const frames = await answered(
    1,
    ...streams.map(open),
    30,
    frameOf(FrameType.DATA, END_STREAM, 1, body),
  );
  const refused = streams.filter(
    (id) => codeIn(find(frames, FrameType.RST_STREAM, id), 0) === REFUSED_STREAM,
  );
  assert.deepEqual(refused, [11, 13]);
  assert.match(find(frames, FrameType.DATA, 1)?.payload.toString() ?? '', /token/);
});

test('streams that are opened and reset at once do not wear the server out', async () => {
  const body = Buffer.from(JSON.stringify({ secret: server.secret }));
  const frames = Array.from({ length: 500 }, (_, i) => 2 * i + 1).flatMap((id) => [
    headersOf(id, pseudo('POST', '/v1/sessions'), END_HEADERS),
    ...(id % 3 === 0 ? [frameOf(FrameType.DATA, END_STREAM, id, body)] : []),
    frameOf(FrameType.RST_STREAM, 0, id, CANCEL),
  ]);
  const { isClosed } = await exchange(Buffer.concat(frames));
  assert.ok(isClosed);
  await assertServes();
});

test('nor do those that are reset while their requests are awaited', async () => {
  const ids = Array.from({ length: 300 }, (_, i) => 2 * i + 1);
  const rounds = Array.from({ length: 60 }, (_, round) => ids.slice(round * 5, round * 5 + 5));
  const cancelled = () =>
    besidesEngines(server.log).filter((line) => /CANCELLED/.test(line)).length;
  const before = cancelled();
  const { isClosed } = await exchange(
    ...rounds.flatMap((round): Step[] => [
      Buffer.concat(round.map((id) => headersOf(id, pseudo('POST', '/v1/sessions'), END_HEADERS))),
      5,
      Buffer.concat(round.map((id) => frameOf(FrameType.RST_STREAM, 0, id, CANCEL))),
    ]),
  );
  assert.ok(isClosed);
  await until('the log of them', () => cancelled() > before + ids.length / 2);
  await assertServes();
});

test('a flood of pings and settings ends with the connection closed', async () => {
  const pings = Array.from({ length: 2000 }, () => frameOf(FrameType.PING, 0, 0, Buffer.alloc(8)));
  const settings = Array.from({ length: 2000 }, () => SETTINGS);
  for (const flood of [pings, settings]) {
    assert.ok((await exchange(Buffer.concat(flood))).isClosed);
  }
  await assertServes();
});

test('after all that every line of the log names its request, and none is INTERNAL', async () => {
  await until('the last call', () => besidesEngines(server.log).length > 0);
  for (const line of linesOf(besidesEngines(server.log))) {
    assert.equal(typeof line.requestId, 'string', JSON.stringify(line));
    assert.notEqual(line.code, 'INTERNAL', JSON.stringify(line));
  }
});
