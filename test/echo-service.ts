/** What implements the test contract: it answers what it was asked, or never. */
import { create, type Message } from '@bufbuild/protobuf';
import type { Call, Registration } from '../src/pipeline/call.ts';
import { EchoMessageSchema, EchoService } from './echo-contract.ts';

/** How many calls are answered by Repeat for each request. */
export const REPEATS = 3;

export interface Echo {
  readonly registration: Registration;
  /** The calls that were taken, in order, by the method's name. */
  readonly calls: { readonly method: string; readonly call: Call }[];
  /** What Fail throws. */
  error: Error;
  /** What Chat and Collect were sent so far. */
  readonly received: Message[];
}

/** Waits for the call to end, whatever ends it; it never answers. */
function never(call: Call): Promise<never> {
  // The signal is asked for before the wait, so that its abort can be seen.
  void call.signal;
  return new Promise(() => {});
}

/** Makes the service and what the tests see of it. */
export function echoService(): Echo {
  const calls: Echo['calls'] = [];
  const received: Message[] = [];
  const note = (method: string, call: Call) => {
    calls.push({ method, call });
  };
  const echo: Echo = {
    calls,
    received,
    error: new Error('broken on purpose'),
    registration: {
      service: EchoService,
      impl: {
        echo: (request: Message, call: Call) => {
          note('Echo', call);
          return request;
        },
        silent: (_request: Message, call: Call) => {
          note('Silent', call);
          return never(call);
        },
        fail: () => {
          throw echo.error;
        },
        async *repeat(request: Message, call: Call) {
          note('Repeat', call);
          for (let i = 0; i < REPEATS; i++) yield request;
        },
        // biome-ignore lint/correctness/useYield: it never answers
        async *silentStream(_request: Message, call: Call) {
          note('SilentStream', call);
          await never(call);
        },
        async collect(requests: AsyncIterable<Message>, call: Call) {
          note('Collect', call);
          const words: string[] = [];
          for await (const request of requests) {
            received.push(request);
            words.push((request as Message & { text: string }).text);
          }
          return create(EchoMessageSchema, { words });
        },
        async *chat(requests: AsyncIterable<Message>, call: Call) {
          note('Chat', call);
          for await (const request of requests) {
            received.push(request);
            yield request;
          }
        },
      },
    },
  };
  return echo;
}
