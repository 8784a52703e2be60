/**
 * grpc.reflection, v1 and v1alpha: lets clients such as grpcurl ask for the contract itself.
 * Both versions have the same messages under another package, so one logic serves them.
 */
import {
  type AnyDesc,
  create,
  type DescFile,
  type DescService,
  toBinary,
} from '@bufbuild/protobuf';
import { nestedTypes } from '@bufbuild/protobuf/reflect';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { Code } from '../domain/errors.ts';
import { file_google_rpc_error_details } from '../gen/google/rpc/error_details_pb.js';
import {
  type ServerReflectionRequest,
  ServerReflectionResponseSchema,
  ServerReflection as V1,
} from '../gen/grpc/reflection/v1/reflection_pb.js';
import {
  type ServerReflectionRequest as AlphaRequest,
  ServerReflectionResponseSchema as AlphaResponseSchema,
  ServerReflection as V1Alpha,
} from '../gen/grpc/reflection/v1alpha/reflection_pb.js';
import { type Registration, register } from '../pipeline/call.ts';

/** What is asked for, the same in both versions. */
type Question = (ServerReflectionRequest | AlphaRequest)['messageRequest'];
/** What is answered, the same in both versions. */
type Answer =
  | { case: 'listServicesResponse'; value: { service: { name: string }[] } }
  | { case: 'fileDescriptorResponse'; value: { fileDescriptorProto: Uint8Array[] } }
  | {
      case: 'allExtensionNumbersResponse';
      value: { baseTypeName: string; extensionNumber: number[] };
    }
  | { case: 'errorResponse'; value: { errorCode: Code; errorMessage: string } };

/** The names under which clients may ask for what a descriptor describes. */
function symbolsOf(desc: AnyDesc): string[] {
  switch (desc.kind) {
    case 'message': {
      const members = [...desc.fields, ...desc.oneofs];
      return [desc.typeName, ...members.map((member) => `${desc.typeName}.${member.name}`)];
    }
    case 'enum': {
      // An enum's values are its siblings in the namespace; some clients ask as if inside.
      const scope = desc.typeName.slice(0, -desc.name.length);
      const values = desc.values.map((value) => value.name);
      return [
        desc.typeName,
        ...values.flatMap((value) => [scope + value, `${desc.typeName}.${value}`]),
      ];
    }
    case 'service':
      return [desc.typeName, ...desc.methods.map((method) => `${desc.typeName}.${method.name}`)];
    case 'extension':
      return [desc.typeName];
    default:
      return [];
  }
}

/** Everything that the services' files and their imports declare, and the details of errors. */
class Index {
  readonly #serviceNames: readonly string[];
  readonly #byName = new Map<string, DescFile>();
  readonly #bySymbol = new Map<string, DescFile>();
  /** Files by the extension's number, by the name of the extended message. */
  readonly #extensions = new Map<string, Map<number, DescFile>>();
  readonly #encoded = new Map<DescFile, Uint8Array>();

  constructor(services: readonly DescService[]) {
    this.#serviceNames = [...new Set(services.map((service) => service.typeName))].sort();
    for (const service of services) this.#add(service.file);
    // No service names these types, but clients meet them in every error.
    this.#add(file_google_rpc_error_details);
  }

  #add(file: DescFile): void {
    if (this.#byName.has(file.proto.name)) return;
    this.#byName.set(file.proto.name, file);
    for (const dependency of file.dependencies) this.#add(dependency);
    for (const desc of nestedTypes(file)) {
      for (const symbol of symbolsOf(desc)) this.#bySymbol.set(symbol, file);
      if (desc.kind === 'extension') {
        const numbers = this.#extensions.get(desc.extendee.typeName) ?? new Map();
        this.#extensions.set(desc.extendee.typeName, numbers.set(desc.number, file));
      }
    }
  }

