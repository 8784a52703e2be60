import assert from 'node:assert/strict';
import net from 'node:net';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HttpExchange } from '../src/transport/http.ts';
import { Http1FastPath } from '../src/transport/http1-fast-path.ts';
import { makeHttp1Server } from '../src/transport/http1-server.ts';
import { talk } from './raw.ts';

const limits = {
  headerBytesMax: 4096,
  headerMsMax: 400,
  requestMsMax: 1000,
  idleMsMax: 100,
};

/** After `idleMsMax`. */
const GRACE_MS = 1000;
/** More than the system takes for a peer that does not read. */
const LARGE_BYTES = 16_000_000;

let isDraining = false;
const aborted: string[] = [];
const handled: string[] = [];
/** What is under way and waits for a word. */
const waiting: HttpExchange[] = [];

const ANSWERS: Readonly<Record<string, (exchange: HttpExchange) => void>> = {
  '/text': (exchange) => exchange.send(200, ['x-one', '1', 'x-two', 'a b'], '{"a":1}'),
  '/wide': (exchange) => exchange.send(404, [], '{"a":"пропуск"}'),
  '/bytes': (exchange) => exchange.send(200, [], Buffer.from([0, 255, 10])),
  '/none': (exchange) => exchange.send(204, ['x-one', '1'], ''),
  '/empty': (exchange) => exchange.send(200, [], ''),
  '/large': (exchange) => exchange.send(200, [], Buffer.alloc(LARGE_BYTES, 'x')),
  '/wait': (exchange) => {
    exchange.onAbort(() => aborted.push(exchange.verb));
    waiting.push(exchange);
  },
};

function answer(exchange: HttpExchange): void {
  handled.push(exchange.target);
  exchange.commonHeaders.push('x-late', String(isDraining));
  const make = ANSWERS[exchange.target];
  if (make === undefined) exchange.send(400, [], 'not this');
  else make(exchange);
}

/** Connections that Node took over. */
let handedOver = 0;
const inner = makeHttp1Server({
  limits,
  handle: answer,
  refuse: (exchange, error) => exchange.send(400, [], error.message),
  isDraining: () => isDraining,
});
const fastPath = new Http1FastPath({
  limits,
  handle: answer,
  handOver: (socket) => {
    handedOver++;
    inner.emit('connection', socket);
  },
  isDraining: () => isDraining,
});
const outer = net.createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy());
  fastPath.take(socket);
});
await new Promise<void>((resolve) => outer.listen(0, '127.0.0.1', resolve));
const { port } = outer.address() as net.AddressInfo;
after(() => {
  outer.close();
  inner.close();
});

function request(target: string, verb = 'GET', body = ''): string {
  const length = body === '' ? '' : `Content-Length: ${body.length}\r\n`;
  return `${verb} ${target} HTTP/1.1\r\nHost: x\r\n${length}\r\n${body}`;
}

/** What is heard in a while, without the moment of the answer. */
async function heard(...steps: Parameters<typeof talk>[1]): Promise<string> {
  const { text } = await talk(port, steps, { giveUpMs: 200 });
  return text.replaceAll(/^Date: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT\r$/gm, 'Date: now\r');
}

/** How many bytes of a large answer come, when they are not read for long. */
async function unreadBytes(): Promise<number> {
  const socket = net.connect(port, '127.0.0.1');
  socket.pause();
  socket.write(request('/large'));
  // At first it is seen that some of it went out.
  await sleep(2 * (limits.idleMsMax + GRACE_MS) + 200);
  let bytes = 0;
  socket.on('data', (chunk) => {
    bytes += chunk.length;
  });
  socket.resume();
  await new Promise((resolve) => socket.on('error', resolve).on('close', resolve));
  return bytes;
}

async function waitingFor(count: number): Promise<void> {
  for (let i = 0; waiting.length < count; i++) {
    assert.ok(i < 1000, 'it did not come');
    await sleep(2);
  }
}

test('answers are those that Node would write, to the last byte', async () => {
  const asked = [...Object.keys(ANSWERS).filter((name) => !/wait|large/.test(name)), '/nowhere'];
  const both = asked.flatMap((target) => [request(target), request(target, 'HEAD')]);
  await Promise.all(
    both.map(async (text) => {
      const before = handedOver;
      const whole = await heard(text);
      assert.match(whole, /^HTTP\/1\.1 \d{3} [\w ]+\r\n/);
      assert.match(whole, /\r\nDate: now\r\nConnection: keep-alive\r\nKeep-Alive: timeout=0\r\n/);
      const cut = await heard(text.slice(0, 20), 20, text.slice(20));
      assert.equal(cut, whole, text);
      assert.ok(handedOver > before);
    }),
  );
});

test('one request after another is not for Node', async () => {
  const before = handedOver;
  const text = await heard(
    ...[request('/text', 'POST', 'one'), 20, request('/text', 'POST', 'two'), 20],
    ...[request('/none'), 20, request('/text', 'PUT', 'three')],
  );
  assert.equal(text.match(/HTTP\/1\.1 2/g)?.length, 4);
  assert.equal(handedOver, before);
});

