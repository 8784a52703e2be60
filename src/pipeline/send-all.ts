/** The answers of a stream. */
import type { Message } from '@bufbuild/protobuf';
import type { Call, Exchange } from './call.ts';

/** Sends each answer as the peer reads them, and tells the service when the call ends early. */
export async function sendAll(
  call: Call,
  exchange: Exchange,
  answers: AsyncIterable<Message>,
): Promise<void> {
  const iterator = answers[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await untilEnd(call, iterator.next());
      if (next.done === true) return;
      const looked = call.beforeAnswer?.();
      if (looked !== undefined) await untilEnd(call, looked);
      // It may have ended since what was waited for was there; then its end is sent already.
      if (call.ended !== undefined) throw call.ended;
      const room = exchange.write(next.value, call);
      if (room !== undefined) await untilEnd(call, room);
    }
  } catch (error) {
    // Not awaited: a generator that is stuck in an await would hold the answer back.
    iterator.return?.()?.catch(() => {});
    throw error;
  }
}

/** Settles as `work` does, or rejects as soon as the call ends; work that goes on is let go. */
function untilEnd<T>(call: Call, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const forget = call.onEnd(reject);
    work.then(
      (value) => {
        forget();
        resolve(value);
      },
      (error) => {
        forget();
        reject(error);
      },
    );
  });
}
