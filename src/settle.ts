/** What a thread does once it is ready: it keeps what was dear to make, and gives back what it needs no more. */
import { flushCompileCache } from 'node:module';

/** To be called once by each thread. Does not throw: without all this a server works as well. */
export async function settle(): Promise<void> {
  // At its end it would be too late for a process that is killed: the next one would compile all again.
  flushCompileCache();
  try {
    await giveBack();
  } catch {
    // This Node has no debugger, or forbids it (--permission): what the start left behind stays.
  }
}

/**
 * Collects all garbage and lets the heap begin small again. What a start makes and drops would else stay in
 * memory until calls have made as much, which takes long where there are few. Node leaves this to debuggers;
 * nothing of theirs stays on.
 */
async function giveBack(): Promise<void> {
  const { Session } = await import('node:inspector/promises');
  const session = new Session();
  session.connect();
  await session.post('HeapProfiler.collectGarbage');
  session.disconnect();
}
