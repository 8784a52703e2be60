/** gRPC-Web by @connectrpc/connect-web, which the official JavaScript client uses. */
import {
  create,
  type DescMethod,
  type DescMethodStreaming,
  type DescMethodUnary,
  type Message,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
import { ConnectError } from '@connectrpc/connect';
import { createGrpcWebTransport } from '@connectrpc/connect-web';
import { StatusSchema } from '../../src/gen/google/rpc/status_pb.js';
import {
  type Answer,
  CallFailure,
  type CallOptions,
  Client,
  type Inputs,
  statusAsJson,
} from './client.ts';

/** The client itself has read the status and its details; other errors are its own. */
function failureOf(thrown: unknown): unknown {
  if (!(thrown instanceof ConnectError)) return thrown;
  const details = thrown.details.map((detail) => {
    if (!('type' in detail)) throw new Error('a detail that did not come over the wire');
    return { typeUrl: `type.googleapis.com/${detail.type}`, value: detail.value };
  });
  const status = create(StatusSchema, { code: thrown.code, message: thrown.rawMessage, details });
  return new CallFailure(statusAsJson(status), Object.fromEntries(thrown.metadata));
}

async function* asAsync(inputs: Inputs<object>): AsyncGenerator<Record<string, unknown>> {
  yield* inputs as Inputs<Record<string, unknown>>;
}

export class GrpcWebClient extends Client {
  readonly name = 'gRPC-Web';
  readonly protocol = 'grpc-web';
  readonly hasStreams = true;
  readonly #transport: ReturnType<typeof createGrpcWebTransport>;

  constructor(url: string) {
    super();
    this.#transport = createGrpcWebTransport({ baseUrl: url });
  }

  async call<M extends DescMethodUnary>(
    method: M,
    input: MessageInitShape<M['input']>,
    { metadata, timeoutMs, signal }: CallOptions = {},
  ): Promise<Answer<MessageShape<M['output']>>> {
    try {
      const answer = await this.#transport.unary(method, signal, timeoutMs, metadata, input);
      const headers = {
        ...Object.fromEntries(answer.header),
        ...Object.fromEntries(answer.trailer),
      };
      return { message: answer.message as MessageShape<M['output']>, headers };
    } catch (error) {
      throw failureOf(error);
    }
  }

  /** What browsers allow: one request, and answers as they come. */
  async *stream(
    method: DescMethod,
    inputs: Inputs<object>,
    { metadata, timeoutMs, signal }: CallOptions = {},
  ): AsyncGenerator<Message> {
    const gone = new AbortController();
    const signals = signal === undefined ? [gone.signal] : [gone.signal, signal];
    try {
      const { message } = await this.#transport.stream(
        method as DescMethodStreaming,
        AbortSignal.any(signals),
        timeoutMs,
        metadata,
        asAsync(inputs),
      );
      yield* message;
    } catch (error) {
      throw failureOf(error);
    } finally {
      gone.abort();
    }
  }

  async close(): Promise<void> {}
}
