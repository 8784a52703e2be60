/** Calls of the server's services: REST, on the generated messages. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  create,
  createRegistry,
  type DescMessage,
  type DescMethodUnary,
  fromJson,
  fromJsonString,
  type JsonValue,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
import { type Any, anyUnpack, durationMs } from '@bufbuild/protobuf/wkt';
import {
  BadRequestSchema,
  ErrorInfoSchema,
  LocalizedMessageSchema,
  QuotaFailureSchema,
  RetryInfoSchema,
} from '../src/gen/google/rpc/error_details_pb.js';
import { type Status, StatusSchema } from '../src/gen/google/rpc/status_pb.js';
import { CommandFailure, Exit, exitOfCode } from './failure.ts';
import type { HttpAnswer, HttpClient, HttpRequest } from './http.ts';
import { requestOf } from './route.ts';

const registry = createRegistry(
  BadRequestSchema,
  ErrorInfoSchema,
  LocalizedMessageSchema,
  QuotaFailureSchema,
  RetryInfoSchema,
);

/** How often one call is sent, where the server is overloaded and invites to try again. */
const ATTEMPTS_MAX = 6;
/** The longest wait between two attempts. */
const RETRY_MS_MAX = 5000;

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
    const request = { ...requestOf(method, message), headers: this.#headers };
    const answer = await this.#answerTo(request);
    // A newer server may have fields that this program does not know.
    const options = { ignoreUnknownFields: true, registry };
    try {
      return fromJson(method.output as M['output'], JSON.parse(answer.text) as JsonValue, options);
    } catch (error) {
      throw foreign(answer, error);
    }
  }

  /** The answer to a request, asked again where the server says that it will answer later. */
  async #answerTo(request: HttpRequest): Promise<HttpAnswer> {
    for (let attempt = 1; ; attempt++) {
      const answer = await this.#http.send(request);
      if (answer.status === 200) return answer;
      const { failure, retryMs } = refusalOf(answer);
      if (retryMs === undefined || attempt === ATTEMPTS_MAX) throw failure;
      // Those who were refused together do not come back together.
      await sleep(Math.min(retryMs, RETRY_MS_MAX) * (0.5 + Math.random()));
    }
  }

  /** Lets the connections go. */
  close(): void {
    this.#http.close();
  }
}

/** An answer that no server of ours gives. */
function foreign({ status }: HttpAnswer, cause: unknown): CommandFailure {
  const message = `HTTP ${status} with what is no answer of ours: is this the address of a Propusk server?`;
  return new CommandFailure(Exit.FAILED, message, { cause });
}

interface Refusal {
  readonly failure: CommandFailure;
  /** After how long the server invites to ask again; undefined: it does not. */
  readonly retryMs: number | undefined;
}

/**
 * What an answer that is no success says.
 * @throws CommandFailure where it is none of ours
 */
function refusalOf(answer: HttpAnswer): Refusal {
  let status: Status;
  try {
    const options = { ignoreUnknownFields: true, registry };
    status = fromJsonString(StatusSchema, answer.text, options);
  } catch (error) {
    throw foreign(answer, error);
  }
  const { details } = status;
  const reason = detail(details, ErrorInfoSchema)?.reason;
  const fields = (detail(details, BadRequestSchema)?.fieldViolations ?? []).map(
    ({ field, description }) => `\n  ${field}: ${description}`,
  );
  const suffix = reason === undefined ? '' : ` (${reason})`;
  const message = `${status.message}${suffix}${fields.join('')}`;
  const delay = detail(details, RetryInfoSchema)?.retryDelay;
  return {
    failure: new CommandFailure(exitOfCode(status.code), message, {
      ...(reason !== undefined && { reason }),
    }),
    retryMs: delay === undefined ? undefined : durationMs(delay),
  };
}

/** The detail of one type, where a status has it. */
function detail<D extends DescMessage>(
  details: readonly Any[],
  schema: D,
): MessageShape<D> | undefined {
  return details.map((any) => anyUnpack(any, schema)).find((each) => each !== undefined);
}
