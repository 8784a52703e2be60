/** What a thread does once it is ready: it keeps what was dear to make, and gives back what it needs no more when it has nothing else to do. */
import { executionAsyncResource } from 'node:async_hooks';
import { flushCompileCache } from 'node:module';

/**
 * What Node makes for a call of process.nextTick, kept for ever. V8 makes the place where that is made for its
 * one shape, which dies with the last that has it: a collection that finds none (ours below, or one in an idle
 * moment) would make each later nextTick take seven times as long, and a call over gRPC has several.
 * Exported for its test: nothing else asks for it.
 */
export let keptTick: object | undefined;

/** A thread is idle when it was busy for less than this share of the time between two looks at it. */
const IDLE_SHARE_MAX = 0.02;
const LOOK_MS = 500;

/** To be called once by each thread when it is ready. What takes long is left until the thread is idle. */
export async function settle(): Promise<void> {
  // At its end it would be too late for a process that is killed: the next one would compile all again.
  flushCompileCache();
  keptTick = await tick();
  onceIdle(() => void giveBack());
}

function onceIdle(then: () => void): void {
  let before = performance.eventLoopUtilization();
  const looks = setInterval(() => {
    const { utilization } = performance.eventLoopUtilization(before);
    before = performance.eventLoopUtilization();
    if (utilization > IDLE_SHARE_MAX) return;
    clearInterval(looks);
    then();
  }, LOOK_MS);
  looks.unref();
}

/**
 * Collects all garbage and lets the heap begin small again. What a start makes and drops would else stay in
 * memory until calls have made as much, which takes long where there are few. Node leaves this to debuggers;
 * nothing of theirs stays on. Takes some 80 ms of the main thread. Does not throw. Exported for its test.
 */
export async function giveBack(): Promise<void> {
  try {
    const { Session } = await import('node:inspector/promises');
    const session = new Session();
    session.connect();
    await session.post('HeapProfiler.collectGarbage');
    session.disconnect();
  } catch {
    // This Node has no debugger, or forbids it (--permission): what the start left behind stays.
  }
}

/** What Node makes for a call of process.nextTick. */
export function tick(): Promise<object> {
  return new Promise((resolve) => process.nextTick(() => resolve(executionAsyncResource())));
}
