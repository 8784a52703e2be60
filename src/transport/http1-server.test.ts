import assert from 'node:assert/strict';
import net, { type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HttpExchange } from './http.ts';
import { makeHttp1Server } from './http1-server.ts';

const LIMITS = {
  headerBytesMax: 8192,
  headerMsMax: 1000,
  requestMsMax: 1000,
  idleMsMax: 1000,
};

/** A connection that is told to end and takes its time. */
class SlowToEnd extends Duplex {
  sent = '';

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.sent += chunk;
    done();
  }

  override _final(): void {}

  /** As a socket does, which is closed a turn of the loop after it was destroyed. */
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    setTimeout(() => done(error), 20);
  }

  setTimeout(): this {
    return this;
  }

  destroySoon(): void {
    this.end();
  }
}

test('what comes after the last answer of a connection is not answered', async () => {
  const exchanges: HttpExchange[] = [];
  const server = makeHttp1Server({
    limits: LIMITS,
    handle: (exchange) => exchanges.push(exchange),
    refuse: (exchange) => exchanges.push(exchange),
    // Each answer is the last of its connection.
    isDraining: () => true,
  });
  const connection = new SlowToEnd();
  server.emit('connection', connection as unknown as Socket);
  const request = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n';
  connection.push(request + request);
  await sleep(10);
  assert.equal(exchanges.length, 2);
  exchanges[0]?.send(200, [], 'first');
  await sleep(10);
  assert.ok(connection.writableEnded);
  // The second still waits, and will for ever. Were a third answered before it, Node would end the
  // process by an assertion of its own.
  connection.push(request);
  await sleep(10);
  connection.destroy();
  for (const exchange of exchanges.slice(2)) exchange.send(200, [], 'third');
  await sleep(50);
  assert.equal(exchanges.length, 2);
  assert.equal(connection.sent.match(/HTTP\/1\.1 200/g)?.length, 1);
});

test('who asks for much behind a stream of answers is not kept, since nobody would notice it leave', async () => {
  const server = makeHttp1Server({
    limits: { ...LIMITS, idleMsMax: 100 },
    handle: (exchange) => {
      if (exchange.target === '/large') return exchange.send(200, [], Buffer.alloc(200_000));
      exchange.start(200, []);
      void exchange.write(Buffer.from('the first of a stream'));
    },
    refuse: () => {},
    isDraining: () => false,
  });
  const outer = net.createServer((socket) => server.emit('connection', socket));
  await new Promise<void>((resolve) => outer.listen(0, '127.0.0.1', resolve));
  const { port } = outer.address() as net.AddressInfo;
  const request = (target: string) => `GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`;
  const [patient, eager] = [net.connect(port, '127.0.0.1'), net.connect(port, '127.0.0.1')];
  const closed = new Promise((resolve) => eager.resume().on('error', resolve).on('close', resolve));
  patient.write(request('/stream'));
  eager.write(request('/stream') + request('/large'));
  await sleep(30);
  eager.write(request('/large'));
  await closed;
  assert.equal(patient.resume().readyState, 'open');
  patient.destroy();
  outer.close();
  server.close();
});
