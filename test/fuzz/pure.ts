/** The readers that need no network, each fed in this process. What throws here is a finding. */
import assert from 'node:assert/strict';
import { createSecretKey } from 'node:crypto';
import net from 'node:net';
import { Readable } from 'node:stream';
import { fromBinary, toBinary, toJsonString } from '@bufbuild/protobuf';
import { ConfigError, readCommandLine } from '../../src/config.ts';
import { parseDuration } from '../../src/domain/duration.ts';
import { AppError } from '../../src/domain/errors.ts';
import { parseMasterKey } from '../../src/domain/master-key.ts';
import { matchPath, parsePathTemplate } from '../../src/domain/path-template.ts';
import { TrustedProxies } from '../../src/domain/proxies.ts';
import { isWellFormedSecret } from '../../src/domain/secret.ts';
import { signToken, TokenReader } from '../../src/domain/token.ts';
import { AuthService } from '../../src/gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { parseFault } from '../../src/pipeline/faults.ts';
import { RequestMemory } from '../../src/pipeline/request-memory.ts';
import { parseTraceparent } from '../../src/pipeline/trace-context.ts';
import { BadSetting, type Setting } from '../../src/setting.ts';
import { SETTINGS } from '../../src/settings.ts';
import { type BodySink, readBody } from '../../src/transport/body.ts';
import { type Frame, FrameReader, frame, unpack } from '../../src/transport/grpc/frames.ts';
import { flavourOf } from '../../src/transport/grpc/grpc.ts';
import { readRequest } from '../../src/transport/rest/request.ts';
import { Router } from '../../src/transport/rest/router.ts';
import { parseTimeout } from '../../src/transport/timeout.ts';
import { EchoMessageSchema, EchoService } from '../echo-contract.ts';
import { restCall } from './calls.ts';
import { grpcBody } from './grpc-frames.ts';
import { mutate, pieces } from './mutate.ts';
import { protobufBody } from './protobuf.ts';
import type { Random } from './random.ts';
import { headerValue, numeral, SECRET, TOKEN_MARK, text } from './values.ts';

const BYTES_MAX = 16_384;
const WRITE_OPTIONS = { alwaysEmitImplicit: true, useProtoFieldName: true };

/** What `read` gives, or the AppError that it throws; anything else thrown is a finding. */
function orRefusal<T>(read: () => T): T | AppError {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof AppError) || error.reason === 'INTERNAL') throw error;
    // What was sent may be a secret, and refusals are logged.
    const quotes = error.message.includes(SECRET) && !error.message.includes('more than once');
    assert.ok(!quotes && !error.message.includes(TOKEN_MARK), `quotes: ${error.message}`);
    return error;
  }
}

function framesOf(bytes: readonly Buffer[]): { frames: Frame[]; refusal: string } {
  const reader = new FrameReader(BYTES_MAX);
  const frames: Frame[] = [];
  const end = orRefusal(() => {
    for (const piece of bytes) {
      reader.push(piece);
      for (let next = reader.next(); next !== undefined; next = reader.next()) frames.push(next);
    }
    reader.end();
  });
  return { frames, refusal: end instanceof AppError ? end.message : '' };
}

async function frames(random: Random): Promise<void> {
  const body = grpcBody(random, EchoMessageSchema, true);
  const whole = framesOf([body]);
  // However the network cuts it, it is the same.
  const cut = framesOf(pieces(random, body, 8));
  assert.deepEqual(cut, whole);
  for (const each of whole.frames) {
    assert.ok(each.data.length <= BYTES_MAX);
    const encoding = random.pick(['gzip', 'identity']);
    const data = await Promise.try(unpack, each, encoding, BYTES_MAX).catch((error) =>
      orRefusal(() => {
        throw error;
      }),
    );
    assert.ok(data instanceof AppError || data.length <= BYTES_MAX);
  }
  const again = Buffer.concat(whole.frames.map(({ flags, data }) => frame(flags, data)));
  assert.ok(body.subarray(0, again.length).equals(again));
}

