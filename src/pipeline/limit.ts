/** How often callers may call: counts each call once, and tells the figures with every answer. */
import type { DescMethod, DescService } from '@bufbuild/protobuf';
import type { LimitedMethod, Quota, Quotas, Taken } from '../counters/quotas.ts';
import { continueWith } from '../domain/continue-with.ts';
import { AppError, Code } from '../domain/errors.ts';
import type { Operator } from '../domain/model.ts';
import { WINDOW_MS } from '../domain/quota.ts';
import { Caller as Shown } from '../gen/propusk/contract/v1/contract_pb.js';
import type { Caller } from '../grants/admission.ts';
import type { Call, Metadata } from './call.ts';
import { contractOf } from './method-contract.ts';
import { numberOf, type PerMethod, parsePerMethod } from './method-name.ts';

/** The highest limit that can be set. */
const CALLS_MAX = 1e9;
/** How long a caller waits for whom there is no room to count. */
const FULL_RETRY_AFTER_MS = 5000;

/** Failures that say nothing against the caller; they count for nobody. */
const NOT_THE_CALLERS: ReadonlySet<Code> = new Set([
  Code.CANCELLED,
  Code.DEADLINE_EXCEEDED,
  Code.INTERNAL,
  Code.UNAVAILABLE,
]);

/**
 * Reads one limit: `CALLS` for all methods, or `METHOD=CALLS`, in any 60 seconds.
 * @returns the limit, or one sentence that says what is wrong
 */
export function parseLimit(text: string, services: readonly DescService[]): PerMethod | string {
  return parsePerMethod(text, services, 'CALLS', CALLS_MAX);
}

/**
 * The methods that have a limit: the contract's, unless a setting says otherwise; the last counts.
 * Throws where two have one name: callers, and the counters, know them by it.
 */
export function limitedMethods(
  services: readonly DescService[],
  settings: readonly PerMethod[],
): ReadonlyMap<DescMethod, LimitedMethod> {
  const limited = new Map<DescMethod, LimitedMethod>();
  for (const method of services.flatMap((service) => service.methods)) {
    const { callsPerMinute } = contractOf(method);
    if (callsPerMinute === 0) continue;
    const callsMax = numberOf(method, settings) ?? callsPerMinute;
    limited.set(method, { name: method.name, callsMax });
  }
  const names = new Set(limited.values().map(({ name }) => name));
  if (names.size < limited.size) throw new Error('two methods of one name would share one limit');
  return limited;
}

export class Limiter {
  readonly #quotas: Quotas;
  readonly #methods: ReadonlyMap<DescMethod, LimitedMethod>;

  constructor(quotas: Quotas, methods: ReadonlyMap<DescMethod, LimitedMethod>) {
    this.#quotas = quotas;
    this.#methods = methods;
  }

  /**
   * Counts a call for its caller.
   * @throws AppError RATE_LIMITED, and then it was not counted; UNAVAILABLE when there is no room
   * to count one more caller
   */
  count(call: Call, method: DescMethod, caller: Caller): void | Promise<void> {
    const limited = this.#methods.get(method);
    if (limited === undefined) return;
    const taken = this.#quotas.take(limited, caller.grant);
    return continueWith(taken, (later) => judge(call, later));
  }

  /**
   * Counts a call of a service credential, where those have a limit.
   * @throws AppError as `count` does
   */
  countService(call: Call, { id, name }: Operator): void | Promise<void> {
    return continueWith(this.#quotas.takeOfService(id), (taken) => {
      if (taken === undefined) return;
      const refusal = note(call, taken, `calls of the service credential ${name || id}`);
      if (refusal !== undefined) throw refusal;
    });
  }

  /**
   * Counts a call that was refused for what it showed, for the address that it came from: whether that
   * was made up, or was good once, is not for others to find out. But who held a key must hear that it
   * is over, whatever others of the address do: such calls are then counted for the key.
   * @returns what the caller hears: `error`, until the address has used what it may
   */
  async countRefused(call: Call, method: DescMethod, error: AppError): Promise<AppError> {
    const limited = this.#methods.get(method);
    const isCounted = limited !== undefined || showsToken(method);
    if (!isCounted || NOT_THE_CALLERS.has(error.code)) return error;
    const ofAddress = await this.#quotas.takeOfAddress(call.head.remoteAddress);
    const refusal = note(call, ofAddress, 'failed calls of this address');
    const { knownKey } = error.options;
    if (refusal === undefined || knownKey === undefined) return refusal ?? error;
    if (limited === undefined) return error;
    const taken = await this.#quotas.take(limited, knownKey);
    return taken !== 'full' && taken.isAllowed ? error : refusal;
  }
}

/** True for methods whose callers show a token in the head: guesses count, though calls may not. */
function showsToken(method: DescMethod): boolean {
  return contractOf(method).caller === Shown.AUTHORIZATION;
}

/** Notes the figures for the answer, and throws the refusal if there is one. */
function judge(call: Call, taken: Taken | 'full'): void {
  const refusal = note(call, taken);
  if (refusal !== undefined) throw refusal;
}

/**
 * Notes the figures for the answer; the refusal if there is one.
 * @param what is counted, where it is not the calls of a method
 */
function note(call: Call, taken: Taken | 'full', what?: string): AppError | undefined {
  if (taken === 'full') {
    return new AppError('UNAVAILABLE', 'too many callers at a time; try again later', {
      retryAfterMs: FULL_RETRY_AFTER_MS,
      logReason: 'CALLERS_FULL',
    });
  }
  call.quotaHeaders = quotaHeaders(taken);
  if (taken.isAllowed) return undefined;
  const { name, limit } = taken;
  const retryAfterMs = Math.ceil(taken.resetMs);
  return new AppError(
    'RATE_LIMITED',
    `at most ${limit} ${what ?? `calls of ${name}`} in any ${WINDOW_MS / 1000} s; try again in ${retryAfterMs} ms`,
    { limitPerMinute: limit, retryAfterMs },
  );
}

/**
 * As draft-ietf-httpapi-ratelimit-headers-11 writes them: `r` calls may be made within the next `t`
 * seconds; then there will be more.
 */
function quotaHeaders({ name, limit, remaining, resetMs }: Quota): Metadata {
  return [
    'ratelimit-policy',
    `"${name}";q=${limit};w=${WINDOW_MS / 1000}`,
    'ratelimit',
    `"${name}";r=${remaining};t=${Math.ceil(resetMs / 1000)}`,
  ];
}
