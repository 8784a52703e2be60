/**
 * What a thread does once it is ready: it keeps what was dear to make. When it then has nothing to do, it gives
 * back what it needs no more.
 */
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
const IDLE_SHARE_MAX = 0.05;
const LOOK_MS = 500;
const LOOKS_MAX = 10;

/**
 * To be called once by each thread when it is ready; what takes long is left until it is idle. Does not throw: without
 * all this a server works as well.
 */
export async function settle(): Promise<void> {
  // At its end it would be too late for a process that is killed: the next one would compile all again.
  flushCompileCache();
  keptTick = await tick();
  giveBackOnceIdle();
}

/**
 * Not at all when it is busy for long: then it collects so much by itself that what its start left does not matter, and
 * with all that it holds a collection of everything would take too long.
 */
function giveBackOnceIdle(): void {
  let before = performance.eventLoopUtilization();
  let looks = 0;
  const timer = setInterval(() => {
    const now = performance.eventLoopUtilization();
    const isIdle = performance.eventLoopUtilization(now, before).utilization < IDLE_SHARE_MAX;
    before = now;
    if (isIdle || ++looks === LOOKS_MAX) clearInterval(timer);
    if (isIdle) void giveBack();
  }, LOOK_MS);
  timer.unref();
}

/**
 * Collects all garbage and lets the heap begin small again. What a start makes and drops would else stay in
 * memory until calls have made as much, which takes long where there are few. Node leaves this to debuggers;
 * nothing of theirs stays on. Stops the main thread for some 80 ms. Does not reject. Exported for its test.
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