const router = new Router([AuthService, EchoService]);

function request(random: Random): void {
  const call = restCall(random, random.pick(['AuthService', 'EchoService']));
  const [path = '', query = ''] = call.target.split(/\?(.*)/s);
  const match = orRefusal(() => router.match(call.verb, path));
  if (match instanceof AppError || !('binding' in match)) return;
  const message = orRefusal(() => readRequest(match, query, call.body));
  if (message instanceof AppError) {
    assert.equal(message.reason, 'INVALID_REQUEST');
    return;
  }
  // What was read can be written.
  JSON.parse(toJsonString(match.binding.method.input, message, WRITE_OPTIONS));
}

const MESSAGES = [EchoMessageSchema, ...AuthService.methods.map(({ input }) => input)];

function protobuf(random: Random): void {
  const desc = random.pick(MESSAGES);
  const body = protobufBody(random, desc);
  let message: ReturnType<typeof fromBinary>;
  try {
    message = fromBinary(desc, body);
  } catch {
    // The codec makes an INVALID_REQUEST of whatever this throws.
    return;
  }
  fromBinary(desc, toBinary(desc, message));
}

const TEMPLATES = ['/v1/{a}/b/{c.d}', '/v1/{name=shelves/*/books/*}:move', '/{a=**}', '/v1/*/x'];
const TEMPLATE_WORDS = ['{', '}', '=', '*', '**', ':', '/', '.', '%2f', '%'].map((w) =>
  Buffer.from(w),
);

function pathTemplate(random: Random): void {
  const good = random.pick(TEMPLATES);
  const spoilt = random.oneIn(2)
    ? good
    : mutate(random, Buffer.from(good), TEMPLATE_WORDS).toString();
  let template: ReturnType<typeof parsePathTemplate>;
  try {
    template = parsePathTemplate(spoilt);
  } catch (error) {
    assert.match((error as Error).message, /^path template /);
    return;
  }
  const path = random.oneIn(2)
    ? spoilt.replace(/[{}]|\w+=/g, '')
    : mutate(random, Buffer.from('/v1/shelves/1/books/2:move'), TEMPLATE_WORDS).toString();
  try {
    const values = matchPath(template, path);
    for (const { fieldPath } of template.variables) assert.ok(values?.has(fieldPath) ?? true);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
  }
}

const signingKey = { id: 'k', key: createSecretKey(Buffer.alloc(32, 1)) };
const claims = { clientId: 'c', sessionId: 's', keyId: 'k', issuedAt: 1, expiresAt: 2 };
const genuine = signToken(claims, signingKey);
const reader = new TokenReader([signingKey]);
const TOKEN_WORDS = ['.', '=', '..', 'eyJ', 'e30', '\0', 'é', genuine].map((word) =>
  Buffer.from(word),
);

function token(random: Random): void {
  const spoilt = random.oneIn(8)
    ? text(random)
    : mutate(random, Buffer.from(genuine), TOKEN_WORDS).toString(random.pick(['utf8', 'latin1']));
  const read = reader.read(spoilt);
  if (spoilt === genuine) assert.deepEqual(read, claims);
  else assert.equal(typeof read, 'string', spoilt);
}

const proxies = new TrustedProxies([{ width: 32, prefix: 10n, restBits: 24n }]);

function headers(random: Random): void {
  const timeout = headerValue(random, 'grpc-timeout');
  const ms = orRefusal(() => parseTimeout(random.oneIn(8) ? [timeout, timeout] : timeout));
  assert.ok(ms instanceof AppError || (Number.isFinite(ms) && Number(ms) >= 0), timeout);
  const flavour = flavourOf(headerValue(random, 'content-type'));
  assert.ok([undefined, 'grpc', 'grpc-web'].includes(flavour));
  const told = proxies.remoteAddressOf('10.0.0.1', {
    'x-forwarded-for': random.oneIn(2) ? headerValue(random, 'x-forwarded-for') : undefined,
    forwarded: random.oneIn(2) ? headerValue(random, 'forwarded') : undefined,
  });
  assert.notEqual(net.isIP(told), 0, told);
  const trace = parseTraceparent(headerValue(random, 'traceparent'));
  assert.ok(trace === undefined || /^[0-9a-f]{32}$/.test(trace.traceId));
}

