/** Calls of the server's services: REST, on the generated messages. */
import {
  create,
  createRegistry,
  type DescMethodUnary,
  fromJson,
  fromJsonString,
  type JsonValue,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import {
  BadRequestSchema,
  ErrorInfoSchema,
  LocalizedMessageSchema,
  QuotaFailureSchema,
  RetryInfoSchema,
} from '../src/gen/google/rpc/error_details_pb.js';
import { type Status, StatusSchema } from '../src/gen/google/rpc/status_pb.js';
import { CommandFailure, Exit, exitOfCode } from './failure.ts';
import type { HttpAnswer, HttpClient } from './http.ts';
import { requestOf } from './route.ts';

const registry = createRegistry(
  BadRequestSchema,
  ErrorInfoSchema,
  LocalizedMessageSchema,
  QuotaFailureSchema,
  RetryInfoSchema,
);

/** One server, and who calls it. */
export class Api {
  readonly #http: HttpClient;
  readonly #headers: Readonly<Record<string, string>>;

  /** @param token goes along with every call as `authorization`; undefined: nothing does */
  constructor(http: HttpClient, token?: string) {
    this.#http = http;
    this.#headers = token === undefined ? {} : { authorization: token };
  }

  /**
   * One call.
   * @throws CommandFailure with the server's own message when it refuses
   */
  async call<M extends DescMethodUnary>(
    method: M,
    input: MessageInitShape<M['input']>,
  ): Promise<MessageShape<M['output']>> {
    const message = create(method.input as M['input'], input);
    const request = requestOf(method, message);
    const answer = await this.#http.send({ ...request, headers: this.#headers });
    if (answer.status !== 200) throw refusalOf(answer);
    // A newer server may have fields that this program does not know.
    const options = { ignoreUnknownFields: true, registry };
    return fromJson(method.output as M['output'], readJson(answer), options);
  }

  /** Lets the connections go. */
  close(): void {
    this.#http.close();
  }
}

function readJson({ status, text }: HttpAnswer): JsonValue {
  try {
    return JSON.parse(text);
  } catch (error) {
    const message = `HTTP ${status} with what is not JSON: is this the address of a Propusk server?`;
    throw new CommandFailure(Exit.FAILED, message, { cause: error });
  }
}

/** What an answer that is no success says. */
function refusalOf(answer: HttpAnswer): CommandFailure {
  let status: Status;
  try {
    const options = { ignoreUnknownFields: true, registry };
    status = fromJsonString(StatusSchema, answer.text, options);
  } catch (error) {
    const message = `HTTP ${answer.status} without a status of ours: is this the address of a Propusk server?`;
    throw new CommandFailure(Exit.FAILED, message, { cause: error });
  }
  const info = status.details
    .map((any) => anyUnpack(any, ErrorInfoSchema))
    .find((each) => each !== undefined);
  const fields = status.details
    .flatMap((any) => anyUnpack(any, BadRequestSchema)?.fieldViolations ?? [])
    .map(({ field, description }) => `\n  ${field}: ${description}`);
  const reason = info?.reason;
  const suffix = reason === undefined ? '' : ` (${reason})`;
  return new CommandFailure(
    exitOfCode(status.code),
    `${status.message}${suffix}${fields.join('')}`,
    { ...(reason !== undefined && { reason }) },
  );
}
