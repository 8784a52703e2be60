/** Looking again at what a stream was let in by: at each change, and when it changes by itself. */
import type { Clock } from '../domain/clock.ts';

/** How often the wall clock is looked at, which a timer would not see step. */
const CLOCK_LOOK_MS = 15_000;

/** Who looks. */
export interface Looker {
  /**
   * Looks; resolves with the instant, in milliseconds of the wall clock, from which on it is to look
   * again though nobody tells of a change; Infinity: at none.
   */
  readonly look: () => Promise<number>;
  /** Hears what a look rejects with; nothing is looked at any more then. */
  readonly failed: (error: unknown) => void;
}

/**
 * Looks at once, then as long as it is not ended, one look at a time: who looks is told what holds
 * after the last change, never what held before it.
 * @param listen hears of changes; its result ends that
 * @returns ends it
 */
export function lookAgain(
  clock: Pick<Clock, 'now'>,
  listen: (listener: () => void) => () => void,
  { look, failed }: Looker,
): () => void {
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  let isLooking = false;
  /** Something changed during a look, which may have seen it or not. */
  let isStale = false;
  const end = () => {
    isOver = true;
    clearTimeout(timer);
    unlisten();
  };
  const begin = () => {
    isStale = isLooking;
    if (isLooking) return;
    isLooking = true;
    clearTimeout(timer);
    look().then(seen, (error) => {
      if (isOver) return;
      end();
      failed(error);
    });
  };
  const seen = (againAtMs: number) => {
    isLooking = false;
    if (isOver) return;
    if (isStale) return begin();
    if (againAtMs === Number.POSITIVE_INFINITY) return;
    const restMs = Math.max(againAtMs - clock.now(), 1);
    timer = setTimeout(begin, Math.min(restMs, CLOCK_LOOK_MS));
  };
  const unlisten = listen(begin);
  begin();
  return end;
}
