/** What is asked of the process that makes load, and what it answers; plain data. */
import type { Cores, Usage } from '../machine.ts';

/** What requests are made of, so that no two of them share a limit more often than they must. */
export type Source =
  /** These texts over and over; REST alone. */
  | { readonly of: 'bodies'; readonly bodies: readonly string[] }
  /** The secrets of the fixture's first keys, in turn. */
  | { readonly of: 'secrets'; readonly keys: number }
  /** A token of each of the fixture's first keys, in turn: the same ones, or each time a new one. */
  | {
      readonly of: 'tokens';
      readonly keys: number;
      readonly isFresh: boolean;
      readonly signingKey: { readonly id: string; readonly hex: string };
    };

/** Where requests go, and how each of them is made. */
export interface Target {
  readonly protocol: 'rest' | 'grpc';
  readonly port: number;
  /** REST: the path; gRPC: `/package.Service/Method`. */
  readonly path: string;
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly source: Source;
  /** What a request says beside its token or secret. */
  readonly also?: { readonly json: Readonly<Record<string, string>>; readonly protobufHex: string };
  /** Says as well which account it is about: the one of the token's key. */
  readonly isAboutAccount?: boolean;
  /** True where answers are not all of one length. */
  readonly isAnyLength?: boolean;
  /** What each answer holds: REST: a text; gRPC: what its message begins with, in hex. */
  readonly proof?: string;
}

/** Connections, and how many calls are under way on each. */
export interface Shape {
  readonly connections: number;
  readonly streams: number;
}

interface Command {
  readonly target: Target;
  readonly serverPid: number;
  readonly cores: Cores | undefined;
}

/** Each call after another, so many at a time. */
export interface ClosedLoop extends Command {
  readonly load: 'closed';
  readonly shape: Shape;
  /** Before counting begins, milliseconds. */
  readonly rampMs: number;
  readonly windowMs: number;
  /** Counting goes on until there were so many answers, but not for longer than the other says. */
  readonly answersMin?: number;
  readonly windowMsMax?: number;
}

/** Calls that go out when they are due, whatever became of those before. */
export interface OpenLoop extends Command {
  readonly load: 'open';
  readonly shape: Shape;
  /** Calls a second, at random moments (Poisson). */
  readonly rate: number;
  readonly rampMs: number;
  readonly windowMs: number;
}

/** Runs all of them at the same time. */
export interface Order {
  readonly id: number;
  readonly loads: readonly (ClosedLoop | OpenLoop)[];
}

/** What came of one load. */
export interface Outcome {
  readonly answers: number;
  readonly seconds: number;
  /** Answers a second. */
  readonly rate: number;
  /** What each core did meanwhile; undefined where the machine does not tell. */
  readonly usage: Usage | undefined;
  /** Of an open loop, from when a call was due, milliseconds. */
  readonly p50?: number;
  readonly p99?: number;
  /** 99 of 100 calls of an open loop went out at most so much later than they were due, ms. */
  readonly lateMs?: number;
  /** The first answer's body, so that someone can look at it: text, or hex for gRPC. */
  readonly sample: string;
}

/** What the process answers to an order. */
export interface Report {
  readonly id: number;
  readonly outcomes?: readonly Outcome[];
  /** Why there are none: a single call that failed is enough. */
  readonly failure?: string;
}
