/** Makes changes, many at a time, each after those that it builds on. */
import { randomUUID } from 'node:crypto';
import type { Api } from '../api.ts';
import { CommandFailure, Exit } from '../failure.ts';
import { CALLS_AT_A_TIME } from '../http.ts';
import { AtRisk } from './at-risk.ts';
import type { Change } from './diff.ts';
import { KINDS } from './kinds.ts';
import type { NewSecret, SecretSink } from './secrets.ts';

/** What becomes of the changes. */
interface Work {
  readonly api: Api;
  readonly changes: readonly Change[];
  /** Where secrets of new keys go, closed when the work is over; undefined: there will be none. */
  readonly secrets: SecretSink | undefined;
  /** Called after each change with how many were made. */
  readonly progress: (made: number) => void;
  /** Aborted when somebody wants no more changes to be begun. */
  readonly stop: AbortSignal;
  /** The flags that say which server, for command lines that people are told. */
  readonly serverFlags: string;
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
  return runs.flatMap(batchesOf);
}

/**
 * A run in parts, each of which has its secrets handed over before the next begins: what a sink that
 * fails loses is one part. The first is of one key, which tells of a sink that never worked.
 */
function batchesOf(run: Change[]): Change[][] {
  if (!run.some(isNewKey)) return [run];
  const batches = [run.slice(0, 1)];
  for (let at = 1; at < run.length; at += CALLS_AT_A_TIME) {
    batches.push(run.slice(at, at + CALLS_AT_A_TIME));
  }
  return batches;
}

function isNewKey({ verb, kind }: Change): boolean {
  return verb === 'create' && kind === 'key';
}

/** Makes the changes of one work, and knows how far it came. */
class Carrier {
  readonly #work: Work;
  readonly #atRisk: AtRisk;
  #made = 0;
  /** What failed first. */
  #failure: { readonly of: string; readonly error: unknown } | undefined;

  constructor(work: Work) {
    this.#work = work;
    this.#atRisk = new AtRisk(work.serverFlags);
  }

  async run(): Promise<void> {
    for (const batch of runsOf(this.#work.changes)) {
      if (this.#failure !== undefined) break;
      if (batch.some(isNewKey)) this.#look(() => this.#work.secrets?.check());
      await this.#hand(await this.#makeAll(batch));
    }
    await this.#close();
    if (this.#failure !== undefined) throw this.#told(this.#failure);
  }

  /** Makes the changes as long as none fails; answers the secrets that came of them. */
  async #makeAll(batch: readonly Change[]): Promise<NewSecret[]> {
    const rest = batch.values();
    const fresh: NewSecret[] = [];
    const worker = async () => {
      for (const change of rest) {
        if (this.#work.stop.aborted) this.#fail('', new CommandFailure(Exit.FAILED, 'interrupted'));
        if (this.#failure !== undefined) return;
        try {
          fresh.push(...(await this.#make(change)));
          this.#work.progress(++this.#made);
        } catch (error) {
          if (isNewKey(change)) this.#atRisk.noteFailed(change.item.id, error);
          this.#fail(`${change.verb} ${change.kind} ${change.item.id}: `, error);
        }
      }
    };
    await Promise.all(Array.from({ length: CALLS_AT_A_TIME }, worker));
    return fresh;
  }

  /** The secret that comes of it, if one does. */
  async #make(change: Change): Promise<NewSecret[]> {
    const { api } = this.#work;
    const kind = KINDS[change.kind];
    const { item } = change;
    if (change.verb === 'delete') await kind.remove(api, change.item);
    else if (change.verb === 'update') {
      await kind.update(api, item, change.fields, change.version);
    } else {
      const secret = await kind.create(api, item, randomUUID());
      if (secret === undefined) return [];
      if (secret !== '') return [{ key_id: item.id, client_id: item.clientId, secret }];
      const message = 'it is made, and its secret was lost with an answer';
      throw new CommandFailure(Exit.FAILED, message, { reason: 'SECRET_ALREADY_SHOWN' });
    }
    return [];
  }

  /** Hands secrets over, also when something else has failed. */
  async #hand(fresh: readonly NewSecret[]): Promise<void> {
    if (fresh.length === 0) return;
    const ids = fresh.map(({ key_id }) => key_id);
    try {
      await this.#work.secrets?.add(fresh);
      this.#atRisk.noteHanded(ids);
    } catch (error) {
      this.#atRisk.noteLost(ids);
      this.#fail('', error);
    }
  }

  async #close(): Promise<void> {
    try {
      await this.#work.secrets?.close();
    } catch (error) {
      this.#atRisk.noteRejected();
      this.#fail('', error);
    }
  }

  #look(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.#fail('', error);
    }
  }

  #fail(of: string, error: unknown): void {
    this.#failure ??= { of, error };
  }

  /** The failure as people are told of it, with how far it came and what is at risk. */
  #told({ of, error }: { of: string; error: unknown }): unknown {
    const risk = this.#atRisk.told();
    if (!(error instanceof CommandFailure) && risk === undefined) return error;
    const { message, exit, reason } = asFailure(error);
    const total = this.#work.changes.length;
    const left = this.#made === total ? '' : this.#advice(risk !== undefined);
    const lines = [`${of}${message}`, `${this.#made} of ${total} changes were made${left}`];
    if (risk !== undefined) lines.push(risk);
    return new CommandFailure(risk === undefined ? exit : Exit.SECRETS_LOST, lines.join('\n'), {
      cause: error,
      ...(reason !== undefined && { reason }),
    });
  }

  #advice(isAtRisk: boolean): string {
    return isAtRisk
      ? '; the others wait until the keys below have secrets'
      : '; apply again to go on';
  }
}

function asFailure(error: unknown): CommandFailure {
  return error instanceof CommandFailure ? error : new CommandFailure(Exit.FAILED, String(error));
}

/**
 * Makes the changes. After a failure none is begun any more; those under way are waited for, and their
 * secrets handed over.
 * @throws CommandFailure that tells what failed first, and how far it came; SECRETS_LOST where keys
 * were made, or may have been, whose secrets did not get where they should
 */
export function carryOut(work: Work): Promise<void> {
  return new Carrier(work).run();
}