test('a body is what follows its head', async () => {
  const exchanges = waiting.length;
  const talked = heard(request('/wait', 'POST', 'one'), 20, request('/wait', 'POST', 'two'));
  await waitingFor(exchanges + 1);
  const first = waiting[exchanges];
  assert.equal(first?.takeWhole()?.toString(), 'one');
  // What comes before the answer waits for it, and is answered by Node.
  await sleep(40);
  assert.equal(waiting.length, exchanges + 1);
  const before = handedOver;
  first?.send(200, [], 'first');
  await waitingFor(exchanges + 2);
  assert.equal(handedOver, before + 1);
  waiting[exchanges + 1]?.send(200, [], 'second');
  assert.match(await talked, /\r\n\r\nfirstHTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nsecond$/);
});

test('requests in one piece, and what is unfinished, are answered by Node in their order', async () => {
  const text = await heard(request('/text') + request('/wide') + request('/none').slice(0, 9));
  assert.match(text, /^HTTP\/1\.1 200 [\s\S]*HTTP\/1\.1 404 /);
  assert.match(await heard(request('/text'), 20, 'nonsense\r\n\r\n'), /HTTP\/1\.1 400 /);
  const before = handedOver;
  const web = request('/text', 'POST').replace(
    'Host',
    'content-type: application/grpc-web\r\nHost',
  );
  assert.match(await heard(web), /^HTTP\/1\.1 200 /);
  assert.equal(handedOver, before + 1);
  const long = request('/text').replace('Host', `x: ${'y'.repeat(5000)}\r\nHost`);
  assert.match(await heard(long), /^HTTP\/1\.1 400 [\s\S]*too large$/);
});

test('a caller that leaves is told of once, and not after its answer', async () => {
  const count = waiting.length;
  aborted.length = 0;
  const socket = net.connect(port, '127.0.0.1');
  socket.write(request('/wait', 'PUT', 'x'));
  await waitingFor(count + 1);
  socket.destroy();
  while (aborted.length === 0) await sleep(1);
  waiting[count]?.send(200, [], 'to nobody');
  const other = net.connect(port, '127.0.0.1');
  other.write(request('/wait', 'POST', 'x'));
  await waitingFor(count + 2);
  waiting[count + 1]?.send(200, [], 'answer');
  await new Promise((resolve) => other.once('data', resolve));
  other.destroy();
  await sleep(20);
  assert.deepEqual(aborted, ['PUT']);
});

test('a connection is closed when it is idle, not while it waits for its answer', async () => {
  const count = waiting.length;
  const talked = talk(port, [request('/wait')]);
  await waitingFor(count + 1);
  const unread = unreadBytes();
  await sleep(limits.idleMsMax + GRACE_MS + 100);
  waiting[count]?.send(200, [], 'late');
  const { text, isClosed } = await talked;
  assert.match(text, /late$/);
  assert.ok(isClosed);
  // A peer that does not read is cut off.
  assert.ok((await unread) < LARGE_BYTES);
});

test('a connection is closed when nothing comes at first', async () => {
  const { text, isClosed, ms } = await talk(port, []);
  assert.equal(text, '');
  assert.ok(isClosed && ms >= limits.headerMsMax && ms < 2 * limits.headerMsMax, `${ms} ms`);
});

test('no header is more than a line', () => {
  const exchanges: HttpExchange[] = [];
  const socket = new net.Socket();
  new Http1FastPath({
    limits,
    handle: (exchange) => exchanges.push(exchange),
    handOver: () => assert.fail(),
    isDraining: () => false,
  }).take(socket);
  socket.emit('data', Buffer.from(request('/')));
  for (const value of ['a\r\nb: c', 'a\nb', 'a\0', 'ж']) {
    assert.throws(() => exchanges[0]?.send(200, ['x', value], ''), /no header can say/);
  }
  socket.destroy();
});

/** How many of two requests are handled, the second of which crosses the end of the connection. */
async function handledBehindTheLast(): Promise<number> {
  const before = handled.length;
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.write(request('/text'));
  await new Promise((resolve) => socket.once('data', resolve));
  socket.write(request('/text'));
  await sleep(30);
  socket.destroy();
  return handled.length - before;
}

test('a server that drains ends connections with their answers, and closes those that are idle', async () => {
  const count = waiting.length;
  const idle = talk(port, [request('/text')]);
  const busy = talk(port, [request('/wait')]);
  await waitingFor(count + 1);
  await sleep(20);
  isDraining = true;
  try {
    const late = await talk(port, [request('/text')]);
    assert.match(late.text, /\r\nx-late: true\r\n[\s\S]*\r\nConnection: close\r\n\r\n\{"a":1\}$/);
    assert.ok(late.isClosed && late.ms < limits.idleMsMax);
    assert.equal(await handledBehindTheLast(), 1);
    fastPath.closeIdle();
    assert.ok((await idle).ms < limits.idleMsMax);
    waiting[count]?.send(200, [], 'last');
    assert.match((await busy).text, /\r\nConnection: close\r\n\r\nlast$/);
  } finally {
    isDraining = false;
  }
});
