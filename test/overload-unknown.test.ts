/** Overload by those who show nothing: it leaves the places of everybody else free. */
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { test } from 'node:test';
import { create, toBinary } from '@bufbuild/protobuf';
import {
  HealthCheckRequestSchema,
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as Status,
} from '../src/gen/health/v1/health_pb.js';
import { Four } from './clients/four.ts';
import { startHere } from './start.ts';
import { until } from './wait.ts';

const HEALTH = '/grpc.health.v1.Health';
const WATCH = `${HEALTH}/Watch`;
const REFLECTION = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
const RENEWAL = '/grpc.tradeapi.v1.auth.AuthService/SubscribeJwtRenewal';
const KIB = 1024;

function framed(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function named(service: string): Buffer {
  return framed(toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema, { service })));
}

/** A server, its clients, and one connection whose calls are left as they are. */
class Scene implements AsyncDisposable {
  readonly server: Awaited<ReturnType<typeof startHere>>;
  readonly four: Four;
  readonly #session: http2.ClientHttp2Session;

  private constructor(server: Scene['server']) {
    this.server = server;
    this.four = new Four(server);
    this.#session = http2.connect(server.url);
    this.#session.on('error', () => {});
  }

  static async start(...args: readonly string[]): Promise<Scene> {
    return new Scene(await startHere(args));
  }

  /** Opens a call; `status` is its end's, and `answers` what it was sent before. */
  open(path: string, message?: Buffer) {
    const type = path.startsWith('/v1') ? 'application/json' : 'application/grpc';
    const headers = { ':method': 'POST', ':path': path, 'content-type': type, te: 'trailers' };
    const stream = this.#session.request(headers);
    const call = { stream, status: undefined as string | undefined, bytes: Buffer.alloc(0) };
    for (const event of ['response', 'trailers']) {
      stream.on(event, (fields: http2.IncomingHttpHeaders) => {
        const { 'grpc-status': status, ':status': http } = fields;
        if (typeof status === 'string') call.status = status;
        else if (http !== undefined && `${http}` !== '200') call.status = `${http}`;
      });
    }
    stream.on('error', () => {});
    stream.on('data', (chunk: Buffer) => {
      call.bytes = Buffer.concat([call.bytes, chunk]);
    });
    if (message !== undefined) stream.end(message);
    return call;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#session.destroy();
    await this.four[Symbol.asyncDispose]();
    await this.server.stop();
  }
}

/** The server's own figure. */
async function bufferedBytes({ server }: Scene): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  return Number(/^propusk_buffered_request_bytes (\d+)$/m.exec(text)?.[1]);
}

test('an open stream holds none of the bytes of its request', async () => {
  await using scene = await Scene.start('--buffered-bytes-max', String(8 * KIB));
  const name = 'a'.repeat(3 * KIB);
  const watches = Array.from({ length: 20 }, () => scene.open(WATCH, named(name)));
  await until('the answers', () => watches.every(({ bytes }) => bytes.length > 0));
  for (const { bytes, status } of watches) {
    const answer = create(HealthCheckResponseSchema, { status: Status.SERVICE_UNKNOWN });
    assert.deepEqual(bytes, framed(toBinary(HealthCheckResponseSchema, answer)));
    assert.equal(status, undefined);
  }
  assert.equal(await bufferedBytes(scene), 0);
  const { four, server } = scene;
  for (const client of four.all) assert.ok(await client.auth(server.secret), client.name);
});

test('a message of a stream is small, a unary one as large as all may be', async () => {
  await using scene = await Scene.start();
  const large = named('a'.repeat(5 * KIB));
  const question = framed(Buffer.concat([Buffer.from([0x22, 0x80, 0x28]), Buffer.alloc(5 * KIB)]));
  const calls = [
    scene.open(WATCH, large),
    scene.open(REFLECTION, question),
    scene.open(RENEWAL, large),
    scene.open(`${HEALTH}/Check`, large),
  ];
  await until('the answers', () => calls.every(({ status }) => status !== undefined));
  assert.deepEqual(
    calls.map(({ status }) => status),
    ['8', '8', '8', '5'],
  );
});
