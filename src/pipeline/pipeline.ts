/**
 * What happens to every call, once for all protocols: it gets a name, a deadline, its answer from
 * the service or the one AppError, and a line in the log.
 */
import type { DescMethod, Message } from '@bufbuild/protobuf';
import type { Clock, Random } from '../domain/clock.ts';
import { continueWith } from '../domain/continue-with.ts';
import { AppError, Code, codeName } from '../domain/errors.ts';
import type { Admit } from './admit.ts';
import { Call, type Exchange, type Registration } from './call.ts';
import { TIMER_MS_MAX } from './deadline.ts';
import type { Faults } from './faults.ts';
import { type Log, withoutSecrets } from './log.ts';
import { isStream } from './method-contract.ts';
import type { Observer } from './metrics.ts';
import type { Place } from './place.ts';
import { sendAll } from './send-all.ts';
import { isOverload, type Shed } from './shed.ts';
import { asAppError } from './status.ts';
import { parseTraceparent } from './trace-context.ts';
import { TurnTimer } from './turn-timer.ts';

/** A caller's own request id is taken over if it looks like one. */
const REQUEST_ID = /^[A-Za-z0-9_.:-]{1,64}$/;

/** Randomness in a request id, and what it is in base64url. */
const ID_BYTES = 9;
const ID_LENGTH = 12;
const IDS_DRAWN = 128;

/** Tells who still listens that nobody waits; made once, since errors are costly to make. */
const OVER = new AppError('CANCELLED', 'the call is over');

export interface PipelineOptions {
  readonly registrations: readonly Registration[];
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  /** When the calls of a method end, whatever the client asked for. */
  readonly deadlineMsMax: (method: DescMethod) => number;
  readonly faults: Faults;
  readonly admit: Admit;
  readonly shed: Shed;
  readonly observer?: Observer;
}

type Implementation = (input: unknown, call: Call) => unknown;

/** A call that is under way, and what it holds until it is answered. */
interface Course {
  readonly call: Call;
  readonly exchange: Exchange;
  /** Monotonic milliseconds. */
  readonly startedMs: number;
  place: Place | undefined;
  deadline: TurnTimer | undefined;
  isOver: boolean;
}

export class Pipeline {
  readonly #options: PipelineOptions;
  /** null: nothing is behind the method. */
  readonly #implementations = new Map<DescMethod, Implementation | null>();
  readonly #streams = new Set<Call>();
  /** Request ids, many at a time: a draw costs more than all else of an id. */
  #ids = '';
  #idsAt = 0;
  #underWay = 0;
  #idle: (() => void) | undefined;
  #draining = false;

  constructor(options: PipelineOptions) {
    this.#options = options;
    for (const { service, impl } of options.registrations) {
      for (const method of service.methods) {
        const implementation = impl[method.localName];
        if (implementation === undefined) throw new Error(`nothing implements ${method}`);
        const bound = implementation && (implementation.bind(impl) as Implementation);
        this.#implementations.set(method, bound);
      }
    }
  }

  /** Takes one call to its end. `refusal` is what the transport found wrong with its head. */
  handle(exchange: Exchange, refusal?: AppError): void {
    const { clock, observer } = this.#options;
    // Who ends the call early does not wait for what it waits for: that is let go.
    const ended = (reason: AppError) => this.#finish(course, reason);
    const course: Course = {
      call: new Call(exchange.head, this.#requestIdOf(exchange), ended),
      exchange,
      startedMs: clock.monotonic(),
      place: undefined,
      deadline: undefined,
      isOver: false,
    };
    this.#underWay++;
    observer?.begun(exchange.head);
    exchange.onAbort(() => course.call.end(new AppError('CANCELLED', 'the caller went away')));
    const work = this.#begin(course, refusal);
    if (work instanceof Promise) {
      work.then(
        () => this.#finish(course, undefined),
        (thrown) => this.#finish(course, asAppError(thrown)),
      );
    } else {
      this.#finish(course, undefined);
    }
  }

  /** Ends all streams with UNAVAILABLE and takes no new ones; unary calls go on. */
  drain(): void {
    this.#draining = true;
    for (const call of this.#streams) call.end(draining());
  }

  /** Resolves when no call is under way. */
  idle(): Promise<void> {
    if (this.#underWay === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle = resolve;
    });
  }

  /** The first to come here tells the caller. */
  #finish(course: Course, error: AppError | undefined): void {
    if (course.isOver) return;
    course.isOver = true;
    const { call, exchange, startedMs } = course;
    course.place?.leave();
    course.deadline?.clear();
    if (isStream(call.head.method)) this.#streams.delete(call);
    try {
      exchange.finish(call, error);
      this.#observe(call, error, startedMs);
    } catch (thrown) {
      this.#observe(call, asAppError(thrown), startedMs);
    } finally {
      call.end(OVER);
      if (--this.#underWay === 0) this.#idle?.();
    }
  }

  #requestIdOf(exchange: Exchange): string {
    const given = exchange.head.headers['x-request-id'];
    if (typeof given === 'string' && REQUEST_ID.test(given)) return given;
    if (this.#idsAt === this.#ids.length) {
      this.#ids = this.#options.random(IDS_DRAWN * ID_BYTES).toString('base64url');
      this.#idsAt = 0;
    }
    this.#idsAt += ID_LENGTH;
    return this.#ids.slice(this.#idsAt - ID_LENGTH, this.#idsAt);
  }

