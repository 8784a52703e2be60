/** A store for tests, which fails where the test wants it to. */
import { AppError } from '../domain/errors.ts';
import type { Store } from '../store/store.ts';

/** What becomes of a recording: done; refused; done, and the answer lost; not done, as if others were first. */
export type Fate = 'done' | 'refused' | 'lost' | 'beaten';

export interface FaultyStore {
  readonly store: Store;
  /** What becomes of the next recordings, in their order; of those after them, `done`. */
  readonly fates: Fate[];
  /** Whether reads fail. */
  isUnreadable: boolean;
  /** How many changes each recording had, also of those that failed. */
  readonly recordings: number[];
  /** Waited for before each recording. */
  gate: Promise<void>;
}

const READS: readonly string[] = [
  ...['order', 'placedOrder', 'openOrders'],
  ...['venuePosition', 'orderLog', 'prices'],
];

/** The store behind it, with faults. */
export function faulty(behind: Store): FaultyStore {
  const unavailable = () => new AppError('UNAVAILABLE', 'the store failed, as the test wants it');
  const recordOrders: Store['recordOrders'] = async (changes, trades, prices, after) => {
    made.recordings.push(changes.length);
    await made.gate;
    const fate = made.fates.shift() ?? 'done';
    if (fate === 'refused') throw unavailable();
    if (fate === 'beaten') return undefined;
    const position = await behind.recordOrders(changes, trades, prices, after);
    if (fate === 'lost') throw unavailable();
    return position;
  };
  const get = (target: Store, name: string) => {
    if (name === 'recordOrders') return recordOrders;
    if (made.isUnreadable && READS.includes(name)) return () => Promise.reject(unavailable());
    return (target[name as keyof Store] as (...args: unknown[]) => unknown).bind(target);
  };
  const made: FaultyStore = {
    store: new Proxy(behind, { get }),
    fates: [],
    isUnreadable: false,
    recordings: [],
    gate: Promise.resolve(),
  };
  return made;
}
