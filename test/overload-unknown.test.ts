/** Overload by those who show nothing: it leaves the places of everybody else free. */
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { test } from 'node:test';
import { create, toBinary } from '@bufbuild/protobuf';
import { SubscribeJwtRenewalRequestSchema } from '../src/gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import {
  HealthCheckRequestSchema,
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as Status,
} from '../src/gen/health/v1/health_pb.js';
import { type Client, failureOf } from './clients/client.ts';
import { Four } from './clients/four.ts';
import { startHere } from './start.ts';
import { lineOf, until } from './wait.ts';

const HEALTH = '/grpc.health.v1.Health';
const WATCH = `${HEALTH}/Watch`;
const REFLECTION = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
const AUTH = '/grpc.tradeapi.v1.auth.AuthService/Auth';
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

  /** Resolves when what was sent before has been read. */
  async read(): Promise<void> {
    await new Promise((answered) => this.#session.ping(answered));
    await new Promise(setImmediate);
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

async function renewed(client: Client, secret: string): Promise<void> {
  for await (const _ of client.renewal(secret)) return;
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

for (const [name, path, message] of [
  ['Watch', WATCH, named('')],
  ['Watch without a request', WATCH, undefined],
  ['reflection that is asked nothing', REFLECTION, undefined],
] as const) {
  test(`streams of anyone leave those of others their places: ${name}`, async () => {
    const limits = ['--streams-max', '2', '--anonymous-streams-max', '3'];
    await using scene = await Scene.start(...limits);
    const { four, server } = scene;
    const calls = Array.from({ length: 5 }, () => scene.open(path, message));
    const refused = () => calls.filter(({ status }) => status !== undefined);
    await until('the refusals', () => refused().length === 2);
    assert.ok(refused().every(({ status }) => status === '14'));
    for (const client of four.streaming) {
      await renewed(client, server.secret);
      assert.equal(await client.check(), Status.SERVING);
      assert.equal((await failureOf(client.watch().next())).code, 14);
    }
    const [open] = calls.filter(({ status }) => status === undefined);
    open?.stream.close(http2.constants.NGHTTP2_CANCEL);
    await until('the place', () =>
      four.grpc
        .watch()
        .next()
        .then(({ value }) => value === Status.SERVING)
        .catch(() => false),
    );
  });
}

test('one address takes only a part of the streams of anyone', async () => {
  const of = ['--anonymous-streams-per-address-max', '2', '--trusted-proxy', '127.0.0.1'];
  await using scene = await Scene.start(...of);
  const watch = (address: string) => {
    const metadata = { 'x-forwarded-for': address };
    return scene.four.grpc.watch('', { metadata });
  };
  const open = [watch('2001:db8::1'), watch('2001:db8::2')];
  for (const stream of open) assert.equal((await stream.next()).value, Status.SERVING);
  assert.equal((await failureOf(watch('2001:db8::3').next())).code, 14);
  const other = watch('2001:db8:0:1::1');
  assert.equal((await other.next()).value, Status.SERVING);
  for (const stream of [...open, other]) await stream.return();
});

test('heads without their request leave the places of others free', async () => {
  const limits = ['--calls-max', '2', '--streams-max', '2'];
  await using scene = await Scene.start(...limits, '--arriving-calls-per-address-max', '9');
  const { four, server } = scene;
  const calls = [AUTH, '/v1/sessions', RENEWAL].flatMap((path) =>
    Array.from({ length: 3 }, () => scene.open(path)),
  );
  await scene.read();
  assert.ok(calls.every(({ status }) => status === undefined));
  // The ninth of the address is let go, and the next ones take its place.
  calls[0]?.stream.close(http2.constants.NGHTTP2_CANCEL);
  const passes = async (client: Client) => {
    try {
      await client.auth(server.secret);
      if (client.hasStreams) await renewed(client, server.secret);
      return true;
    } catch {
      return false;
    }
  };
  for (const client of four.all) await until(client.name, () => passes(client));
});

test('requests that are awaited have a limit for each address, and health none', async () => {
  const limits = ['--arriving-calls-per-address-max', '3', '--trusted-proxy', '127.0.0.1'];
  await using scene = await Scene.start(...limits);
  const { four, server } = scene;
  const calls = [AUTH, '/v1/sessions', RENEWAL, AUTH, '/v1/sessions', RENEWAL].map((path) =>
    scene.open(path),
  );
  await until('the refusals', () => calls.filter(({ status }) => status).length === 3);
  assert.deepEqual(
    calls.map(({ status }) => status),
    [undefined, undefined, undefined, '14', '503', '14'],
  );
  const elsewhere = { metadata: { 'x-forwarded-for': '192.0.2.1' } };
  for (const client of four.all) {
    const failure = await failureOf(client.auth(server.secret));
    assert.deepEqual([failure.code, failure.reason], [14, 'UNAVAILABLE'], client.name);
    assert.ok(await client.auth(server.secret, '', elsewhere), client.name);
    if (client.hasStreams) assert.equal(await client.check(), Status.SERVING);
  }
});

test('a request that has arrived at last is answered, and gives its place back', async () => {
  await using scene = await Scene.start('--arriving-calls-max', '1', '--calls-max', '1');
  const { four, server } = scene;
  const message = create(SubscribeJwtRenewalRequestSchema, { secret: server.secret });
  const bytes = framed(toBinary(SubscribeJwtRenewalRequestSchema, message));
  // Auth's request is the same but for its name.
  const call = scene.open(AUTH);
  await scene.read();
  assert.equal((await failureOf(four.rest1.auth(server.secret))).code, 14);
  call.stream.end(bytes);
  await until('the answer', () => call.status === '0');
  for (const client of four.all) assert.ok(await client.auth(server.secret), client.name);
});

test('a key has so many streams open at a time; others have theirs', async () => {
  await using scene = await Scene.start('--streams-per-key-max', '2');
  const { four, server } = scene;
  const open = [four.grpc, four.web].map((client) => client.renewal(server.secret));
  for (const stream of open) assert.ok((await stream.next()).value);
  for (const client of four.streaming) {
    const failure = await failureOf(renewed(client, server.secret));
    assert.deepEqual([failure.code, failure.reason], [14, 'UNAVAILABLE']);
    assert.equal(failure.detail('RetryInfo')?.retry_delay, '1s');
    const { reason } = await lineOf(server.log, failure.headers['x-request-id']);
    assert.equal(reason, 'KEY_STREAMS_FULL');
    const other = server.server.demoKeys[1]?.secret ?? '';
    await renewed(client, other);
  }
  await open[0]?.return();
  await until('the place', () =>
    renewed(four.web, server.secret).then(
      () => true,
      () => false,
    ),
  );
  for (const stream of open) await stream.return();
});