  /** Refusals wait for the turn's promises: by then a body that came with its head is known to be whole. */
  #begin(course: Course, refusal: AppError | undefined): void | Promise<void> {
    if (refusal !== undefined) return Promise.reject(refusal);
    try {
      return this.#run(course);
    } catch (thrown) {
      return Promise.reject(thrown);
    }
  }

  /** Each promise costs: there is none where nothing waits. */
  #run(course: Course): void | Promise<void> {
    const { call, exchange } = course;
    const { method } = call.head;
    const implementation = method && this.#implementations.get(method);
    if (method === undefined || implementation === undefined) {
      throw new AppError('METHOD_NOT_FOUND', `nothing answers ${call.head.path}`);
    }
    const { shed, admit, faults } = this.#options;
    // Whoever asks, like a method that does not exist.
    if (implementation === null) throw faults.pick(method) ?? notOffered(method);
    const place = shed.enter(method, call.head.remoteAddress);
    course.place = place;
    this.#armDeadline(course, method);
    // Its own deadline may be over before it begins: it is answered, and holds nothing any more.
    if (call.ended !== undefined) throw call.ended;
    if (isStream(method)) {
      if (this.#draining) throw draining();
      this.#streams.add(call);
    }
    const readsOne = method.methodKind === 'unary' || method.methodKind === 'server_streaming';
    const read = () => (readsOne ? shed.read(place, exchange) : exchange.readAll());
    return continueWith(admit(call, method, read), (input) => {
      if (call.ended !== undefined) throw call.ended;
      if (isStream(method) && call.caller !== undefined) shed.own(place, call.caller.grant.keyId);
      const fault = faults.pick(method);
      if (fault !== undefined) throw fault;
      const output = implementation(input, call);
      return isAnsweredOnce(method)
        ? continueWith(output, (answer) => answerOnce(course, answer as Message))
        : sendAll(call, exchange, output as AsyncIterable<Message>);
    });
  }

  /** The client's deadline, or ours if that comes first. */
  #armDeadline(course: Course, method: DescMethod): void {
    const { call } = course;
    const ms = Math.min(call.head.timeoutMs ?? TIMER_MS_MAX, this.#options.deadlineMsMax(method));
    if (ms >= TIMER_MS_MAX) return;
    const late = () =>
      call.end(
        new AppError('DEADLINE_EXCEEDED', `the deadline of ${ms} ms passed before the answer`),
      );
    if (ms <= 0) late();
    else course.deadline = new TurnTimer(ms, late);
  }

  /**
   * Our own failures are errors, the caller's are information, success is for debugging. Calls that
   * are shed are many: the log tells of them together.
   */
  #observe(call: Call, error: AppError | undefined, startedMs: number): void {
    const { log, clock, observer } = this.#options;
    const ms = clock.monotonic() - startedMs;
    observer?.ended(call.head, error, ms);
    const code = error?.code ?? Code.OK;
    const isOurs = error?.reason === 'INTERNAL';
    const isShed = isOverload(error);
    if (isShed) this.#options.shed.note();
    const level =
      error === undefined || code === Code.CANCELLED || isShed
        ? 'debug'
        : isOurs
          ? 'error'
          : code === Code.UNAVAILABLE
            ? 'warn'
            : 'info';
    if (!log.isLevelEnabled(level)) return;
    const { head } = call;
    log[level](
      {
        requestId: call.requestId,
        protocol: head.protocol,
        method: head.method?.name,
        path: head.method === undefined ? withoutSecrets(head.path) : undefined,
        remote: head.remoteAddress,
        operator: call.operator?.id,
        ...parseTraceparent(head.headers.traceparent),
        code: codeName(code),
        reason: error?.options.logReason ?? error?.reason,
        ms: Math.round(ms * 1000) / 1000,
        err: error?.options.cause,
      },
      error === undefined ? 'answered' : withoutSecrets(error.message),
    );
  }
}

function isAnsweredOnce({ methodKind }: DescMethod): boolean {
  return methodKind === 'unary' || methodKind === 'client_streaming';
}

function answerOnce({ call, exchange }: Course, answer: Message): void | Promise<void> {
  if (call.ended !== undefined) throw call.ended;
  return exchange.write(answer, call);
}

function notOffered(method: DescMethod): AppError {
  return new AppError('NOT_OFFERED', `${method.parent.name}/${method.name} is not offered here`);
}

function draining(): AppError {
  return new AppError('UNAVAILABLE', 'this server is stopping; connect again', {
    logReason: 'DRAINING',
  });
}
