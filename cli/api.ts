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
import { type HttpAnswer, type HttpClient, type HttpRequest, NoAnswer } from './http.ts';
import { requestOf } from './route.ts';

const registry = createRegistry(
  BadRequestSchema,
  ErrorInfoSchema,
  LocalizedMessageSchema,
  QuotaFailureSchema,
  RetryInfoSchema,
);

/** How often one call is sent, where the server invites to, or where an answer was lost. */
const ATTEMPTS_MAX = 6;
/** The longest wait between two attempts. */
const RETRY_MS_MAX = 5000;
/** The wait after the first answer that was lost; each later one is twice as long. */
const LOST_MS = 200;
/** What a Propusk that does not know a method is told of. */
const OTHER_PORT =
  '; serve has administration on its internal port (--internal-listen) and sessions on the other';
/** google.rpc.Code of answers after which what was asked for may be done, or be done yet. */
const UNDECIDED_CODES: readonly number[] = [1, 2, 4, 13, 14, 15];
const DEADLINE_EXCEEDED = 4;

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
   * One call. One that changes nothing, or has a request id, is sent again where its answer was lost.
   * @throws CommandFailure with the server's own message when it refuses
   */
  async call<M extends DescMethodUnary>(
    method: M,
    input: MessageInitShape<M['input']>,
  ): Promise<MessageShape<M['output']>> {
    const message = create(method.input as M['input'], input);
    const request = { ...requestOf(method, message), headers: this.#headers };
    const { requestId } = message as { requestId?: string };
    const answer = await this.#answerTo(request, requestId === '' ? undefined : requestId);
    // A newer server may have fields that this program does not know.
    const options = { ignoreUnknownFields: true, registry };
    try {
      return fromJson(method.output as M['output'], JSON.parse(answer.text) as JsonValue, options);
    } catch (error) {
      throw foreign(answer, error);
    }
  }

  /** The answer to a request, which is sent again where that is safe and may help. */
  async #answerTo(request: HttpRequest, requestId: string | undefined): Promise<HttpAnswer> {
    const isRepeatable = requestId !== undefined || request.verb === 'GET';
    let isUndecided = false;
    for (let attempt = 1; ; attempt++) {
      const refusal = await this.#attempt(request);
      if ('status' in refusal) return refusal;
      const { failure, isLost } = refusal;
      isUndecided ||= refusal.isUndecided;
      // Where nothing answers from the start, nothing was lost.
      const isAgain = isRepeatable && (isLost || (isUndecided && failure instanceof NoAnswer));
      const retryMs = refusal.retryMs ?? (isAgain ? LOST_MS * 2 ** (attempt - 1) : undefined);
      if (retryMs === undefined || attempt === ATTEMPTS_MAX) {
        throw isUndecided && requestId !== undefined ? undecided(failure, requestId) : failure;
      }
      // Those who were refused together do not come back together.
      await sleep(Math.min(retryMs, RETRY_MS_MAX) * (0.5 + Math.random()));
    }
  }

  async #attempt(request: HttpRequest): Promise<HttpAnswer | Refusal> {
    try {
      const answer = await this.#http.send(request);
      return answer.status === 200 ? answer : refusalOf(answer);
    } catch (failure) {
      if (!(failure instanceof NoAnswer)) throw failure;
      const { isSent } = failure;
      return { failure, retryMs: undefined, isLost: isSent, isUndecided: isSent };
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
  /** True where there is an answer, and it was not heard. */
  readonly isLost: boolean;
  /** True where what was asked for may be done all the same. */
  readonly isUndecided: boolean;
}

/** A failure after which nobody knows whether the request was done. */
function undecided(failure: CommandFailure, undecidedRequest: string): CommandFailure {
  const { exit, message, reason, cause } = failure;
  return new CommandFailure(exit, message, {
    ...{ cause, undecidedRequest },
    ...(reason !== undefined && { reason }),
  });
}

/** What an answer that is no success says. */
function refusalOf(answer: HttpAnswer): Refusal {
  let status: Status;
  try {
    const options = { ignoreUnknownFields: true, registry };
    status = fromJsonString(StatusSchema, answer.text, options);
  } catch (error) {
    // Something between may have answered for a server that was asked.
    const isUndecided = answer.status >= 500;
    return { failure: foreign(answer, error), retryMs: undefined, isLost: false, isUndecided };
  }
  const { details } = status;
  const reason = detail(details, ErrorInfoSchema)?.reason;
  // The message itself tells the first of them.
  const fields = (detail(details, BadRequestSchema)?.fieldViolations ?? [])
    .filter(({ field, description }) => !status.message.includes(`${field} ${description}`))
    .map(({ field, description }) => `\n  ${field}: ${description}`);
  const suffix = reason === undefined ? '' : ` (${reason})`;
  const hint = reason === 'ROUTE_NOT_FOUND' ? OTHER_PORT : '';
  const message = `${status.message}${suffix}${hint}${fields.join('')}`;
  const delay = detail(details, RetryInfoSchema)?.retryDelay;
  return {
    failure: new CommandFailure(exitOfCode(status.code), message, {
      ...(reason !== undefined && { reason }),
    }),
    retryMs: delay === undefined ? undefined : durationMs(delay),
    isLost: status.code === DEADLINE_EXCEEDED,
    isUndecided: UNDECIDED_CODES.includes(status.code),
  };
}

/** The detail of one type, where a status has it. */
function detail<D extends DescMessage>(
  details: readonly Any[],
  schema: D,
): MessageShape<D> | undefined {
  return details.map((any) => anyUnpack(any, schema)).find((each) => each !== undefined);
}
