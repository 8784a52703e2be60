/**
 * The places that calls in hand take, each in the room of its kind: who has shown nothing takes none
 * of those that others need.
 */
import type { DescMethod } from '@bufbuild/protobuf';
import { networkOf } from '../domain/network.ts';
import { Caller as Shown } from '../gen/propusk/contract/v1/contract_pb.js';
import { contractOf } from './method-contract.ts';

/** Addresses whose network is remembered: finding it costs more than all else of a place. */
const NETWORKS_KEPT_MAX = 10_000;
/** Names without a place that are remembered, beside as many as have one. */
const IDLE_NAMES_MAX = 1000;

export interface PlaceLimits {
  /** Unary calls whose request was read. */
  readonly callsMax: number;
  /**
   * Streams whose callers are known, and whose request was read where they have one: of callers of the
   * contract, and as many again of operators.
   */
  readonly streamsMax: number;
  readonly streamsPerKeyMax: number;
  /** Streams of methods whose callers show nothing. */
  readonly anonymousStreamsMax: number;
  readonly anonymousStreamsPerAddressMax: number;
  /** Calls and streams whose one request has not arrived whole. */
  readonly arrivingCallsMax: number;
  readonly arrivingCallsPerAddressMax: number;
}

/** Places in all, and for each name. */
class Room {
  readonly #max: number;
  readonly #eachMax: number;
  readonly #each = new Map<string, { taken: number }>();
  #count = 0;
  #sweepAt = IDLE_NAMES_MAX;

  constructor(max: number, eachMax: number) {
    this.#max = max;
    this.#eachMax = eachMax;
  }

  get count(): number {
    return this.#count;
  }

  isFull(name: string): boolean {
    return this.#count >= this.#max || (this.#each.get(name)?.taken ?? 0) >= this.#eachMax;
  }

  /** @param step 1 to take a place, -1 to give it back */
  add(name: string, step: 1 | -1): void {
    this.#count += step;
    const own = this.#each.get(name) ?? this.#begin(name);
    own.taken += step;
  }

  /** Names without a place go when there are many: most come back at once, and to forget is costly. */
  #begin(name: string): { taken: number } {
    if (this.#each.size >= this.#sweepAt) {
      for (const [other, { taken }] of this.#each) if (taken === 0) this.#each.delete(other);
      this.#sweepAt = 2 * this.#each.size + IDLE_NAMES_MAX;
    }
    const own = { taken: 0 };
    this.#each.set(name, own);
    return own;
  }
}

/**
 * What a call is counted as. Calls that are never refused are counted nowhere (`none`): they would take
 * the places of others.
 */
export type PlaceKind =
  | 'call'
  | 'stream'
  | 'operatorStream'
  | 'anonymousStream'
  | 'arriving'
  | 'none';

/** All rooms of a server. */
export class Rooms {
  calls = 0;
  streams = 0;
  /** Apart: who holds one for each session must not keep the sessions' own out. */
  operatorStreams = 0;
  readonly anonymous: Room;
  readonly arriving: Room;
  /** Streams by their key; they have another place too. */
  readonly keys: Room;
  readonly #networks = new Map<string, string>();

  constructor(limits: PlaceLimits) {
    this.anonymous = new Room(limits.anonymousStreamsMax, limits.anonymousStreamsPerAddressMax);
    this.arriving = new Room(limits.arrivingCallsMax, limits.arrivingCallsPerAddressMax);
    this.keys = new Room(Number.POSITIVE_INFINITY, limits.streamsPerKeyMax);
  }

  /** What counts as one place that calls come from. */
  networkOf(address: string): string {
    if (!address.includes(':')) return address;
    const known = this.#networks.get(address);
    if (known !== undefined) return known;
    const network = networkOf(address);
    if (this.#networks.size >= NETWORKS_KEPT_MAX) this.#networks.clear();
    this.#networks.set(address, network);
    return network;
  }

  /** @param step 1 to take a place, -1 to give it back */
  add(kind: PlaceKind, network: string, step: 1 | -1): void {
    if (kind === 'call') this.calls += step;
    else if (kind === 'stream') this.streams += step;
    else if (kind === 'operatorStream') this.operatorStreams += step;
    else if (kind === 'arriving') this.arriving.add(network, step);
    else if (kind === 'anonymousStream') this.anonymous.add(network, step);
  }
}

/** What the calls of a method count as once they are in hand. */
export function placeKindOf(method: DescMethod): PlaceKind {
  if (method.methodKind === 'unary') return 'call';
  const { caller } = contractOf(method);
  if (caller === Shown.OPERATOR) return 'operatorStream';
  return caller === Shown.UNSPECIFIED ? 'anonymousStream' : 'stream';
}

/** The place of one call. Nothing that is said of it counts after it was left. */
export class Place {
  readonly #rooms: Rooms;
  readonly #kind: PlaceKind;
  readonly #network: string;
  #at: PlaceKind;
  #isLeft = false;
  #keyId: string | undefined;

  constructor(rooms: Rooms, kind: PlaceKind, network: string) {
    this.#rooms = rooms;
    this.#kind = kind;
    this.#network = network;
    this.#at = kind;
    rooms.add(kind, network, 1);
  }

  /**
   * Says that the one request of the call is waited for from now on.
   * @returns false when too many others are
   */
  arriving(): boolean {
    const isCounted = this.#kind !== 'anonymousStream' && this.#kind !== 'none';
    if (this.#isLeft || !isCounted) return true;
    if (this.#rooms.arriving.isFull(this.#network)) return false;
    this.#move('arriving');
    return true;
  }

  /** Says that the request is there. */
  arrived(): void {
    if (!this.#isLeft) this.#move(this.#kind);
  }

  /**
   * Says whose stream this is.
   * @returns false when the key has as many as it may
   */
  ownedBy(keyId: string): boolean {
    if (this.#isLeft) return true;
    if (this.#rooms.keys.isFull(keyId)) return false;
    this.#rooms.keys.add(keyId, 1);
    this.#keyId = keyId;
    return true;
  }

  leave(): void {
    this.#move('none');
    this.#isLeft = true;
    if (this.#keyId !== undefined) this.#rooms.keys.add(this.#keyId, -1);
  }

  #move(to: PlaceKind): void {
    if (to === this.#at) return;
    this.#rooms.add(this.#at, this.#network, -1);
    this.#rooms.add(to, this.#network, 1);
    this.#at = to;
  }
}
