/** What a server holds. */
import type { Api } from '../api.ts';
import type { State } from './diff.ts';
import { eachKind } from './file.ts';
import { type Held, KIND_NAMES, KINDS } from './kinds.ts';

/** Reads all that a server holds of what a file can say. */
export async function readState(api: Api): Promise<State> {
  const state = eachKind(() => new Map<string, Held>());
  await Promise.all(
    KIND_NAMES.map(async (kind) => {
      for (const held of await KINDS[kind].list(api)) state[kind].set(held.id, held);
    }),
  );
  return state;
}
