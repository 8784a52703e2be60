/** How often callers may call: counts each call once, and tells the figures with every answer. */
import { type DescMethod, type DescService, getOption } from '@bufbuild/protobuf';
import type { LimitedMethod, Quota, Quotas, Taken } from '../counters/quotas.ts';
import { AppError, Code } from '../domain/errors.ts';
import { WINDOW_MS } from '../domain/quota.ts';
import { method as methodContract } from '../gen/propusk/contract/v1/contract_pb.js';
import type { Caller } from '../grants/admission.ts';
import type { Call, Metadata } from './call.ts';
import { methodNamed } from './method-name.ts';

/** How long a caller waits for whom there is no room to count. */
const FULL_RETRY_AFTER_MS = 5000;

/** Failures that say nothing against the caller; they count for nobody. */
const NOT_THE_CALLERS: ReadonlySet<Code> = new Set([
  Code.CANCELLED,
  Code.DEADLINE_EXCEEDED,
  Code.INTERNAL,
  Code.UNAVAILABLE,
]);

/** One `--limit`, read. */
export interface LimitSetting {
  /** undefined: all that have a limit. */
  readonly method: DescMethod | undefined;
  readonly callsMax: number;
}

/**
 * Reads one limit: `CALLS` for all methods, or `METHOD=CALLS`, in any 60 seconds.
 * @returns the limit, or one sentence that says what is wrong
 */
export function parseLimit(text: string, services: readonly DescService[]): LimitSetting | string {
  const [, name, calls] = /^(?:([^=]+)=)?(\d+)$/.exec(text) ?? [];
  const callsMax = Number(calls);
  if (!(callsMax >= 1 && callsMax <= 1e9)) {
    return `"${text}" is not METHOD=CALLS or CALLS, such as TokenDetails=1000 or 1000`;
  }
  const method = name === undefined ? undefined : methodNamed(name, services);
  return typeof method === 'string' ? `"${text}" ${method}` : { method, callsMax };
}

/** The methods that have a limit: the contract's, unless a setting says otherwise; the last counts. */
export function limitedMethods(
  services: readonly DescService[],
  settings: readonly LimitSetting[],
): ReadonlyMap<DescMethod, LimitedMethod> {
  const limited = new Map<DescMethod, LimitedMethod>();
  for (const method of services.flatMap((service) => service.methods)) {
    const { callsPerMinute } = getOption(method, methodContract);
    if (callsPerMinute === 0) continue;
    const set =
      settings.findLast((each) => each.method === method) ??
      settings.findLast((each) => each.method === undefined);
    limited.set(method, { name: method.name, callsMax: set?.callsMax ?? callsPerMinute });
  }
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
  async count(call: Call, method: DescMethod, caller: Caller): Promise<void> {
    const limited = this.#methods.get(method);
    if (limited === undefined) return;
    const refusal = note(call, await this.#quotas.take(limited, caller.grant));
    if (refusal !== undefined) throw refusal;
  }

  /**
   * Counts a call whose caller cannot be told for the address that it came from.
   * @returns what the caller hears: `error`, until the address has used what it may
   */
  async countUnknown(call: Call, method: DescMethod, error: AppError): Promise<AppError> {
    if (!this.#methods.has(method) || NOT_THE_CALLERS.has(error.code)) return error;
    return note(call, await this.#quotas.takeOfAddress(call.head.remoteAddress)) ?? error;
  }
}

/** Notes the figures for the answer; the refusal if there is one. */
function note(call: Call, taken: Taken | 'full'): AppError | undefined {
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
  const what = name === 'address' ? 'failed calls of this address' : `calls of ${name}`;
  return new AppError(
    'RATE_LIMITED',
    `at most ${limit} ${what} in any ${WINDOW_MS / 1000} s; try again in ${retryAfterMs} ms`,
    { limitPerMinute: limit, retryAfterMs },
  );
}

/** As draft-ietf-httpapi-ratelimit-headers-10 writes them: `t` is seconds until more is allowed. */
function quotaHeaders({ name, limit, remaining, resetMs }: Quota): Metadata[] {
  return [
    ['ratelimit-policy', `"${name}";q=${limit};w=${WINDOW_MS / 1000}`],
    ['ratelimit', `"${name}";r=${remaining};t=${Math.ceil(resetMs / 1000)}`],
  ];
}
