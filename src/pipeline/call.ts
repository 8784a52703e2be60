/** One call as the pipeline and the services see it, whatever protocol brought it. */
import {
  create,
  type DescMethod,
  type DescMethodBiDiStreaming,
  type DescMethodClientStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type DescService,
  type Message,
  type MessageShape,
} from '@bufbuild/protobuf';
import type { AppError } from '../domain/errors.ts';
import type { Operator } from '../domain/model.ts';
import type { Permission } from '../domain/permission.ts';
import type { Caller } from '../grants/admission.ts';

/** `forward-auth`: a proxy asks about a request that it has, and another answers it. */
export type Protocol = 'rest' | 'grpc' | 'grpc-web' | 'forward-auth';

/** What is known of a call when its head has been read, before its body. */
export interface CallHead {
  readonly protocol: Protocol;
  /** Undefined when the path leads nowhere. */
  readonly method: DescMethod | undefined;
  /**
   * For the log: the path without its query, and without what a caller made up; where there is a
   * method, its name.
   */
  readonly path: string;
  /** Lower-case names; values of repeated headers joined as Node joins them. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Who calls, behind the proxies that are trusted. */
  readonly remoteAddress: string;
  /** The client's own deadline, in milliseconds from now; undefined when it named none. */
  readonly timeoutMs: number | undefined;
}

/** Names and values in turn, as Node takes them; `-bin` names carry base64. */
export type Metadata = readonly string[];

const NONE: Metadata = [];

/** What a caller was found to hold. */
export interface AccessTo {
  /** The account that the request is about. */
  readonly accountId?: string;
  /** What shows the market that the request is about. */
  readonly permission?: Permission;
}

/** One call under way. */
export class Call {
  readonly head: CallHead;
  /** Names this call in the log and in the answer's `x-request-id`. */
  readonly requestId: string;
  /** Who calls; undefined where the contract asks nobody, and until it is known. */
  caller: Caller | undefined;
  /** What access was looked at for; undefined where the contract asks for none, and until it was. */
  access: AccessTo | undefined;
  /** The operator who calls; undefined where the contract asks for none, and until it is known. */
  operator: Operator | undefined;
  /**
   * Looks before each answer of a stream whether its caller may still have it, where nobody would tell;
   * rejects with the AppError that ends the call. No promise where somebody would.
   */
  beforeAnswer: (() => undefined | Promise<unknown>) | undefined;
  /** The caller's limit and what is left of it; sent with every answer, also one of trailers only. */
  quotaHeaders: Metadata = NONE;
  /** Sent before the first message. */
  readonly responseHeaders: string[] = [];
  /** Sent after the last message; over REST, among the headers. */
  readonly responseTrailers: string[] = [];
  #controller: AbortController | undefined;
  #ended: AppError | undefined;
  readonly #onEnded: ((reason: AppError) => void) | undefined;
  /** Made when there is one: most calls are over before anyone listens. */
  #listeners: Set<(reason: AppError) => void> | undefined;

  /** @param onEnded called once when the call ends, before all who listen */
  constructor(head: CallHead, requestId: string, onEnded?: (reason: AppError) => void) {
    this.head = head;
    this.requestId = requestId;
    this.#onEnded = onEnded;
  }

  /** Why nobody waits for this call's answer any more; undefined while somebody does. */
  get ended(): AppError | undefined {
    return this.#ended;
  }

  /** Aborted when the caller goes away, the deadline passes or the server drains. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#ended !== undefined) this.#controller.abort(this.#ended);
    }
    return this.#controller.signal;
  }

  /** Ends the call early; the first reason counts. */
  end(reason: AppError): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    this.#onEnded?.(reason);
    this.#controller?.abort(reason);
    if (this.#listeners === undefined) return;
    for (const listener of this.#listeners) listener(reason);
    this.#listeners.clear();
  }

  /** Calls `listener` once when the call ends early, at once if it has; the result takes it back. */
  onEnd(listener: (reason: AppError) => void): () => void {
    if (this.#ended !== undefined) {
      listener(this.#ended);
      return () => {};
    }
    this.#listeners ??= new Set();
    const listeners = this.#listeners;
    listeners.add(listener);
    return () => listeners.delete(listener);
  }
}

/** How a protocol carries one call: what a codec implements, and all that the pipeline knows of it. */
export interface Exchange {
  readonly head: CallHead;
  /**
   * The one request of a unary or server-streaming call; no promise where it is there already. Throws or
   * rejects with AppError on bad input.
   */
  readOne(): Message | Promise<Message>;
  /** The requests of a client-streaming or bidirectional call, each when the peer has sent it. */
  readAll(): AsyncIterable<Message>;
  /** Sends one answer; a promise when the peer must read before more is sent. */
  write(message: Message, call: Call): undefined | Promise<void>;
  /** Ends the call: with OK, or with the error. Called exactly once, after the last write. */
  finish(call: Call, error: AppError | undefined): void;
  /** Calls `listener` if the peer goes away before finish. */
  onAbort(listener: () => void): void;
}

type MethodImpl<M> =
  M extends DescMethodUnary<infer I, infer O>
    ? (request: MessageShape<I>, call: Call) => MessageShape<O> | Promise<MessageShape<O>>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageShape<I>, call: Call) => AsyncIterable<MessageShape<O>>
      : M extends DescMethodClientStreaming<infer I, infer O>
        ? (requests: AsyncIterable<MessageShape<I>>, call: Call) => Promise<MessageShape<O>>
        : M extends DescMethodBiDiStreaming<infer I, infer O>
          ? (requests: AsyncIterable<MessageShape<I>>, call: Call) => AsyncIterable<MessageShape<O>>
          : never;

/**
 * What implements a proto service: a function per RPC, under its local name; null for those of `None`,
 * behind which there is nothing here, as their callers then hear.
 */
export type ServiceImpl<S extends DescService, None extends keyof S['method'] = never> = {
  [K in keyof S['method']]: K extends None ? null : MethodImpl<S['method'][K]>;
};

/** A service and what implements it, its types checked against each other where it is made. */
export interface Registration {
  readonly service: DescService;
  readonly impl: Readonly<Record<string, ((...args: never[]) => unknown) | null>>;
}

/** Pairs a service with its implementation. */
export function register<S extends DescService>(
  service: S,
  impl: { [K in keyof S['method']]: MethodImpl<S['method'][K]> | null },
): Registration {
  return { service, impl: impl as Registration['impl'] };
}

/** A service that is in the contract, and has nothing behind it here. */
export function registerNone(service: DescService): Registration {
  return { service, impl: Object.fromEntries(service.methods.map((m) => [m.localName, null])) };
}

/** A service whose methods are rules alone: who is let in is answered that, and nothing is done. */
export function registerAllowed(service: DescService): Registration {
  const allow = (method: DescMethod) => () => create(method.output);
  return { service, impl: Object.fromEntries(service.methods.map((m) => [m.localName, allow(m)])) };
}

/** False for a service that has nothing behind it here. */
export function isOffered({ impl }: Registration): boolean {
  return Object.values(impl).some((each) => each !== null);
}
