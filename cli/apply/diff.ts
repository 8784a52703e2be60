/** From what a server holds and what a file says to the changes between them. */
import type { JsonObject } from '@bufbuild/protobuf';
import { CommandFailure, Exit } from '../failure.ts';
import { eachKind, type Wanted } from './file.ts';
import { type Held, type Item, KIND_NAMES, KINDS, type KindName, textOf } from './kinds.ts';

/** One change. */
export type Change =
  | { readonly verb: 'create'; readonly kind: KindName; readonly item: Item }
  | {
      readonly verb: 'update';
      readonly kind: KindName;
      readonly item: Item;
      readonly fields: readonly string[];
      readonly version: bigint;
    }
  | { readonly verb: 'delete'; readonly kind: KindName; readonly item: Held };
export type Verb = Change['verb'];

/** What the server holds, by kind and id. */
export type State = Readonly<Record<KindName, ReadonlyMap<string, Held>>>;

export interface Difference {
  /** In the order in which they are to be made. */
  readonly changes: readonly Change[];
  /** What is not in the file and stays, because nobody asked to prune. */
  readonly kept: Readonly<Record<KindName, number>>;
}

/** Which fields of what is held differ from what is wanted. */
function changedFields(kind: KindName, held: Held, wanted: Item): string[] {
  return KINDS[kind].fields.filter((name) => {
    // One that is not given is the server's to choose, once.
    if (name === 'starts_at' && wanted.value[name] === undefined) return false;
    return textOf(held.value[name]) !== textOf(wanted.value[name]);
  });
}

/** Refuses what no sequence of changes can bring about. */
function refuse(flaws: readonly string[]): void {
  if (flaws.length === 0) return;
  const lines = flaws.slice(0, 20).map((flaw) => `\n  ${flaw}`);
  const more = flaws.length > lines.length ? `\n  and ${flaws.length - lines.length} more` : '';
  throw new CommandFailure(Exit.CONFLICT, `this cannot be applied:${lines.join('')}${more}`);
}

/**
 * The changes that make a server hold what a file says.
 * @param isPruning whether to delete what the file does not have, where it says all that there is
 * @throws CommandFailure CONFLICT where it cannot be
 */
export function differenceOf(state: State, wanted: Wanted, isPruning: boolean): Difference {
  const flaws: string[] = [];
  const forth: Change[] = [];
  const back: Change[] = [];
  const kept = eachKind(() => 0);
  for (const kind of KIND_NAMES) {
    for (const item of wanted.items[kind].values()) {
      const held = state[kind].get(item.id);
      if (held === undefined) {
        forth.push({ verb: 'create', kind, item });
        continue;
      }
      if (held.clientId !== item.clientId) {
        flaws.push(`${kind} ${item.id} belongs to client ${held.clientId}, and cannot be moved`);
      }
      if (held.isRevoked) {
        flaws.push(`key ${item.id} is revoked for good; the key to follow it needs another id`);
      }
      const fields = changedFields(kind, held, item);
      const { version } = held;
      if (fields.length > 0) forth.push({ verb: 'update', kind, item, fields, version });
    }
    for (const held of state[kind].values()) {
      if (wanted.items[kind].has(held.id)) continue;
      if (!wanted.isWhole(kind, held.clientId)) continue;
      // A revoked key does nothing, and is no part of what files say. It goes with its client.
      if (held.isRevoked && (!isPruning || wanted.items.client.has(held.clientId))) continue;
      if (isPruning) back.unshift({ verb: 'delete', kind, item: held });
      else kept[kind]++;
    }
  }
  flaws.push(...dangling(resultOf(state, forth, back)));
  refuse(flaws);
  return { changes: [...forth, ...back], kept };
}

/** What is there after the changes. */
function resultOf(state: State, forth: readonly Change[], back: readonly Change[]) {
  const result = eachKind((kind) => new Map<string, Item>(state[kind]));
  for (const { kind, item } of forth) result[kind].set(item.id, item);
  for (const { kind, item } of back) result[kind].delete(item.id);
  return result;
}

/** What refers to something that is not there. */
function* dangling(all: Readonly<Record<KindName, ReadonlyMap<string, Item>>>): Generator<string> {
  for (const kind of ['account', 'subscription', 'key'] as const) {
    for (const { id, clientId } of all[kind].values()) {
      if (!all.client.has(clientId))
        yield `${kind} ${id} belongs to client ${clientId}, which goes`;
    }
  }
  for (const { id, value } of all.subscription.values()) {
    const planId = String(value.plan_id);
    if (!all.plan.has(planId)) yield `subscription ${id} is to plan ${planId}, which is not there`;
  }
  for (const { id, clientId, value, ...key } of all.key.values()) {
    if ((key as Partial<Held>).isRevoked) continue;
    for (const accountId of value.account_ids as string[]) {
      if (all.account.get(accountId)?.clientId === clientId) continue;
      yield `key ${id} reaches account ${accountId}, which client ${clientId} does not have`;
    }
  }
}

/** How many changes there are, by kind and verb. */
export function countsOf(changes: readonly Change[]): Record<KindName, Record<Verb, number>> {
  const counts = eachKind(() => ({ create: 0, update: 0, delete: 0 }));
  for (const { kind, verb } of changes) counts[kind][verb]++;
  return counts;
}

/** The kinds of which more than a tenth would be deleted. */
export function massDeletions(state: State, changes: readonly Change[]): KindName[] {
  const counts = countsOf(changes);
  return KIND_NAMES.filter((kind) => counts[kind].delete * 10 > state[kind].size);
}

/** A change as programs see it. */
export function plainChange(change: Change): JsonObject {
  const { verb, kind, item } = change;
  const owner = item.clientId === '' ? {} : { client_id: item.clientId };
  const fields = change.verb === 'update' ? { fields: [...change.fields] } : {};
  return { verb, kind, id: item.id, ...owner, ...fields };
}
