/** All four kinds of methods, by foreign clients and by hand-made frames. */
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import {
  create,
  type DescMethodUnary,
  fromBinary,
  type Message,
  toBinary,
} from '@bufbuild/protobuf';
import { failureOf } from './clients/client.ts';
import { Four, inEach } from './clients/four.ts';
import { EchoMessageSchema, echoMethod } from './echo-contract.ts';
import { echoService, REPEATS } from './echo-service.ts';
import { startHere } from './start.ts';
import { linesOf, until } from './wait.ts';

const echo = echoService();
const limits = ['--body-bytes-max', '100000', '--deadline-ms-max', '1000'];
const server = await startHere(limits, { extraServices: [echo.registration] });
const four = new Four(server);
const session = http2.connect(server.url);
after(async () => {
  session.destroy();
  await four[Symbol.asyncDispose]();
  await server.stop();
});

type Echoed = Message & { text: string; words: string[] };

function textsOf(answers: readonly Message[]): string[] {
  return answers.map((answer) => (answer as Echoed).text);
}

/** Requests that are sent one by one, each when the answer to the one before has come. */
function turns() {
  const waiting: (() => void)[] = [];
  return {
    next: () => waiting.shift()?.(),
    async *of(texts: readonly string[]) {
      for (const text of texts) {
        yield { text };
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
    },
  };
}

inEach(four.streaming, 'a server stream', async (client) => {
  const answers = await Array.fromAsync(client.stream(echoMethod('repeat'), [{ text: 'again' }]));
  assert.deepEqual(textsOf(answers), Array(REPEATS).fill('again'));
});

inEach([four.grpc, four.web], 'a unary call', async (client) => {
  const method = echoMethod('echo') as DescMethodUnary;
  const { message } = await client.call(method, { text: 'я 🙂', bigNumber: 2n ** 62n });
  assert.equal((message as Echoed).text, 'я 🙂');
  assert.equal((message as Message & { bigNumber: bigint }).bigNumber, 2n ** 62n);
});

test('a client stream', async () => {
  const inputs = Array.from({ length: 100 }, (_, i) => ({ text: `${i}` }));
  const [answer] = await Array.fromAsync(four.grpc.stream(echoMethod('collect'), inputs));
  const expected = inputs.map(({ text }) => text);
  assert.deepEqual((answer as Echoed).words, expected);
  const [none] = await Array.fromAsync(four.grpc.stream(echoMethod('collect'), []));
  assert.deepEqual((none as Echoed).words, []);
});

test('a conversation: each answer comes before the next request is sent', async () => {
  const requests = turns();
  const heard: string[] = [];
  const answers = four.grpc.stream(echoMethod('chat'), requests.of(['a', 'b', 'c']));
  for await (const answer of answers) {
    heard.push((answer as Echoed).text);
    requests.next();
  }
  assert.deepEqual(heard, ['a', 'b', 'c']);
});

test('a stream that is left by its reader ends for the service', async () => {
  const requests = turns();
  for await (const answer of four.grpc.stream(echoMethod('chat'), requests.of(['a', 'b']))) {
    assert.equal((answer as Echoed).text, 'a');
    break;
  }
  const call = echo.calls.findLast(({ method }) => method === 'Chat')?.call;
  await until('the end of the call', () => call?.ended !== undefined);
});

test('many streams on one connection do not mix', async () => {
  const streams = Array.from({ length: 50 }, (_, i) =>
    Array.fromAsync(four.grpc.stream(echoMethod('chat'), [{ text: `${i}` }, { text: `${i}` }])),
  );
  for (const [i, answers] of (await Promise.all(streams)).entries()) {
    assert.deepEqual(textsOf(answers), [`${i}`, `${i}`]);
  }
});

inEach([four.grpc, four.web], 'an unknown method or service is UNIMPLEMENTED', async (client) => {
  const method = echoMethod('echo');
  const parent = { ...method.parent, typeName: 'no.such.Service' };
  for (const odd of [
    { ...method, name: 'Nothing' },
    { ...method, parent },
  ]) {
    const failure = await failureOf(client.call(odd as DescMethodUnary, {}));
    assert.equal(failure.code, 12);
    assert.equal(failure.reason, 'METHOD_NOT_FOUND');
  }
});

inEach([four.grpc, four.web], 'a message over the limit', async (client) => {
  const method = echoMethod('echo') as DescMethodUnary;
  assert.ok(await client.call(method, { text: 'x'.repeat(99_000) }));
  const failure = await failureOf(client.call(method, { text: 'x'.repeat(100_001) }));
  assert.equal(failure.code, 8);
  assert.equal(failure.reason, 'BODY_TOO_LARGE');
  assert.equal(failure.headers['grpc-retry-pushback-ms'], undefined);
});

test('a message over the limit inside a stream', async () => {
  const inputs = [{ text: 'small' }, { text: 'x'.repeat(100_001) }];
  for (const name of ['collect', 'chat']) {
    const stream = four.grpc.stream(echoMethod(name), inputs);
    const failure = await failureOf(Array.fromAsync(stream));
    assert.equal(failure.code, 8, name);
    assert.equal(failure.reason, 'BODY_TOO_LARGE');
  }
});

interface RawAnswer {
  readonly status: string | undefined;
  readonly messages: Buffer;
}

/** Sends these bytes as the body of a gRPC call, and lets the request open or ends it. */
function sendRaw(
  method: string,
  chunks: readonly Buffer[],
  { end = true, headers = {} }: { end?: boolean; headers?: Record<string, string> } = {},
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': `/propusk.test.v1.EchoService/${method}`,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    let status: unknown;
    const parts: Buffer[] = [];
    stream.on('response', (received) => {
      status ??= received['grpc-status'];
    });
    stream.on('trailers', (received) => {
      status ??= received['grpc-status'];
    });
    stream.on('data', (chunk: Buffer) => parts.push(chunk));
    stream.on('error', reject);
    stream.on('close', () => {
      resolve({ status: status as string | undefined, messages: Buffer.concat(parts) });
    });
    void (async () => {
      for (const chunk of chunks) {
        stream.write(chunk);
        await sleep(1);
      }
      if (end) stream.end();
    })();
  });
}

