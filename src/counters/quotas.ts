/** The limits of methods, per caller, and what is left of them. */
import { continueWith } from '../domain/continue-with.ts';
import type { KnownKey } from '../domain/errors.ts';
import { networkOf } from '../domain/network.ts';
import type { Counters, Usage, Taken as UsageTaken } from './counters.ts';

/** A method that has a limit. */
export interface LimitedMethod {
  /** Its name as callers see it, such as `TokenDetails`. */
  readonly name: string;
  /** Calls in any window, where the key says nothing else. */
  readonly callsMax: number;
}

/** What is left of one limit. */
export interface Quota extends Usage {
  /** The method's name, ADDRESS_QUOTA or SERVICE_QUOTA. */
  readonly name: string;
}

/** A quota after a call was asked for. */
export interface Taken extends Quota {
  /** False: the call is refused, and was not counted. */
  readonly isAllowed: boolean;
}

/** The name of what callers who show no key have, all methods together. */
export const ADDRESS_QUOTA = 'address';
/** The name of what a service credential has, all methods for such together. */
export const SERVICE_QUOTA = 'service';

export interface QuotasOptions {
  /** Calls of keys. */
  readonly keys: Counters;
  /** Calls that no key can be found for; apart, so that they take no room from the keys. */
  readonly addresses: Counters;
  /** Calls of service credentials; apart for the same reason. */
  readonly services: Counters;
  /** Those that have a limit. */
  readonly methods: readonly LimitedMethod[];
  /** Calls in any window from one address that show no key. */
  readonly addressCallsMax: number;
  /** Calls in any window of one service credential; 0: as many as it likes. */
  readonly serviceCallsMax: number;
}

export class Quotas {
  readonly #options: QuotasOptions;

  constructor(options: QuotasOptions) {
    this.#options = options;
  }

  /** Counts a call of a key, unless that is one too many; 'full' when there is no room to count. */
  take(method: LimitedMethod, key: KnownKey): Taken | 'full' | Promise<Taken | 'full'> {
    const { keys } = this.#options;
    const taken = keys.take(callerOf(method, key), callsMaxOf(method, key));
    return continueWith(taken, (usage) => named(method.name, usage));
  }

  /** The same for a call that no key can be found for. */
  async takeOfAddress(address: string): Promise<Taken | 'full'> {
    const { addresses, addressCallsMax } = this.#options;
    return named(ADDRESS_QUOTA, await addresses.take(networkOf(address), addressCallsMax));
  }

  /** The same for a call of a service credential; undefined where those have no limit. */
  takeOfService(
    operatorId: string,
  ): Taken | 'full' | undefined | Promise<Taken | 'full' | undefined> {
    const { services, serviceCallsMax } = this.#options;
    if (serviceCallsMax === 0) return undefined;
    const taken = services.take(operatorId, serviceCallsMax);
    return continueWith(taken, (usage) => named(SERVICE_QUOTA, usage));
  }

  /** What a key has left of each method. */
  of(key: KnownKey): Promise<Quota[]> {
    const { keys, methods } = this.#options;
    return Promise.all(
      methods.map(async (method) => {
        const usage = await keys.look(callerOf(method, key), callsMaxOf(method, key));
        return { name: method.name, ...usage };
      }),
    );
  }
}

function named(name: string, usage: UsageTaken | 'full'): Taken | 'full' {
  if (usage === 'full') return usage;
  const { limit, remaining, resetMs, isAllowed } = usage;
  return { name, limit, remaining, resetMs, isAllowed };
}

function callerOf(method: LimitedMethod, key: KnownKey): string {
  return `${method.name} ${key.keyId}`;
}

function callsMaxOf(method: LimitedMethod, key: KnownKey): number {
  return key.callsMax[method.name] ?? method.callsMax;
}
