/** grpc.testing.TestService, as gRPC's interop tests want it answered. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  create,
  createFileRegistry,
  type DescMessage,
  fromBinary,
  type Message,
} from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { StatusSchema } from '../../../src/gen/google/rpc/status_pb.js';
import type { Call, Registration } from '../../../src/pipeline/call.ts';
import { StatusError } from '../../../src/pipeline/status.ts';
import { tool } from '../tools.ts';

const PACKAGE = 'grpc.testing';
/** Sent back as they came: one among the headers, one among the trailers. */
const ECHOED_HEADER = 'x-grpc-test-echo-initial';
const ECHOED_TRAILER = 'x-grpc-test-echo-trailing-bin';

const image = readFileSync(tool('interop.binpb'));
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
const service = registry.getService(`${PACKAGE}.TestService`);
if (service === undefined) throw new Error('interop.binpb has no TestService');

interface Payload {
  readonly body: Uint8Array;
}

interface EchoStatus {
  readonly code: number;
  readonly message: string;
}

type SimpleRequest = Message & {
  readonly responseSize: number;
  readonly responseStatus?: EchoStatus;
  readonly fillServerId: boolean;
};

type InputRequest = Message & { readonly payload?: Payload };

type OutputRequest = Message & {
  readonly responseParameters: readonly { readonly size: number; readonly intervalUs: number }[];
  readonly responseStatus?: EchoStatus;
};

function make(name: string, fields: object): Message {
  return create(registry.getMessage(`${PACKAGE}.${name}`) as DescMessage, fields as never);
}

function zeros(size: number): Payload {
  return make('Payload', { body: new Uint8Array(size) }) as Message & Payload;
}

function echoMetadata({ head, responseHeaders, responseTrailers }: Call): void {
  const { [ECHOED_HEADER]: header, [ECHOED_TRAILER]: trailer } = head.headers;
  if (header !== undefined) responseHeaders.push(ECHOED_HEADER, String(header));
  if (trailer !== undefined) responseTrailers.push(ECHOED_TRAILER, String(trailer));
}

/** Ends the call with the status that the request asks for, if it does. */
function echoStatus({ responseStatus }: { readonly responseStatus?: EchoStatus }): void {
  if (responseStatus === undefined || responseStatus.code === 0) return;
  const { code, message } = responseStatus;
  throw new StatusError(create(StatusSchema, { code, message }));
}

async function* answersTo({ responseParameters }: OutputRequest): AsyncIterable<Message> {
  for (const { size, intervalUs } of responseParameters) {
    if (intervalUs > 0) await sleep(intervalUs / 1000);
    yield make('StreamingOutputCallResponse', { payload: zeros(size) });
  }
}

/** To be served beside the contract. */
export const registration: Registration = {
  service,
  impl: {
    emptyCall: () => make('Empty', {}),
    unaryCall(request: SimpleRequest, call: Call) {
      echoMetadata(call);
      echoStatus(request);
      return make('SimpleResponse', {
        payload: zeros(request.responseSize),
        serverId: request.fillServerId ? 'propusk' : '',
      });
    },
    async *streamingOutputCall(request: OutputRequest) {
      echoStatus(request);
      yield* answersTo(request);
    },
    async streamingInputCall(requests: AsyncIterable<InputRequest>) {
      let aggregatedPayloadSize = 0;
      for await (const { payload } of requests) aggregatedPayloadSize += payload?.body.length ?? 0;
      return make('StreamingInputCallResponse', { aggregatedPayloadSize });
    },
    async *fullDuplexCall(requests: AsyncIterable<OutputRequest>, call: Call) {
      echoMetadata(call);
      for await (const request of requests) {
        echoStatus(request);
        yield* answersTo(request);
      }
    },
  },
};
