/** The counters of a server: each kind of caller has its own; in memory, or shared by all nodes. */
import type { Clock, Random } from '../domain/clock.ts';
import type { Counters } from './counters.ts';
import { MemoryCounters } from './memory.ts';
import { SharedCounters } from './shared.ts';
import { type Change, Valkey } from './valkey.ts';

/** Who is counted, and under which name in Valkey. */
export type Kind = 'key' | 'address' | 'service' | 'operator';

/** Counters that tell how many callers this process holds. */
export type SizedCounters = Counters & { readonly size: number };

/** How the nodes count together, for metrics. */
export interface SharedFigures {
  readonly isShared: boolean;
  /** As last known, this one among them. */
  readonly nodes: number;
  /** Calls that this node has decided without the others. */
  readonly decidedAlone: number;
}

export interface OpenCounters {
  /** Each kind once. */
  of(kind: Kind): SizedCounters;
  /** Undefined where this process counts for itself. */
  readonly shared: SharedFigures | undefined;
  close(): Promise<void>;
}

export interface OpenCountersOptions {
  /** Of Valkey or Redis; undefined: in memory. */
  readonly url: string | undefined;
  /** That a call waits for Valkey at most, in milliseconds. */
  readonly answerMsMax: number;
  /** Callers with calls in the window that this process holds of each kind at most. */
  readonly callersMax: number;
  readonly clock: Clock;
  readonly random: Random;
  /** Hears whether the nodes count together: at first, and when it changes. */
  readonly onChange: (change: Change) => void;
}

/** Resolves when Valkey is there, or when it is known not to be; it need not be. */
export async function openCounters(options: OpenCountersOptions): Promise<OpenCounters> {
  const { url, clock, callersMax } = options;
  if (url === undefined) {
    return {
      of: () => new MemoryCounters({ clock, callersMax }),
      shared: undefined,
      close: async () => {},
    };
  }
  const valkey = await Valkey.open({ ...options, url });
  const all: SharedCounters[] = [];
  return {
    of(kind) {
      const prefix = `propusk:${kind}:`;
      const counters = new SharedCounters({ together: valkey, prefix, clock, callersMax });
      all.push(counters);
      return counters;
    },
    shared: {
      get isShared() {
        return valkey.isUp;
      },
      get nodes() {
        return valkey.nodes;
      },
      get decidedAlone() {
        return all.reduce((sum, each) => sum + each.decidedAlone, 0);
      },
    },
    close: () => valkey.close(),
  };
}
