/** For the tests beside it: a server on a port, whose contract is all four kinds of methods over bytes. */
import { randomBytes } from 'node:crypto';
import {
  create,
  createFileRegistry,
  type DescMethod,
  type DescService,
  fromBinary,
  toBinary,
} from '@bufbuild/protobuf';
import {
  type BytesValue,
  BytesValueSchema,
  FileDescriptorProtoSchema,
  file_google_protobuf_wrappers,
} from '@bufbuild/protobuf/wkt';
import type { Call } from '../../pipeline/call.ts';
import { Faults } from '../../pipeline/faults.ts';
import { Pipeline } from '../../pipeline/pipeline.ts';
import { RequestMemory } from '../../pipeline/request-memory.ts';
import { Shed } from '../../pipeline/shed.ts';
import { Dispatch } from '../dispatch.ts';
import { Listener } from '../listener.ts';

export const BYTES_MAX = 1 << 20;
const LIMITS = {
  bodyBytesMax: BYTES_MAX,
  streamBodyBytesMax: BYTES_MAX,
  requestMsMax: 10_000,
  sniffMsMax: 10_000,
  headerBytesMax: 16_384,
  headerMsMax: 10_000,
  idleMsMax: 60_000,
  connectionsMax: 100,
  connectionsPerAddressMax: 100,
  streamsPerConnectionMax: 100,
  drainNoticeMs: 50,
};
const SHED_LIMITS = {
  callsMax: 1000,
  arrivingCallsMax: 1000,
  arrivingCallsPerAddressMax: 1000,
  streamsMax: 1000,
  streamsPerKeyMax: 1000,
  anonymousStreamsMax: 1000,
  anonymousStreamsPerAddressMax: 1000,
  lagMsMax: 60_000,
};

function build(): DescService {
  const bytes = '.google.protobuf.BytesValue';
  const method = (name: string, clientStreaming: boolean, serverStreaming: boolean) => ({
    ...{ name, inputType: bytes, outputType: bytes, clientStreaming, serverStreaming },
  });
  const file = create(FileDescriptorProtoSchema, {
    name: 'bytes.proto',
    package: 'test',
    syntax: 'proto3',
    dependency: [file_google_protobuf_wrappers.proto.name],
    service: [
      {
        name: 'Bytes',
        method: [
          method('One', false, false),
          method('Down', false, true),
          method('Up', true, false),
          method('Both', true, true),
        ],
      },
    ],
  });
  const found = createFileRegistry(file, () => file_google_protobuf_wrappers).getService(
    'test.Bytes',
  );
  if (found === undefined) throw new Error('the registry lost the service');
  return found;
}

const service = build();

/** A method by its name. */
export function methodNamed(name: string): DescMethod {
  const found = service.methods.find((method) => method.name === name);
  if (found === undefined) throw new Error(`no method ${name}`);
  return found;
}

export function bytesOf(value: Uint8Array): BytesValue {
  return create(BytesValueSchema, { value });
}

export function encode(value: Uint8Array): Buffer {
  return Buffer.from(toBinary(BytesValueSchema, bytesOf(value)));
}

export function decode(data: Uint8Array): Uint8Array {
  return fromBinary(BytesValueSchema, data).value;
}

/** What the methods do; what is left out fails. */
export interface Behaviour {
  one(request: BytesValue, call: Call): BytesValue | Promise<BytesValue>;
  down(request: BytesValue, call: Call): AsyncIterable<BytesValue>;
  up(requests: AsyncIterable<BytesValue>, call: Call): Promise<BytesValue>;
  both(requests: AsyncIterable<BytesValue>, call: Call): AsyncIterable<BytesValue>;
}

export interface TestServer extends AsyncDisposable {
  readonly port: number;
  readonly pipeline: Pipeline;
  readonly listener: Listener;
  /** Reasons of the calls that ended in an error, in their order. */
  readonly reasons: string[];
}

function broken(): never {
  throw new Error('this test calls no such method');
}

/** Starts one; the behaviour may still be changed while it runs. */
export async function startTestServer(behaviour: Partial<Behaviour>): Promise<TestServer> {
  const reasons: string[] = [];
  const note = (fields: object) => {
    if ('reason' in fields && fields.reason !== undefined) reasons.push(String(fields.reason));
  };
  const log = { isLevelEnabled: () => true, debug: note, info: note, warn: note, error: note };
  const impl = {
    one: (...args: Parameters<Behaviour['one']>) => (behaviour.one ?? broken)(...args),
    down: (...args: Parameters<Behaviour['down']>) => (behaviour.down ?? broken)(...args),
    up: (...args: Parameters<Behaviour['up']>) => (behaviour.up ?? broken)(...args),
    both: (...args: Parameters<Behaviour['both']>) => (behaviour.both ?? broken)(...args),
  };
  const clock = { now: () => Date.now(), monotonic: () => performance.now() };
  const memory = new RequestMemory(1e9);
  const pipeline = new Pipeline({
    registrations: [{ service, impl }],
    log,
    clock,
    random: randomBytes,
    deadlineMsMax: () => 10_000,
    faults: new Faults([], () => 0),
    admit: (_call, _method, read) => read(),
    shed: new Shed({ ...SHED_LIMITS, clock, log, memory, first: [], never: [] }),
  });
  const dispatch = new Dispatch({
    pipeline,
    services: [service],
    plain: new Map(),
    limits: { ...LIMITS, memory },
    corsOrigins: [],
  });
  const listener = new Listener({
    tls: undefined,
    limits: LIMITS,
    handle: (exchange) => dispatch.handle(exchange),
    refuse: (exchange, error) => dispatch.refuse(exchange, error),
  });
  const port = await listener.listen('127.0.0.1', 0);
  return {
    port,
    pipeline,
    listener,
    reasons,
    async [Symbol.asyncDispose]() {
      await listener.drain();
      await listener.closed(0);
    },
  };
}
