/**
 * What the tests see of a client, whatever protocol it speaks. Underneath each is code that nobody
 * here wrote (fetch, node:http2, grpc-js, connect-web), so that a mistake of ours in reading cannot
 * hide the same mistake in writing.
 */
import {
  createRegistry,
  type DescMethod,
  type DescMethodUnary,
  fromBinary,
  type JsonObject,
  type Message,
  type MessageInitShape,
  type MessageShape,
  toJson,
} from '@bufbuild/protobuf';
import { type Any, AnySchema } from '@bufbuild/protobuf/wkt';
import {
  BadRequestSchema,
  ErrorInfoSchema,
  LocalizedMessageSchema,
  QuotaFailureSchema,
  RetryInfoSchema,
} from '../../src/gen/google/rpc/error_details_pb.js';
import { type Status, StatusSchema } from '../../src/gen/google/rpc/status_pb.js';
import {
  AuthService,
  type TokenDetailsResponse,
} from '../../src/gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import {
  type GetUsageMetricsResponse,
  UsageMetricsService,
} from '../../src/gen/grpc/tradeapi/v1/metrics/usage_metrics_service_pb.js';
import {
  type HealthCheckResponse,
  type HealthCheckResponse_ServingStatus,
  Health as HealthService,
} from '../../src/gen/health/v1/health_pb.js';

/** Lower-case names; headers and trailers together. */
export type Headers = Readonly<Record<string, string>>;

export interface CallOptions {
  readonly metadata?: Headers;
  /** The client's own deadline, enforced by the client as well. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface Answer<M> {
  readonly message: M;
  readonly headers: Headers;
  /** REST only: the body as it was sent. */
  readonly text?: string;
}

const PREFIX = 'type.googleapis.com/google.rpc.';

/** A call that was refused, the same whatever the protocol. */
export class CallFailure extends Error {
  readonly code: number;
  /** As their JSON form writes them, with `@type`. */
  readonly details: readonly JsonObject[];
  readonly headers: Headers;
  /** REST only. */
  readonly httpStatus: number | undefined;

  constructor(
    status: { code: number; message: string; details: readonly JsonObject[] },
    headers: Headers,
    httpStatus?: number,
  ) {
    super(status.message);
    this.code = status.code;
    this.details = status.details;
    this.headers = headers;
    this.httpStatus = httpStatus;
  }

  /** The detail of this google.rpc type, such as `ErrorInfo`. */
  detail(name: string): JsonObject | undefined {
    return this.details.find((detail) => detail['@type'] === PREFIX + name);
  }

  get reason(): unknown {
    return this.detail('ErrorInfo')?.reason;
  }

  /** The sentence for people, and its language. */
  get localized(): unknown {
    const { locale, message } = this.detail('LocalizedMessage') ?? {};
    return locale === undefined ? undefined : { locale, message };
  }

  /** What two failures that look alike have in common. */
  get status(): unknown {
    return { code: this.code, message: this.message, details: this.details };
  }
}

const registry = createRegistry(
  BadRequestSchema,
  ErrorInfoSchema,
  LocalizedMessageSchema,
  QuotaFailureSchema,
  RetryInfoSchema,
);

/** A Status as REST writes it. */
export function statusAsJson(status: Status) {
  const details = status.details.map((detail: Any) => {
    const options = { registry, alwaysEmitImplicit: true, useProtoFieldName: true };
    return toJson(AnySchema, detail, options) as JsonObject;
  });
  return { code: status.code, message: status.message, details };
}

/** What gRPC's trailers say of a failure; the details must agree with the plain trailers. */
export function statusOfTrailers(
  code: number,
  message: string,
  detailsBin: Uint8Array | undefined,
): { code: number; message: string; details: readonly JsonObject[] } {
  if (detailsBin === undefined) return { code, message, details: [] };
  const status = statusAsJson(fromBinary(StatusSchema, detailsBin));
  if (status.code !== code || status.message !== message) {
    throw new Error(`the trailers say ${code} ${message}, the details ${JSON.stringify(status)}`);
  }
  return status;
}

export type Inputs<T> = Iterable<T> | AsyncIterable<T>;

export abstract class Client implements AsyncDisposable {
  /** For the names of tests. */
  abstract readonly name: string;
  /** As the log calls it. */
  abstract readonly protocol: 'rest' | 'grpc' | 'grpc-web';
  /** True when the protocol has server streams, and with them renewal and health. */
  abstract readonly hasStreams: boolean;

  /** One unary call. Rejects with CallFailure when the server refuses it. */
  abstract call<M extends DescMethodUnary>(
    method: M,
    input: MessageInitShape<M['input']>,
    options?: CallOptions,
  ): Promise<Answer<MessageShape<M['output']>>>;

  /** A call of any kind of stream. Throws CallFailure when it ends with an error. */
  abstract stream(
    method: DescMethod,
    inputs: Inputs<object>,
    options?: CallOptions,
  ): AsyncIterable<Message>;

  abstract close(): Promise<void>;

  /** Signs in; the session token. */
  async auth(secret: string, sourceAppId = '', options?: CallOptions): Promise<string> {
    const { message } = await this.call(AuthService.method.auth, { secret, sourceAppId }, options);
    return message.token;
  }

  tokenDetails(token: string, options?: CallOptions): Promise<Answer<TokenDetailsResponse>> {
    return this.call(AuthService.method.tokenDetails, { token }, options);
  }

  /** What is left of the limits of the key behind the token. */
  async usage(token: string): Promise<Answer<GetUsageMetricsResponse>> {
    const options = { metadata: { authorization: token } };
    return this.call(UsageMetricsService.method.getUsageMetrics, {}, options);
  }

  /** Tokens as SubscribeJwtRenewal sends them. */
  async *renewal(secret: string, options?: CallOptions): AsyncGenerator<string, void> {
    const method = AuthService.method.subscribeJwtRenewal;
    for await (const answer of this.stream(method, [{ secret }], options)) {
      yield (answer as Message & { token: string }).token;
    }
  }

  async check(service = '', options?: CallOptions): Promise<HealthCheckResponse_ServingStatus> {
    return (await this.call(HealthService.method.check, { service }, options)).message.status;
  }

  async *watch(service = '', options?: CallOptions) {
    for await (const answer of this.stream(HealthService.method.watch, [{ service }], options)) {
      yield (answer as HealthCheckResponse).status;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** The failure of a call that must fail. */
export async function failureOf(work: Promise<unknown>): Promise<CallFailure> {
  const result = await work.then(
    (value) => new Error(`the call was answered: ${JSON.stringify(value, replaceBigints)}`),
    (error: unknown) => error,
  );
  if (result instanceof CallFailure) return result;
  throw result;
}

/** The failure that ends a stream. */
export function endOf(stream: AsyncIterable<unknown>): Promise<CallFailure> {
  return failureOf(Array.fromAsync(stream));
}

function replaceBigints(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
