/**
 * Overload: which calls are refused at their head, so that those in hand keep their latency. The
 * refusal costs next to nothing: nothing of the call was read, looked up or counted.
 */
import type { DescMethod, DescService, Message } from '@bufbuild/protobuf';
import type { Clock } from '../domain/clock.ts';
import { continueWith } from '../domain/continue-with.ts';
import { AppError } from '../domain/errors.ts';
import type { Exchange } from './call.ts';
import type { Log } from './log.ts';
import { Place, type PlaceKind, type PlaceLimits, placeKindOf, Rooms } from './place.ts';
import type { RequestMemory } from './request-memory.ts';

/** The method that is shed first is shed at this share of the limits. */
const SHARE_MIN = 0.5;
/**
 * How long turns of the event loop may be too long, one after another, before that counts; also how long
 * one may be. Some are no sign of overload: a full collection of garbage takes a busy server 100 ms and
 * more of its only core, and at half load it needs as long again to catch up. CoDel (RFC 8289) calls this its
 * interval.
 */
const LATE_MS_MAX = 250;
/** A turn that begins later than this after the one before found the loop with nothing to do. */
const REST_MS = 1;
/** The log tells of shed calls once in this time. */
const LOG_EVERY_MS = 1000;

/** Made once, since errors are costly to make. */
const OVERLOADED = new AppError('UNAVAILABLE', 'this server has too much to do; try again later', {
  logReason: 'OVERLOADED',
});

/** True for calls that were refused because of the others. */
export function isOverload(error: AppError | undefined): boolean {
  return error?.options.logReason === 'OVERLOADED';
}

/**
 * Of the codes that fit, the one that clients try again after a while: the official ones give up on
 * RESOURCE_EXHAUSTED unless they are told when to come back, which nobody knows of streams.
 */
const KEY_FULL = new AppError(
  'UNAVAILABLE',
  'this key has as many streams open as it may; close one, or try again later',
  { logReason: 'KEY_STREAMS_FULL' },
);

export interface ShedOptions extends PlaceLimits {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly log: Log;
  readonly memory: RequestMemory;
  /** How long calls may wait for their turn, where they wait again and again. */
  readonly lagMsMax: number;
  /** The methods to shed before all others, the first of them first. */
  readonly first: readonly DescMethod[];
  /** Services whose unary calls are answered whatever happens; their streams, while there are places. */
  readonly never: readonly DescService[];
}

export class Shed {
  readonly #options: ShedOptions;
  readonly #shares: ReadonlyMap<DescMethod, number>;
  readonly #never: ReadonlySet<DescService>;
  readonly #rooms: Rooms;
  #turnStartedMs: number | undefined;
  #turnEndedMs = Number.NEGATIVE_INFINITY;
  /** When the event loop was last seen to keep up. */
  #inTimeMs = Number.NEGATIVE_INFINITY;
  #refused = 0;
  #logTimer: NodeJS.Timeout | undefined;

  constructor(options: ShedOptions) {
    this.#options = options;
    this.#shares = sharesOf(options.first);
    this.#never = new Set(options.never);
    this.#rooms = new Rooms(options);
  }

  /**
   * Takes a call in hand; its place is to be left.
   * @param address where it comes from
   * @throws AppError UNAVAILABLE when there is too much to do already
   */
  enter(method: DescMethod, address: string): Place {
    const network = this.#rooms.networkOf(address);
    const kind = placeKindOf(method);
    const isNever = this.#never.has(method.parent);
    if (kind === 'anonymousStream' && this.#rooms.anonymous.isFull(network)) throw OVERLOADED;
    if (!isNever && this.#isTooMuch(method, kind)) throw OVERLOADED;
    return new Place(this.#rooms, isNever && kind === 'call' ? 'none' : kind, network);
  }

  /**
   * Reads the one request of a call, which is no call in hand until it is there: what costs its sender
   * nothing must not take the place of what others wait for.
   * @throws AppError UNAVAILABLE when too many are awaited, in all or from its network
   */
  read(place: Place, exchange: Pick<Exchange, 'readOne'>): Message | Promise<Message> {
    if (!place.arriving()) throw OVERLOADED;
    return continueWith(exchange.readOne(), (request) => {
      place.arrived();
      return request;
    });
  }

  /**
   * Counts a stream for its key.
   * @throws AppError UNAVAILABLE when the key has as many as it may
   */
  own(place: Place, keyId: string): void {
    if (!place.ownedBy(keyId)) throw KEY_FULL;
  }

  /** Notes a call that was refused because of the others; the log tells how many, once a second. */
  note(): void {
    this.#refused++;
    if (this.#logTimer === undefined) this.#tell();
  }

  /**
   * The order counts where calls compete for this moment. Streams compete for a place that they keep
   * for hours, and the limit of those is meant for each method as it is.
   */
  #isTooMuch(method: DescMethod, kind: PlaceKind): boolean {
    const { memory, callsMax, streamsMax } = this.#options;
    const share = this.#shares.get(method) ?? 1;
    if (kind === 'stream' && this.#rooms.streams >= streamsMax) return true;
    if (kind === 'operatorStream' && this.#rooms.operatorStreams >= streamsMax) return true;
    if (kind === 'call' && this.#rooms.calls >= callsMax * share) return true;
    return memory.bytes > memory.bytesMax * share || this.#isTooLate(share);
  }

  /**
   * Whether this call has waited too long. Whatever arrives in one turn of the event loop was ready
   * when the turn began to look at its sockets: a call has waited since the first one of its turn.
   */
  #isTooLate(share: number): boolean {
    const { clock, lagMsMax } = this.#options;
    const nowMs = clock.monotonic();
    if (this.#turnStartedMs === undefined) {
      this.#turnStartedMs = nowMs;
      if (nowMs - this.#turnEndedMs > REST_MS) this.#inTimeMs = nowMs;
      // It runs as soon as all sockets have been looked at.
      setImmediate(() => this.#endTurn());
      return false;
    }
    const isLate = nowMs - this.#inTimeMs > LATE_MS_MAX;
    const waitMsMax = lagMsMax * share;
    return nowMs - this.#turnStartedMs > (isLate ? waitMsMax : Math.max(waitMsMax, LATE_MS_MAX));
  }

  #endTurn(): void {
    const { clock, lagMsMax } = this.#options;
    const nowMs = clock.monotonic();
    if (nowMs - (this.#turnStartedMs ?? nowMs) <= lagMsMax) this.#inTimeMs = nowMs;
    this.#turnEndedMs = nowMs;
    this.#turnStartedMs = undefined;
  }

  #tell(): void {
    this.#logTimer = undefined;
    if (this.#refused === 0) return;
    this.#options.log.warn(
      {
        reason: 'OVERLOADED',
        refused: this.#refused,
        calls: this.#rooms.calls,
        streams: this.#rooms.streams,
        operatorStreams: this.#rooms.operatorStreams,
        anonymousStreams: this.#rooms.anonymous.count,
        arrivingCalls: this.#rooms.arriving.count,
        bufferedBytes: this.#options.memory.bytes,
      },
      'overloaded: calls were refused',
    );
    this.#refused = 0;
    this.#logTimer = setTimeout(() => this.#tell(), LOG_EVERY_MS).unref();
  }
}

/** Evenly from the lowest share up to the whole, which those have that are not named. */
function sharesOf(first: readonly DescMethod[]): ReadonlyMap<DescMethod, number> {
  const step = (1 - SHARE_MIN) / first.length;
  return new Map(first.map((method, at) => [method, SHARE_MIN + at * step]));
}