const ROWS = Object.values(SETTINGS) as readonly Setting<unknown>[];

function settingText(random: Random): string {
  return random.weighted<() => string>([
    [3, () => text(random)],
    [3, () => numeral(random)],
    [
      2,
      () => random.pick(['15m3s', '127.0.0.1:0', '[::1]:80', 'sqlite:x', 'https://x.org', 'true']),
    ],
    [1, () => mutate(random, Buffer.from('[::1]:8080 15m3s 500ms')).toString()],
  ])();
}

function settings(random: Random): void {
  const row = random.pick(ROWS);
  const value = settingText(random);
  try {
    row.read(value);
  } catch (error) {
    if (!(error instanceof BadSetting)) throw error;
  }
  if (!random.oneIn(20)) return;
  const flags = random.list(random.below(5), () => random.pick(ROWS).flags.split(' ')[0] ?? '');
  const args = [
    random.pick(['dev', 'serve', 'help', 'x']),
    ...flags.flatMap((f) => [f, settingText(random)]),
  ];
  // Help and the version would be printed.
  if (args.some((arg) => /^-[hV]|^--(help|version)|^help/.test(arg))) return;
  try {
    readCommandLine(args, { PROPUSK_BODY_BYTES_MAX: value }, '0');
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
  }
}

function texts(random: Random): void {
  const value = random.oneIn(2) ? text(random) : settingText(random);
  const ms = parseDuration(value);
  assert.ok(ms === undefined || (Number.isSafeInteger(ms) && ms >= 0), value);
  assert.ok([undefined, 32].includes(parseMasterKey(value)?.length), value);
  assert.equal(isWellFormedSecret(value), false);
  const fault = mutate(random, Buffer.from('TokenDetails=UNAVAILABLE@0.5')).toString();
  const read = parseFault(random.oneIn(4) ? value : fault, [AuthService]);
  assert.ok(typeof read === 'string' || (read.probability >= 0 && read.probability <= 1));
}

const memory = new RequestMemory(1 << 20);

async function body(random: Random): Promise<void> {
  const bytes = random.bytes(random.below(200));
  const bodyBytesMax = random.between(1, 200);
  const stream = Readable.from(pieces(random, bytes, 6));
  const held = memory.open('127.0.0.1');
  const source = {
    takeWhole: () => undefined,
    read: (sink: BodySink) => stream.on('data', sink.data).on('end', sink.end),
    pause: () => stream.pause(),
  };
  const limits = { bodyBytesMax, requestMsMax: 5000 };
  const read = Promise.resolve(readBody<Buffer>(source, limits, held, (whole) => whole));
  // As who carries a call does when its peer goes away.
  stream.on('error', () => {}).on('close', () => held.release());
  if (random.oneIn(8)) stream.destroy(random.oneIn(2) ? new Error('gone') : undefined);
  const got = await read.catch((error) =>
    orRefusal(() => {
      throw error;
    }),
  );
  held.release();
  // Whatever became of it, what it held is given back.
  assert.equal(memory.bytes, 0);
  if (got instanceof AppError) return;
  assert.ok(got.equals(bytes) && bytes.length <= bodyBytesMax);
}

/** Each reader by the name that the counts give it, and how many inputs of it there are for others. */
export const PURE = [
  ['frames', 4, frames],
  ['request', 12, request],
  ['protobuf', 10, protobuf],
  ['path-template', 4, pathTemplate],
  ['token', 4, token],
  ['headers', 4, headers],
  ['settings', 4, settings],
  ['texts', 4, texts],
  ['body', 1, body],
] as const satisfies readonly (readonly [string, number, (random: Random) => unknown])[];
