/** What the fuzzer brought to light, each as it was at its smallest. */
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { after, test } from 'node:test';
import { echoService } from './echo-service.ts';
import { Http1Reader } from './fuzz/http1-reader.ts';
import { talk } from './raw.ts';
import { startHere } from './start.ts';
import { until } from './wait.ts';

const server = await startHere([], { extraServices: [echoService().registration] });
after(() => server.stop());

function post(target: string, headers: readonly string[], body: string): string {
  const all = ['Host: localhost', `Content-Length: ${Buffer.byteLength(body)}`, ...headers];
  return `POST ${target} HTTP/1.1\r\n${all.join('\r\n')}\r\n\r\n${body}`;
}

test('100 Continue never lands inside the answer that waits for the one before it', async () => {
  // Signing in takes a write; meanwhile the second request is read and refused.
  const first = post('/v1/sessions', [], JSON.stringify({ secret: server.secret }));
  const second = post(
    '/grpc.tradeapi.v1.auth.AuthService/TokenDetails',
    ['Content-Type: application/grpc-web+proto', 'Expect: 100-continue'],
    '\0\0\0\0\0',
  );
  for (let i = 0; i < 10; i++) {
    const { bytes } = await talk(server.port, [first + second], {
      enough: (received) => received.includes('grpc-status-details-bin'),
    });
    const reader = new Http1Reader();
    reader.push(bytes);
    const answers = [reader.next('POST'), reader.next('POST')];
    assert.deepEqual(
      answers.map((answer) => answer?.status),
      [200, 200],
    );
    assert.equal(answers[1]?.body[0], 0x80, 'the body begins with the frame of the trailers');
    assert.equal(answers[1]?.body.readUInt32BE(1), (answers[1]?.body.length ?? 0) - 5);
  }
});

for (const [what, broken] of [
  ['a broken chunk of a request', post('/v1/sessions', ['Transfer-Encoding: chunked'], 'no chunk')],
  ['CONNECT', 'CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n'],
] as const) {
  test(`the refusal of ${what} never lands inside the answer before it`, async () => {
    const watch = post(
      '/grpc.health.v1.Health/Watch',
      ['Content-Type: application/grpc-web+proto'],
      '\0\0\0\0\0',
    );
    const { text, isClosed } = await talk(server.port, [
      watch,
      50,
      broken.replace(/Content-L.*\n/, ''),
    ]);
    assert.ok(isClosed);
    assert.equal(text.match(/HTTP\/1\.1/g)?.length, 1, text);
  });
}

/** TCP connections that are open in this process, at either end. */
function openSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
}

test('a request that is refused before its end does not keep its connection open', async () => {
  const before = openSockets();
  const session = http2.connect(server.url);
  for (let i = 0; i < 20; i++) {
    const stream = session.request({
      ':method': 'POST',
      ':path': '/propusk.test.v1.EchoService/Collect',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    // The first message cannot be read; what comes after it nobody wants.
    stream.write(Buffer.from([0, 0, 0, 0, 1, 0xff]));
    stream.write(Buffer.from([0, 0, 0, 0, 0]));
    stream.end(Buffer.from([0, 0, 0, 0, 0]));
    stream.resume();
    await new Promise((resolve) => stream.once('close', resolve));
  }
  session.close();
  await until('the connection is closed', () => openSockets() <= before);
});
