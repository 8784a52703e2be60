/** Our server for the wide contract of the comparison, and grpc-gateway in front of its gRPC port. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import {
  createFileRegistry,
  type DescMessage,
  type DescService,
  fromBinary,
  type Message,
} from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { AppError, isReason } from '../../../src/domain/errors.ts';
import type { Registration } from '../../../src/pipeline/call.ts';
import { transportAlone } from '../transport-alone.ts';

const PACKAGE = 'propusk.gateway.v1';
const FOLDER = path.join(import.meta.dirname, '..', '..', '..', '.foreign');

function installed(...names: string[]): string {
  const file = path.join(FOLDER, ...names);
  if (!existsSync(file)) {
    throw new Error(`${names.join('/')} is missing; run: bash scripts/install-foreign.sh`);
  }
  return file;
}

const image = readFileSync(installed('gateway.binpb'));
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));

export const WideService = registry.getService(`${PACKAGE}.WideService`) as DescService;
export const WideSchema = registry.getMessage(`${PACKAGE}.Wide`) as DescMessage;

type FailRequest = Message & {
  reason: string;
  message: string;
  metadata: Record<string, string>;
  fields: string[];
  limitPerMinute: number;
  retryAfterMs: number;
};

function fail(request: FailRequest): never {
  const { reason, message, metadata, fields, limitPerMinute, retryAfterMs } = request;
  throw new AppError(isReason(reason) ? reason : 'INTERNAL', message, {
    metadata,
    violations: fields.map((field) => ({ field, description: 'is told to be wrong' })),
    ...(limitPerMinute > 0 && { limitPerMinute }),
    ...(retryAfterMs > 0 && { retryAfterMs }),
  });
}

const registration: Registration = {
  service: WideService,
  impl: {
    echo: (request: Message) => request,
    echoBound: (request: Message) => request,
    fail,
  },
};

/** Starts the gateway in front of a gRPC port; its own port. */
async function startGateway(backend: string): Promise<{ child: ChildProcess; port: number }> {
  const stdio = [
    'pipe',
    'pipe',
    process.env.LOG_LEVEL === undefined ? 'ignore' : 'inherit',
  ] as const;
  const child = spawn(installed('bin', 'gateway'), [backend], { stdio: [...stdio] });
  const line = await new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => reject(new Error('the gateway did not start')));
    if (child.stdout !== null) createInterface(child.stdout).once('line', resolve);
  });
  return { child, port: Number(line) };
}

/** The two that are compared. */
export interface Pair extends AsyncDisposable {
  /** Our REST and gRPC. */
  readonly ours: number;
  /** grpc-gateway, which asks our gRPC. */
  readonly gateway: number;
}

export async function startPair(): Promise<Pair> {
  const listener = transportAlone({ registrations: [registration] });
  const ours = await listener.listen('127.0.0.1', 0);
  const { child, port: gateway } = await startGateway(`127.0.0.1:${ours}`);
  return {
    ours,
    gateway,
    async [Symbol.asyncDispose]() {
      child.stdin?.end();
      await listener.drain();
      await listener.closed(0);
    },
  };
}