  /** Answers one question. `sent` holds the files that this stream has had already. */
  answer(question: Question, sent: Set<DescFile>): Answer {
    switch (question.case) {
      case 'listServices': {
        const service = this.#serviceNames.map((name) => ({ name }));
        return { case: 'listServicesResponse', value: { service } };
      }
      case 'fileByFilename':
        return this.#files(this.#byName.get(question.value), `file ${question.value}`, sent);
      case 'fileContainingSymbol':
        return this.#files(this.#bySymbol.get(question.value), `symbol ${question.value}`, sent);
      case 'fileContainingExtension': {
        const { containingType, extensionNumber } = question.value;
        const file = this.#extensions.get(containingType)?.get(extensionNumber);
        return this.#files(file, `extension ${extensionNumber} of ${containingType}`, sent);
      }
      case 'allExtensionNumbersOfType':
        return this.#numbers(question.value);
      default:
        return refusal(Code.INVALID_ARGUMENT, 'the request asks for nothing that is known here');
    }
  }

  /** A known type that nothing extends has no numbers; an unknown one is not found. */
  #numbers(baseTypeName: string): Answer {
    const extensionNumber = [...(this.#extensions.get(baseTypeName)?.keys() ?? [])];
    if (extensionNumber.length === 0 && !this.#bySymbol.has(baseTypeName)) {
      return refusal(Code.NOT_FOUND, `type ${baseTypeName} is not known here`);
    }
    extensionNumber.sort((a, b) => a - b);
    return { case: 'allExtensionNumbersResponse', value: { baseTypeName, extensionNumber } };
  }

  /**
   * The file and those that it imports, which this stream has not had. The file that was asked for
   * is always there and first, since clients that ask again take the first for the answer.
   */
  #files(file: DescFile | undefined, asked: string, sent: Set<DescFile>): Answer {
    if (file === undefined) return refusal(Code.NOT_FOUND, `${asked} is not known here`);
    const fileDescriptorProto: Uint8Array[] = [];
    sent.delete(file);
    const send = (one: DescFile): void => {
      if (sent.has(one)) return;
      sent.add(one);
      fileDescriptorProto.push(this.#encode(one));
      for (const dependency of one.dependencies) send(dependency);
    };
    send(file);
    return { case: 'fileDescriptorResponse', value: { fileDescriptorProto } };
  }

  #encode(file: DescFile): Uint8Array {
    let bytes = this.#encoded.get(file);
    if (bytes === undefined) {
      bytes = toBinary(FileDescriptorProtoSchema, file.proto);
      this.#encoded.set(file, bytes);
    }
    return bytes;
  }
}

function refusal(errorCode: Code, errorMessage: string): Answer {
  return { case: 'errorResponse', value: { errorCode, errorMessage } };
}

/** Answers one stream, question by question, in the version that `respond` makes. */
async function* converse<Request extends { readonly messageRequest: Question }, Response>(
  index: Index,
  requests: AsyncIterable<Request>,
  respond: (request: Request, answer: Answer) => Response,
): AsyncGenerator<Response> {
  const sent = new Set<DescFile>();
  for await (const request of requests) {
    yield respond(request, index.answer(request.messageRequest, sent));
  }
}

/**
 * Server reflection in both its versions.
 * @param services all others that the server has; the reflection services add themselves
 */
export function reflection(services: readonly DescService[]): Registration[] {
  let made: Index | undefined;
  // Made when it is first asked for: most servers never are.
  const index = () => {
    made ??= new Index([...services, V1, V1Alpha]);
    return made;
  };
  const v1 = register(V1, {
    serverReflectionInfo: (requests) =>
      converse(index(), requests, (originalRequest, messageResponse) => {
        const validHost = originalRequest.host;
        return create(ServerReflectionResponseSchema, {
          validHost,
          originalRequest,
          messageResponse,
        });
      }),
  });
  const v1alpha = register(V1Alpha, {
    serverReflectionInfo: (requests) =>
      converse(index(), requests, (originalRequest, messageResponse) => {
        const validHost = originalRequest.host;
        return create(AlphaResponseSchema, { validHost, originalRequest, messageResponse });
      }),
  });
  return [v1, v1alpha];
}
