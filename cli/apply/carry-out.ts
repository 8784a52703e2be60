/** Makes changes, many at a time, each after those that it builds on. */
import { randomUUID } from 'node:crypto';
import type { Api } from '../api.ts';
import { CommandFailure, Exit } from '../failure.ts';
import { CALLS_AT_A_TIME } from '../http.ts';
import type { Change } from './diff.ts';
import { KINDS } from './kinds.ts';
import type { SecretSink } from './secrets.ts';

/** What becomes of the changes. */
interface Work {
  readonly api: Api;
  readonly changes: readonly Change[];
  /** Where secrets of new keys go; undefined: there will be none. */
  readonly secrets: SecretSink | undefined;
  /** Called after each change with how many were made. */
  readonly progress: (made: number) => void;
}

/** Changes that do not build on each other, one run after the other. */
function runsOf(changes: readonly Change[]): Change[][] {
  const runs: Change[][] = [];
  for (const change of changes) {
    const [last] = runs.at(-1) ?? [];
    const isDeletion = change.verb === 'delete';
    if (last?.kind === change.kind && (last.verb === 'delete') === isDeletion) {
      runs.at(-1)?.push(change);
    } else {
      runs.push([change]);
    }
  }
  return runs;
}

async function makeChange(change: Change, { api, secrets }: Work): Promise<void> {
  const kind = KINDS[change.kind];
  if (change.verb === 'delete') return kind.remove(api, change.item);
  const { item } = change;
  if (change.verb === 'update') return kind.update(api, item, change.fields, change.version);
  const secret = await kind.create(api, item, randomUUID());
  if (secret === undefined) return;
  if (secret === '') {
    const message = `the secret of key ${item.id} was lost with an answer; rotate the key`;
    throw new CommandFailure(Exit.FAILED, message, { reason: 'SECRET_ALREADY_SHOWN' });
  }
  await secrets?.add({ key_id: item.id, client_id: item.clientId, secret });
}

/**
 * Makes the changes. After a failure none is begun any more; those under way are waited for.
 * @throws CommandFailure that tells what failed first, and how far it came
 */
export async function carryOut(work: Work): Promise<void> {
  const total = work.changes.length;
  let made = 0;
  let failure: { change: Change; error: unknown } | undefined;
  for (const run of runsOf(work.changes)) {
    const rest = run.values();
    const worker = async () => {
      for (const change of rest) {
        if (failure !== undefined) return;
        try {
          await makeChange(change, work);
          work.progress(++made);
        } catch (error) {
          failure ??= { change, error };
        }
      }
    };
    await Promise.all(Array.from({ length: CALLS_AT_A_TIME }, worker));
    if (failure === undefined) continue;
    const { change, error } = failure;
    if (!(error instanceof CommandFailure)) throw error;
    const { verb, kind, item } = change;
    const where = `${made} of ${total} changes were made; apply again to go on`;
    throw new CommandFailure(error.exit, `${verb} ${kind} ${item.id}: ${error.message}\n${where}`, {
      cause: error,
      ...(error.reason !== undefined && { reason: error.reason }),
    });
  }
}
