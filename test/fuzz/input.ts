/** The inputs: number INDEX of seed SEED is the same whenever it is made. */
import { grpcCall, headersCall, restCall } from './calls.ts';
import { http1Bytes, http1Call } from './http1.ts';
import { http2Bytes, http2Call, http2Stream } from './http2.ts';
import { PURE } from './pure.ts';
import { Random } from './random.ts';

/** One input, and how it is brought to the server. */
export type Input = { readonly kind: string; readonly index: number } & (
  | { readonly carrier: 'none'; readonly run: () => unknown }
  /** A well-made request on a connection that others share. */
  | {
      readonly carrier: 'http1';
      readonly verb: string;
      readonly bytes: Buffer;
      readonly isAnswered: boolean;
    }
  /** A stream on a connection that others share. */
  | {
      readonly carrier: 'http2';
      readonly verb: string;
      readonly frames: (stream: number) => Buffer[];
      readonly isAnswered: boolean;
    }
  /** Bytes on a connection of their own. */
  | { readonly carrier: 'raw1' | 'raw2'; readonly pieces: Buffer[]; readonly ending: Ending }
);

/** How a connection with bytes of its own ends: reset, closed, or left to the server. */
export type Ending = 'reset' | 'close' | 'wait';

const CALLS = {
  'rest/session': (random: Random) => restCall(random, 'AuthService'),
  'rest/echo': (random: Random) => restCall(random, 'EchoService'),
  'rest/any': (random: Random) => restCall(random),
  'grpc-web': (random: Random) => grpcCall(random, 'grpc-web'),
  grpc: (random: Random) => grpcCall(random, 'grpc'),
  headers: headersCall,
};

type Make = (random: Random, index: number) => Input;

function http1(name: keyof typeof CALLS): Make {
  return (random, index) => {
    const call = CALLS[name](random);
    const bytes = http1Call(random, call, requestIdOf(index));
    const { verb, isAnswered } = call;
    return { kind: `${name} on http/1.1`, index, carrier: 'http1', verb, bytes, isAnswered };
  };
}

function http2(name: keyof typeof CALLS): Make {
  return (random, index) => {
    const call = CALLS[name](random);
    const { verb, isAnswered } = call;
    const seed = random.next();
    const frames = (stream: number) =>
      http2Call(new Random(seed, 0), call, requestIdOf(index), stream);
    return { kind: `${name} on http/2`, index, carrier: 'http2', verb, frames, isAnswered };
  };
}

function http2Odd(random: Random, index: number): Input {
  const seed = random.next();
  const frames = (stream: number) => http2Stream(new Random(seed, 0), requestIdOf(index), stream);
  return {
    kind: 'odd streams on http/2',
    index,
    carrier: 'http2',
    verb: 'GET',
    frames,
    isAnswered: false,
  };
}

function raw(carrier: 'raw1' | 'raw2'): Make {
  return (random, index) => {
    const make = carrier === 'raw1' ? http1Bytes : http2Bytes;
    const pieces = make(random, requestIdOf(index));
    const ending = random.weighted<Ending>([
      [20, 'reset'],
      [20, 'close'],
      [1, 'wait'],
    ]);
    const kind = carrier === 'raw1' ? 'raw http/1.1' : 'raw http/2';
    return { kind, index, carrier, pieces, ending };
  };
}

const NETWORK: readonly (readonly [number, Make])[] = [
  [7, http1('rest/session')],
  [7, http1('rest/echo')],
  [3, http1('rest/any')],
  [6, http1('grpc-web')],
  [3, http1('headers')],
  [6, http2('rest/session')],
  [6, http2('rest/echo')],
  [3, http2('rest/any')],
  [5, http2('grpc-web')],
  [16, http2('grpc')],
  [3, http2('headers')],
  [8, http2Odd],
  [5, raw('raw1')],
  [5, raw('raw2')],
];

const WITHOUT_NETWORK: readonly (readonly [number, Make])[] = PURE.map(([name, weight, run]) => [
  weight,
  (random, index) => ({ kind: `${name} alone`, index, carrier: 'none', run: () => run(random) }),
]);

/** The request id of an input, where it does not bring one of its own; the log has it. */
export function requestIdOf(index: number): string {
  return `f-${index}`;
}

/** Of ten inputs, how many go to the server. */
const NETWORK_OF_TEN = 3;

export function inputOf(seed: number, index: number): Input {
  const random = new Random(seed, index);
  const choices = random.below(10) < NETWORK_OF_TEN ? NETWORK : WITHOUT_NETWORK;
  return random.weighted(choices)(random, index);
}
