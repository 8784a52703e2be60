/**
 * The server under test of connectrpc.com/conformance: its ConformanceService on our listener,
 * pipeline and codecs. The runner says on standard input what it wants, and reads the port from
 * standard output; the server goes on until the runner ends it.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import {
  create,
  createFileRegistry,
  type DescMessage,
  type DescService,
  fromBinary,
  type Message,
  toBinary,
} from '@bufbuild/protobuf';
import { anyPack, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { AppError } from '../../../src/domain/errors.ts';
import { StatusSchema } from '../../../src/gen/google/rpc/status_pb.js';
import type { Call, Metadata } from '../../../src/pipeline/call.ts';
import { StatusError } from '../../../src/pipeline/status.ts';
import { transportAlone } from '../transport-alone.ts';
import { bare } from './bare.ts';

const PACKAGE = 'connectrpc.conformance.v1';
const image = path.join(import.meta.dirname, '..', '..', '..', '.foreign', 'conformance.binpb');
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(image)));

/** A message of the suite's; its types are only known at run time. */
// biome-ignore lint/suspicious/noExplicitAny: its types are only known at run time
type Suite = any;

function messageNamed(name: string): DescMessage {
  const found = registry.getMessage(`${PACKAGE}.${name}`);
  if (found === undefined) throw new Error(`${image} has no ${name}`);
  return found;
}

const payloadType = messageNamed('ConformancePayload');
const infoType = messageNamed('ConformancePayload.RequestInfo');

/** What the call came with, to be told back. */
function infoOf(call: Call, requests: Suite[]): Suite {
  const { headers, timeoutMs } = call.head;
  return create(infoType, {
    requestHeaders: Object.entries(headers)
      .filter(([name]) => !name.startsWith(':'))
      .map(([name, value]) => ({ name, value: [value ?? ''].flat() })),
    ...(timeoutMs !== undefined && { timeoutMs: BigInt(Math.round(timeoutMs)) }),
    requests: requests.map((request) => anyPack(messageNamed(shortName(request)), request)),
  });
}

function shortName(message: Message): string {
  return message.$typeName.slice(PACKAGE.length + 1);
}

function answer(method: string, data: Uint8Array | undefined, info?: Suite): Suite {
  const payload = create(payloadType, { data: data ?? new Uint8Array(), requestInfo: info });
  return create(messageNamed(`${method}Response`), { payload } as Suite);
}

function flat(headers: Suite[]): Metadata {
  return headers.flatMap(({ name, value }) => value.flatMap((each: string) => [name, each]));
}

function errorOf(error: Suite, info?: Suite): StatusError {
  const details = [...error.details];
  if (info !== undefined) details.push(anyPack(infoType, info));
  const { code, message = '' } = error;
  return new StatusError(create(StatusSchema, { code, message, details }));
}

function setMetadata(definition: Suite, call: Call): void {
  call.responseHeaders.push(...flat(definition?.responseHeaders ?? []));
  call.responseTrailers.push(...flat(definition?.responseTrailers ?? []));
}

function pause(ms: number | undefined): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms ?? 0));
}

async function one(method: string, requests: Suite[], call: Call): Promise<Suite> {
  const definition = requests[0]?.responseDefinition;
  setMetadata(definition, call);
  await pause(definition?.responseDelayMs);
  const info = infoOf(call, requests);
  const { response } = definition ?? {};
  if (response?.case === 'error') throw errorOf(response.value, info);
  return answer(method, response?.value, info);
}

/** Sends what the definition says; `takeInfo` gives what to tell back with each answer. */
async function* many(method: string, definition: Suite, takeInfo: () => Suite) {
  let sent = 0;
  for (const data of definition?.responseData ?? []) {
    await pause(definition.responseDelayMs);
    yield answer(method, data, sent++ === 0 ? takeInfo() : undefined);
  }
  if (definition?.error !== undefined) {
    throw errorOf(definition.error, sent === 0 ? takeInfo() : undefined);
  }
}

async function* converse(requests: AsyncIterable<Suite>, call: Call) {
  const seen: Suite[] = [];
  let first: Suite;
  let sent = 0;
  for await (const request of requests) {
    if (first === undefined) {
      first = request;
      setMetadata(first.responseDefinition, call);
    }
    seen.push(request);
    if (!first.fullDuplex) continue;
    const data = first.responseDefinition?.responseData[sent];
    if (data === undefined) break;
    await pause(first.responseDefinition.responseDelayMs);
    yield answer('BidiStream', data, infoOf(call, sent === 0 ? seen : [request]));
    sent++;
  }
  const definition = first?.responseDefinition;
  if (first?.fullDuplex) {
    for (const data of definition?.responseData.slice(sent) ?? []) {
      await pause(definition.responseDelayMs);
      yield answer('BidiStream', data, sent++ === 0 ? infoOf(call, seen) : undefined);
    }
    if (definition?.error !== undefined) {
      throw errorOf(definition.error, sent === 0 ? infoOf(call, seen) : undefined);
    }
    return;
  }
  yield* many('BidiStream', definition, () => infoOf(call, seen));
}

const impl: Record<string, (...args: Suite[]) => unknown> = {
  unary: (request, call) => one('Unary', [request], call),
  idempotentUnary: (request, call) => one('IdempotentUnary', [request], call),
  unimplemented: () => {
    throw new AppError('METHOD_NOT_FOUND', 'not implemented, as the suite wants it');
  },
  serverStream: (request, call) => {
    setMetadata(request.responseDefinition, call);
    return many('ServerStream', request.responseDefinition, () => infoOf(call, [request]));
  },
  clientStream: async (requests: AsyncIterable<Suite>, call: Call) => {
    const all: Suite[] = [];
    for await (const request of requests) all.push(request);
    return one('ClientStream', all, call);
  },
  bidiStream: (requests, call) => converse(requests, call),
};

async function serve(wanted: Suite): Promise<Suite> {
  const service = registry.getService(`${PACKAGE}.ConformanceService`) as DescService;
  const creds = wanted.useTls ? wanted.serverCreds : undefined;
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
  const listener = transportAlone({
    registrations: [{ service, impl }],
    tls: creds && { cert: text(creds.cert), key: text(creds.key) },
    ...(wanted.messageReceiveLimit > 0 && { bodyBytesMax: wanted.messageReceiveLimit }),
    hand: (exchange, dispatch) => dispatch.handle(bare(exchange)),
  });
  const port = await listener.listen('127.0.0.1', 0);
  return create(messageNamed('ServerCompatResponse'), {
    host: '127.0.0.1',
    port,
    pemCert: creds?.cert ?? new Uint8Array(),
  } as Suite);
}

let input = Buffer.alloc(0);
process.stdin.on('data', async (chunk: Buffer) => {
  input = Buffer.concat([input, chunk]);
  if (input.length < 4 || input.length < 4 + input.readUInt32BE()) return;
  const bytes = input.subarray(4, 4 + input.readUInt32BE());
  input = Buffer.alloc(0);
  const response = await serve(fromBinary(messageNamed('ServerCompatRequest'), bytes));
  const encoded = toBinary(messageNamed('ServerCompatResponse'), response);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(encoded.length);
  process.stdout.write(Buffer.concat([length, encoded]));
});
