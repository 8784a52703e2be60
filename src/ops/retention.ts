/** The audit log kept as long as it is to be kept, and not longer. */
import type { Clock } from '../domain/clock.ts';
import type { Store } from '../store/store.ts';

/** How often it is looked for what is old. */
const LOOK_MS = 3_600_000;
/** Entries that go in one write: few milliseconds, so that the writes beside it hardly wait. */
const ENTRIES_AT_ONCE = 500;
/** Between two such writes, milliseconds: most of the time belongs to others. */
const PAUSE_MS = 20;

export interface RetentionOptions {
  readonly store: Pick<Store, 'pruneAudit'>;
  readonly clock: Pick<Clock, 'now'>;
  /** How long an entry is kept, milliseconds. */
  readonly keptMs: number;
  /** Hears how many entries are gone. */
  readonly onPruned: (entries: number) => void;
  readonly onFailure: (error: unknown) => void;
}

/** Removes all that is too old now; answers how many entries that were. */
export async function pruneOnce(
  { store, clock, keptMs }: RetentionOptions,
  isStopped: () => boolean = () => false,
): Promise<number> {
  const atMs = clock.now();
  const untilMs = atMs - keptMs;
  const what = { actor: 'propusk', action: 'audit.prune', target: 'audit' };
  const audit = { ...what, atMs, remoteAddress: '', detail: { untilMs } };
  let entries = 0;
  for (;;) {
    // The first of them says that it is done.
    const note = entries === 0 ? audit : undefined;
    const pruned = await store.pruneAudit(untilMs, ENTRIES_AT_ONCE, atMs, note);
    entries += pruned;
    if (pruned === 0 || isStopped()) return entries;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** Prunes now and every hour; the result ends it, once the write under way is done. */
export function retainAudit(options: RetentionOptions): () => Promise<void> {
  let isStopped = false;
  let underWay: Promise<void> | undefined;
  const look = () => {
    underWay ??= pruneOnce(options, () => isStopped)
      .then((entries) => {
        if (entries > 0) options.onPruned(entries);
      }, options.onFailure)
      .finally(() => {
        underWay = undefined;
      });
  };
  const timer = setInterval(look, LOOK_MS);
  timer.unref();
  look();
  return async () => {
    isStopped = true;
    clearInterval(timer);
    await underWay;
  };
}
