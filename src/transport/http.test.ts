import assert from 'node:assert/strict';
import type { ServerHttp2Stream } from 'node:http2';
import net from 'node:net';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HttpExchange } from './http.ts';
import { makeHttp1Server } from './http1-server.ts';
import { Http2Exchange } from './http2-exchange.ts';

const limits = {
  headerBytesMax: 4096,
  headerMsMax: 1000,
  requestMsMax: 5000,
  idleMsMax: 5000,
};

/** Answers at once, but at /slow, and reads no body. */
function answer(exchange: HttpExchange): void {
  const send = () => exchange.send(404, [], 'nothing here');
  if (exchange.target === '/slow') setTimeout(send, 50);
  else send();
}

const inner = makeHttp1Server({ limits, handle: answer, refuse: answer, isDraining: () => false });
const sockets = new Set<net.Socket>();
const outer = net.createServer((socket) => {
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
  inner.emit('connection', socket);
});
await new Promise<void>((resolve) => outer.listen(0, '127.0.0.1', resolve));
after(() => {
  outer.close();
  inner.close();
});

interface Heard {
  readonly text: string;
  /** What went wrong with the connection. */
  readonly error: string | undefined;
}

/** Sends the head, and once the answer has come the rest, a piece at a time; listens to the end. */
async function talk(head: string, rest: readonly string[] = []): Promise<Heard> {
  const { port } = outer.address() as net.AddressInfo;
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  let text = '';
  let error: string | undefined;
  const ended = new Promise((resolve) => socket.on('end', resolve).on('close', resolve));
  const answered = new Promise((resolve) => socket.once('data', resolve));
  socket.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  socket.on('error', (thrown: NodeJS.ErrnoException) => {
    error = thrown.code;
  });
  socket.write(head);
  await Promise.race([answered, ended]);
  for (const piece of rest) {
    await sleep(2);
    if (socket.writable) socket.write(piece);
  }
  await ended;
  // Nothing else ends the server's side of a peer that goes no further.
  for (let waited = 0; sockets.size > 0 && waited < 3000; waited += 10) await sleep(10);
  assert.equal(sockets.size, 0, 'the server closes');
  socket.destroy();
  return { text, error };
}

test('a body that comes after its answer does not break the connection', async () => {
  const head = 'PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n';
  const { text, error } = await talk(head, Array(20).fill('x'.repeat(1000)));
  assert.equal(error, undefined);
  assert.match(text, /^HTTP\/1\.1 404 .*\r\nConnection: close\r\n\r\nnothing here$/s);
});

test('what comes after the answer is no request', async () => {
  const head = 'PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\n';
  const hidden = 'GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n';
  const { text } = await talk(head, [hidden, hidden, hidden]);
  assert.equal(text.match(/HTTP\/1\.1/g)?.length, 1);
});

for (const verb of ['PUT', 'HEAD']) {
  test(`${verb}: a body that never comes is not waited for long`, async () => {
    const head = `${verb} /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`;
    assert.match((await talk(head)).text, /^HTTP\/1\.1 404 /);
  });
}

test('a request without a body keeps its connection', async () => {
  const request = 'OPTIONS /a HTTP/1.1\r\nHost: x\r\n\r\n';
  const last = 'OPTIONS /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n';
  const { text } = await talk(`${request}${request}${last}`);
  assert.equal(text.match(/HTTP\/1\.1 404/g)?.length, 3);
  assert.equal(text.match(/Connection: keep-alive/g)?.length, 2);
});

test('an early answer waits for the answers before it', async () => {
  const slow = 'GET /slow HTTP/1.1\r\nHost: x\r\n\r\n';
  const early = 'PUT /b HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n';
  const { text } = await talk(`${slow}${early}`);
  assert.equal(text.match(/HTTP\/1\.1 404/g)?.length, 2);
});

test('nothing is sent on a stream of HTTP/2 that is closed, though it still holds unread data', () => {
  // Node refuses by an exception, which would be taken for a fault of ours.
  const refuse = () => assert.fail('a closed stream was answered');
  const closed = { destroyed: false, closed: true, on: () => {}, respond: refuse };
  const stream = closed as unknown as ServerHttp2Stream;
  const exchange = new Http2Exchange(stream, { ':method': 'POST' }, [], '127.0.0.1', () => {});
  exchange.start(200, []);
  exchange.send(400, [], 'no');
});
