/** RateLimit and RateLimit-Policy: with every answer to whoever has a limit, in the right place. */
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { after, test } from 'node:test';
import { create, type DescMessage, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { AuthService } from '../src/gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { failureOf } from './clients/client.ts';
import { inEach } from './clients/four.ts';
import { figuresOf, Scene } from './limits-scene.ts';

const scene = await Scene.start(['--limit', 'Auth=1000', '--address-calls-max', '1000']);
after(() => scene[Symbol.asyncDispose]());
const { four, server } = scene;

/** What a refusal's headers name, and what was refused. */
async function refused(work: Promise<unknown>): Promise<[name: string, code: number]> {
  const { code, headers } = await failureOf(work);
  return [figuresOf(headers).name, code];
}

inEach(four.all, 'every refusal tells the figures of who is refused', async (client) => {
  const token = await client.auth(server.secret);
  const none = await client.auth(scene.secretOf('no account'));
  assert.equal(figuresOf((await client.tokenDetails(token)).headers).name, 'TokenDetails');
  assert.equal(figuresOf((await client.usage(`Bearer ${token}`)).headers).name, 'GetUsageMetrics');
  // The key is known: its own figures, whatever is wrong with the call.
  const long = 'a'.repeat(257);
  assert.deepEqual(await refused(client.auth(server.secret, long)), ['Auth', 3]);
  assert.deepEqual(await refused(client.tokenDetails(none)), ['TokenDetails', 5]);
  // It is not: those of the address.
  assert.deepEqual(await refused(client.auth('psk_guess')), ['address', 16]);
  assert.deepEqual(await refused(client.auth('')), ['address', 16]);
  assert.deepEqual(await refused(client.tokenDetails('a.b.c')), ['address', 16]);
  assert.deepEqual(await refused(client.usage('Bearer a.b.c')), ['address', 16]);
  assert.deepEqual(await refused(client.usage('')), ['address', 16]);
});

for (const client of [four.rest1, four.rest2]) {
  test(`also a request that cannot be read, over ${client.name}`, async () => {
    const answer = await client.send('POST', '/v1/sessions', { body: '{' });
    assert.equal(answer.status, 400);
    assert.equal(figuresOf(answer.headers).name, 'address');
  });
}

test('failures of ours tell them as well', async () => {
  const codes = { INTERNAL: 13, UNAVAILABLE: 14, DEADLINE_EXCEEDED: 4 };
  for (const [name, code] of Object.entries(codes)) {
    await using faulty = await Scene.start(['--fault', `TokenDetails=${name}`]);
    const token = await faulty.four.grpc.auth(faulty.server.secret);
    for (const [i, client] of faulty.four.all.entries()) {
      const failure = await failureOf(client.tokenDetails(token));
      assert.equal(failure.code, code, client.name);
      const { name: method, remaining } = figuresOf(failure.headers);
      assert.deepEqual([method, remaining], ['TokenDetails', 199 - i], client.name);
    }
  }
});

interface Answer {
  readonly head: http2.IncomingHttpHeaders;
  /** Undefined where the head is all that there is of headers. */
  readonly trailers: http2.IncomingHttpHeaders | undefined;
}

const session = http2.connect(server.url);
after(() => session.destroy());

/** Sends one message over HTTP/2 as it is, and hears the answer up to its end or first message. */
function ask<D extends DescMessage>(
  method: { readonly name: string; readonly input: D },
  type: string,
  message: MessageInitShape<D>,
): Promise<Answer> {
  const bytes = toBinary(method.input, create<D>(method.input, message));
  const prefix = Buffer.from([0, 0, 0, 0, bytes.length]);
  const path = `/${AuthService.typeName}/${method.name}`;
  const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': type });
  stream.end(Buffer.concat([prefix, bytes]));
  const isStream = method.name === 'SubscribeJwtRenewal';
  return new Promise((resolve, reject) => {
    let head: http2.IncomingHttpHeaders = {};
    let trailers: http2.IncomingHttpHeaders | undefined;
    stream.on('response', (received) => {
      head = received;
    });
    stream.on('trailers', (received) => {
      trailers = received;
    });
    stream.on('data', () => isStream && stream.close(http2.constants.NGHTTP2_CANCEL));
    stream.on('error', reject).on('close', () => resolve({ head, trailers }));
  });
}

for (const type of ['application/grpc', 'application/grpc-web+proto']) {
  test(`${type}: they are in the head, also where that is all, and never in trailers`, async () => {
    const { auth, tokenDetails, subscribeJwtRenewal } = AuthService.method;
    const isWeb = type.includes('web');
    const named = async (answer: Promise<Answer>, status: '0' | '16' | undefined) => {
      const { head, trailers } = await answer;
      assert.equal(head[':status'], 200);
      if (!isWeb) assert.equal((trailers ?? head)['grpc-status'], status);
      assert.equal(trailers?.ratelimit ?? trailers?.['ratelimit-policy'], undefined);
      return figuresOf(head as Record<string, string>).name;
    };
    const { secret } = server;
    assert.equal(await named(ask(auth, type, { secret }), '0'), 'Auth');
    assert.equal(await named(ask(tokenDetails, type, { token: 'a.b.c' }), '16'), 'address');
    const renewal = await named(ask(subscribeJwtRenewal, type, { secret }), undefined);
    assert.equal(renewal, 'SubscribeJwtRenewal');
  });
}
