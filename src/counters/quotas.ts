/** The limits of methods, per caller, and what is left of them. */
import type { Grant } from '../domain/grant.ts';
import { networkOf } from '../domain/network.ts';
import type { Counters, Usage } from './counters.ts';

/** A method that has a limit. */
export interface LimitedMethod {
  /** Its name as callers see it, such as `TokenDetails`. */
  readonly name: string;
  /** Calls in any window, where the key says nothing else. */
  readonly callsMax: number;
}

/** What is left of one limit. */
export interface Quota extends Usage {
  /** The method's name, or ADDRESS_QUOTA. */
  readonly name: string;
}

/** A quota after a call was asked for. */
export interface Taken extends Quota {
  /** False: the call is refused, and was not counted. */
  readonly isAllowed: boolean;
}

/** What tells a caller's limits, and what is left of them. */
export type LimitedCaller = Pick<Grant, 'keyId' | 'callsMax'>;

/** The name of what callers who show no key have, all methods together. */
export const ADDRESS_QUOTA = 'address';

export interface QuotasOptions {
  /** Calls of keys. */
  readonly keys: Counters;
  /** Calls that no key can be found for; apart, so that they take no room from the keys. */
  readonly addresses: Counters;
  /** Those that have a limit. */
  readonly methods: readonly LimitedMethod[];
  /** Calls in any window from one address that show no key. */
  readonly addressCallsMax: number;
}

export class Quotas {
  readonly #options: QuotasOptions;

  constructor(options: QuotasOptions) {
    this.#options = options;
  }

  /** Counts a call of a key, unless that is one too many; 'full' when there is no room to count. */
  async take(method: LimitedMethod, grant: Grant): Promise<Taken | 'full'> {
    const { keys } = this.#options;
    const taken = keys.take(callerOf(method, grant), callsMaxOf(method, grant));
    const usage = taken instanceof Promise ? await taken : taken;
    return usage === 'full' ? usage : { name: method.name, ...usage };
  }

  /** The same for a call that no key can be found for. */
  async takeOfAddress(address: string): Promise<Taken | 'full'> {
    const { addresses, addressCallsMax } = this.#options;
    const usage = await addresses.take(networkOf(address), addressCallsMax);
    return usage === 'full' ? usage : { name: ADDRESS_QUOTA, ...usage };
  }

  /** What a key has left of each method. */
  of(grant: LimitedCaller): Promise<Quota[]> {
    const { keys, methods } = this.#options;
    return Promise.all(
      methods.map(async (method) => {
        const usage = await keys.look(callerOf(method, grant), callsMaxOf(method, grant));
        return { name: method.name, ...usage };
      }),
    );
  }
}

function callerOf(method: LimitedMethod, grant: LimitedCaller): string {
  return `${method.name} ${grant.keyId}`;
}

function callsMaxOf(method: LimitedMethod, grant: LimitedCaller): number {
  return grant.callsMax[method.name] ?? method.callsMax;
}
