/**
 * What happens to every call, once for all protocols: it gets a name, a deadline, its answer from
 * the service or the one AppError, and a line in the log.
 */
import type { DescMethod, Message } from '@bufbuild/protobuf';
import type { Clock, Random } from '../domain/clock.ts';
import { AppError, Code, codeName } from '../domain/errors.ts';
import type { Admit } from './admit.ts';
import { Call, type Exchange, type Registration } from './call.ts';
import { TIMER_MS_MAX } from './deadline.ts';
import type { Faults } from './faults.ts';
import { type Log, withoutSecrets } from './log.ts';
import type { Observer } from './metrics.ts';
import type { Place } from './place.ts';
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

/** Settles as `work` does, or rejects as soon as the call ends; work that goes on is let go. */
function untilEnd<T>(call: Call, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const forget = call.onEnd(reject);
    work.then(
      (value) => {
        forget();
        resolve(value);
      },
      (error) => {
        forget();
        reject(error);
      },
    );
  });
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
    const call = new Call(exchange.head, this.#requestIdOf(exchange));
    const startedMs = this.#options.clock.monotonic();
    this.#underWay++;
    this.#options.observer?.begun(exchange.head);
    exchange.onAbort(() => call.end(new AppError('CANCELLED', 'the caller went away')));
    const work = refusal === undefined ? this.#run(call, exchange) : Promise.reject(refusal);
    work.then(
      () => this.#finish(call, exchange, undefined, startedMs),
      (thrown) => this.#finish(call, exchange, asAppError(thrown), startedMs),
    );
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

  #finish(call: Call, exchange: Exchange, error: AppError | undefined, startedMs: number): void {
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

  async #run(call: Call, exchange: Exchange): Promise<void> {
    const { method } = call.head;
    const implementation = method && this.#implementations.get(method);
    if (method === undefined || implementation === undefined) {
      throw new AppError('METHOD_NOT_FOUND', `nothing answers ${call.head.path}`);
    }
    // Whoever asks, like a method that does not exist.
    if (implementation === null) throw this.#options.faults.pick(method) ?? notOffered(method);
    const place = this.#options.shed.enter(method, call.head.remoteAddress);
    const disarm = this.#armDeadline(call, method);
    const isStream = method.methodKind !== 'unary';
    try {
      if (isStream) {
        if (this.#draining) throw draining();
        this.#streams.add(call);
      }
      await this.#answer(call, exchange, method, implementation, place);
    } finally {
      place.leave();
      disarm();
      this.#streams.delete(call);
    }
  }

  async #answer(
    call: Call,
    exchange: Exchange,
    method: DescMethod,
    implementation: Implementation,
    place: Place,
  ) {
    const { shed, admit } = this.#options;
    const readsOne = method.methodKind === 'unary' || method.methodKind === 'server_streaming';
    const read = () => (readsOne ? shed.read(place, exchange) : exchange.readAll());
    const admitted = admit(call, method, read);
    const input = admitted instanceof Promise ? await untilEnd(call, admitted) : admitted;
    if (method.methodKind !== 'unary' && call.caller !== undefined) {
      shed.own(place, call.caller.grant.keyId);
    }
    const fault = this.#options.faults.pick(method);
    if (fault !== undefined) throw fault;
    const output = implementation(input, call);
    if (method.methodKind === 'unary' || method.methodKind === 'client_streaming') {
      const answer = output instanceof Promise ? await untilEnd(call, output) : output;
      const room = exchange.write(answer as Message, call);
      if (room !== undefined) await room;
    } else {
      await sendAll(call, exchange, output as AsyncIterable<Message>);
    }
  }

  /** The client's deadline, or ours if that comes first. */
  #armDeadline(call: Call, method: DescMethod): () => void {
    const ms = Math.min(call.head.timeoutMs ?? TIMER_MS_MAX, this.#options.deadlineMsMax(method));
    if (ms >= TIMER_MS_MAX) return () => {};
    const late = () =>
      call.end(
        new AppError('DEADLINE_EXCEEDED', `the deadline of ${ms} ms passed before the answer`),
      );
    if (ms <= 0) {
      late();
      return () => {};
    }
    const timer = new TurnTimer(ms, late);
    return () => timer.clear();
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

function notOffered(method: DescMethod): AppError {
  return new AppError('NOT_OFFERED', `${method.parent.name}/${method.name} is not offered here`);
}

function draining(): AppError {
  return new AppError('UNAVAILABLE', 'this server is stopping; connect again', {
    logReason: 'DRAINING',
  });
}

/** Sends each answer as the peer reads them, and tells the service when the call ends early. */
async function sendAll(call: Call, exchange: Exchange, answers: AsyncIterable<Message>) {
  const iterator = answers[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await untilEnd(call, iterator.next());
      if (next.done === true) return;
      const looked = call.beforeAnswer?.();
      if (looked !== undefined) await untilEnd(call, looked);
      const room = exchange.write(next.value, call);
      if (room !== undefined) await untilEnd(call, room);
    }
  } catch (error) {
    // Not awaited: a generator that is stuck in an await would hold the answer back.
    iterator.return?.()?.catch(() => {});
    throw error;
  }
}