function framed(flags: number, data: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = flags;
  prefix.writeUInt32BE(data.length, 1);
  return Buffer.concat([prefix, data]);
}

function encoded(text: string): Uint8Array {
  return toBinary(EchoMessageSchema, create(EchoMessageSchema, { text }));
}

// Without an end of the request: the refusal must come while the peer may still send.
for (const method of ['Collect', 'Chat']) {
  test(`${method}: a bad frame is refused at once, and with a status`, async () => {
    const good = framed(0, encoded('good'));
    for (const [bad, status] of [
      [framed(0, Buffer.from([255, 255, 255])), '3'],
      [Buffer.from([0, 0x7f, 0, 0, 0]), '8'],
      [framed(2, encoded('x')), '3'],
      [framed(0x80, encoded('x')), '3'],
      // gRPC's own rule: flagged as compressed, and no compression named.
      [framed(1, encoded('x')), '13'],
    ] as const) {
      assert.equal((await sendRaw(method, [bad], { end: false })).status, status);
      assert.equal((await sendRaw(method, [good, bad], { end: false })).status, status);
      assert.equal((await sendRaw(method, [Buffer.concat([good, bad])])).status, status);
    }
  });
}

test('a bad frame of a unary call', async () => {
  for (const [chunks, status] of [
    // gRPC's own rule: not exactly one message.
    [[], '12'],
    [[Buffer.from([0])], '3'],
    [[Buffer.from([0, 0, 0, 0, 9, 1])], '3'],
    [[framed(0, Buffer.from([255, 255]))], '3'],
    [[framed(0, encoded('a')), framed(0, encoded('b'))], '12'],
    [[framed(1, encoded('a'))], '13'],
    [[framed(7, encoded('a'))], '3'],
    [[Buffer.from([0, 0x7f, 0, 0, 0])], '8'],
    [[framed(0, encoded('a'))], '0'],
  ] as const) {
    assert.equal((await sendRaw('Echo', chunks)).status, status, JSON.stringify(chunks));
  }
});

test('a message is read wherever the network cuts it', async () => {
  const whole = Buffer.concat([framed(0, encoded('one')), framed(0, encoded('two'))]);
  for (let at = 1; at < whole.length; at++) {
    const { status, messages } = await sendRaw('Chat', [whole.subarray(0, at), whole.subarray(at)]);
    assert.equal(status, '0');
    assert.deepEqual(messages, whole);
  }
});

test('gzip is understood, within the limit of what it unpacks to', async () => {
  const headers = { 'grpc-encoding': 'gzip' };
  const packed = framed(1, gzipSync(encoded('packed')));
  const { status, messages } = await sendRaw('Echo', [packed], { headers });
  assert.equal(status, '0');
  const message = fromBinary(EchoMessageSchema, messages.subarray(5)) as Echoed;
  assert.equal(message.text, 'packed');
  const plain = await sendRaw('Echo', [framed(0, encoded('plain'))], { headers });
  assert.equal(plain.status, '0');

  const bomb = framed(1, gzipSync(encoded('x'.repeat(5_000_000))));
  assert.ok(bomb.length < 10_000);
  assert.equal((await sendRaw('Echo', [bomb], { headers })).status, '8');
  const broken = framed(1, Buffer.from('not gzip'));
  assert.equal((await sendRaw('Echo', [broken], { headers })).status, '3');
});

test('an encoding that is not spoken here is UNIMPLEMENTED', async () => {
  for (const encoding of ['deflate', 'br', 'nonsense']) {
    const headers = { 'grpc-encoding': encoding };
    const { status } = await sendRaw('Echo', [framed(0, encoded('x'))], { headers });
    assert.equal(status, '12');
  }
});

test('a service that throws is INTERNAL, and its cause is in the log alone', async () => {
  echo.error = new Error('the cause that nobody may see');
  for (const client of four.all) {
    const failure = await failureOf(client.call(echoMethod('fail') as DescMethodUnary, {}));
    assert.equal(failure.code, 13);
    assert.equal(failure.reason, 'INTERNAL');
    assert.ok(!JSON.stringify(failure.status).includes('the cause'));
    if (client.protocol === 'rest') assert.equal(failure.httpStatus, 500);
  }
  const lines = linesOf(server.log).filter((line) => line.reason === 'INTERNAL');
  assert.equal(lines.length, four.all.length);
  for (const line of lines) assert.match(JSON.stringify(line.err), /the cause that nobody may see/);
});
