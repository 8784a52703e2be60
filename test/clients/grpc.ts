/** gRPC by @grpc/grpc-js. */
import {
  create,
  type DescMethod,
  type DescMethodUnary,
  fromBinary,
  type Message,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import grpc from '@grpc/grpc-js';
import {
  type Answer,
  CallFailure,
  type CallOptions,
  Client,
  type Headers,
  type Inputs,
  statusOfTrailers,
} from './client.ts';

function textOf(metadata: grpc.Metadata): Headers {
  const headers: Record<string, string> = {};
  for (const name of Object.keys(metadata.getMap())) {
    headers[name] = metadata
      .get(name)
      .map((value) => (typeof value === 'string' ? value : value.toString('base64')))
      .join(', ');
  }
  return headers;
}

function failureOf(error: grpc.ServiceError, headers: Headers): CallFailure {
  const [bin] = error.metadata?.get('grpc-status-details-bin') ?? [];
  const bytes = typeof bin === 'string' ? Buffer.from(bin) : bin;
  const all = { ...headers, ...(error.metadata && textOf(error.metadata)) };
  return new CallFailure(statusOfTrailers(error.code, error.details, bytes), all);
}

function metadataOf(options: CallOptions): grpc.Metadata {
  const metadata = new grpc.Metadata();
  for (const [name, value] of Object.entries(options.metadata ?? {})) {
    metadata.set(name, name.endsWith('-bin') ? Buffer.from(value, 'base64') : value);
  }
  return metadata;
}

function optionsOf({ timeoutMs }: CallOptions): grpc.CallOptions {
  return timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
}

/** How grpc-js calls one method. */
function wireOf(method: DescMethod) {
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    write: (message: object) => Buffer.from(toBinary(method.input, message as Message)),
    read: (bytes: Buffer) => fromBinary(method.output, bytes) as Message,
  };
}

export class GrpcClient extends Client {
  readonly name = 'gRPC';
  readonly protocol = 'grpc';
  readonly hasStreams = true;
  readonly #client: grpc.Client;

  /** @param authority `127.0.0.1:PORT` */
  constructor(
    authority: string,
    credentials = grpc.credentials.createInsecure(),
    options: grpc.ClientOptions = {},
  ) {
    super();
    // Without retries of its own: a test wants to see each answer.
    const own = { 'grpc.enable_retries': 0, 'grpc.use_local_subchannel_pool': 1 };
    this.#client = new grpc.Client(authority, credentials, { ...own, ...options });
  }

  call<M extends DescMethodUnary>(
    method: M,
    input: MessageInitShape<M['input']>,
    options: CallOptions = {},
  ): Promise<Answer<MessageShape<M['output']>>> {
    const { path, write, read } = wireOf(method);
    return new Promise((resolve, reject) => {
      let headers: Headers = {};
      const call = this.#client.makeUnaryRequest(
        path,
        write,
        read,
        create<M['input']>(method.input, input),
        metadataOf(options),
        optionsOf(options),
        (error, message) => {
          if (error !== null) reject(failureOf(error, headers));
          else resolve({ message: message as MessageShape<M['output']>, headers });
        },
      );
      call.on('metadata', (metadata) => {
        headers = textOf(metadata);
      });
      options.signal?.addEventListener('abort', () => call.cancel());
    });
  }

  async *stream(
    method: DescMethod,
    inputs: Inputs<object>,
    options: CallOptions = {},
  ): AsyncGenerator<Message> {
    if (method.methodKind === 'client_streaming') {
      yield await this.#collected(method, inputs, options);
      return;
    }
    const { path, write, read } = wireOf(method);
    const rest = [metadataOf(options), optionsOf(options)] as const;
    let call: grpc.ClientReadableStream<Message>;
    if (method.methodKind === 'server_streaming') {
      const [first] = await Array.fromAsync(inputs);
      const request = create(method.input, first as never) as object;
      call = this.#client.makeServerStreamRequest(path, write, read, request, ...rest);
    } else {
      const duplex = this.#client.makeBidiStreamRequest(path, write, read, ...rest);
      void sendAll(duplex, method, inputs);
      call = duplex;
    }
    let headers: Headers = {};
    call.on('metadata', (metadata) => {
      headers = textOf(metadata);
    });
    const cancel = () => call.cancel();
    options.signal?.addEventListener('abort', cancel);
    try {
      yield* call;
    } catch (error) {
      throw failureOf(error as grpc.ServiceError, headers);
    } finally {
      options.signal?.removeEventListener('abort', cancel);
      // After the end this does nothing; before it, the reader has gone away.
      call.on('error', () => {});
      call.cancel();
    }
  }

  #collected(method: DescMethod, inputs: Inputs<object>, options: CallOptions): Promise<Message> {
    const { path, write, read } = wireOf(method);
    return new Promise((resolve, reject) => {
      const rest = [metadataOf(options), optionsOf(options)] as const;
      const call = this.#client.makeClientStreamRequest(
        path,
        write,
        read,
        ...rest,
        (error, answer) => {
          if (error !== null) reject(failureOf(error, {}));
          else resolve(answer as Message);
        },
      );
      options.signal?.addEventListener('abort', () => call.cancel());
      void sendAll(call, method, inputs);
    });
  }

  async close(): Promise<void> {
    this.#client.close();
  }
}

async function sendAll(
  call: grpc.ClientWritableStream<object>,
  method: DescMethod,
  inputs: Inputs<object>,
): Promise<void> {
  for await (const input of inputs) {
    call.write(create(method.input, input as never) as object);
  }
  call.end();
}
