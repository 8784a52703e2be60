/** Files drawn at random: the changes lead from what is held to what is wanted, and to nothing else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { CommandFailure } from '../failure.ts';
import { type Change, differenceOf, massDeletions, type State } from './diff.ts';
import { eachKind, readWanted, type Wanted, writeWanted } from './file.ts';
import { type Held, type Item, KIND_NAMES, type KindName } from './kinds.ts';

const small = fc.constantFrom('1', '2', '3');
const some = <T extends object>(item: fc.Arbitrary<T>, name: keyof T) =>
  fc.uniqueArray(item, { maxLength: 3, selector: (each) => each[name] });

const plan = fc.record({
  id: small,
  name: fc.constantFrom('', 'a', 'b'),
  permissions: fc.subarray([
    { quote_level: 'QUOTE_LEVEL_LAST_PRICE', worldwide: true },
    { quote_level: 'QUOTE_LEVEL_DEPTH_OF_BOOK', mic: 'XNAS' },
  ]),
});
const client = fc.record({
  id: small,
  name: fc.constantFrom('', 'a', 'b'),
  accounts: some(fc.record({ id: small, readonly: fc.boolean() }), 'id'),
  subscriptions: some(fc.record({ id: small, plan_id: small }), 'id'),
  keys: some(
    fc.record({ id: small, label: fc.constantFrom('', 'a'), all_accounts: fc.constant(true) }),
    'id',
  ),
});

/** Ids of a client's own things carry the client's: they are never another's. */
const clients = some(client, 'id').map((all) =>
  all.map((each) => {
    const own = <T extends { id: string }>(list: readonly T[]) =>
      list.map((item) => ({ ...item, id: `${each.id}-${item.id}` }));
    const { accounts, subscriptions, keys } = each;
    const lists = { accounts: own(accounts), subscriptions: own(subscriptions), keys: own(keys) };
    return { ...each, ...lists };
  }),
);
const whole = fc.record({ version: fc.constant(1), plans: some(plan, 'id'), clients });

const read = (content: object) => readWanted(stringify(content), 'file');

/** What a server would hold after the changes. */
function after(state: State, changes: readonly Change[]): State {
  const result = eachKind((kind) => new Map(state[kind]));
  for (const { verb, kind, item } of changes) {
    if (verb === 'delete') result[kind].delete(item.id);
    else result[kind].set(item.id, { ...item, version: 1n, isRevoked: false });
  }
  return result;
}

const EMPTY: State = eachKind(() => new Map<string, Held>());

/** What a server holds after this file alone; undefined where it names a plan that is not there. */
function stateOf(wanted: Wanted): State | undefined {
  try {
    return after(EMPTY, differenceOf(EMPTY, wanted, false).changes);
  } catch (error) {
    if (error instanceof CommandFailure) return undefined;
    throw error;
  }
}

function contentOf(state: State): JsonObject {
  return writeWanted(eachKind((kind): Item[] => [...state[kind].values()]));
}

const KIND_ORDER = new Map<KindName, number>(KIND_NAMES.map((name, i) => [name, i]));

test('from any state to any file, once, each after what it builds on', () => {
  let compared = 0;
  fc.assert(
    fc.property(whole, whole, (before, wanted) => {
      const [state, goal] = [stateOf(read(before)), stateOf(read(wanted))];
      if (state === undefined || goal === undefined) return;
      compared++;
      const { changes } = differenceOf(state, read(wanted), true);
      const reached = after(state, changes);
      assert.deepEqual(contentOf(reached), contentOf(goal));
      assert.deepEqual(differenceOf(reached, read(wanted), true).changes, []);
      assert.deepEqual(differenceOf(reached, read(contentOf(reached)), true).changes, []);
      const steps = changes.map(({ verb, kind }) => {
        const order = KIND_ORDER.get(kind) ?? 0;
        return verb === 'delete' ? 100 - order : order;
      });
      assert.deepEqual(
        steps,
        steps.toSorted((a, b) => a - b),
      );
    }),
  );
  assert.ok(compared > 10, String(compared));
});

test('without pruning nothing goes', () => {
  fc.assert(
    fc.property(whole, whole, (before, wanted) => {
      const state = stateOf(read(before));
      if (state === undefined) return;
      const { changes, kept } = differenceOf(state, mergedPlans(before, wanted), false);
      assert.ok(changes.every(({ verb }) => verb !== 'delete'));
      const reached = after(state, changes);
      for (const kind of KIND_NAMES) {
        for (const id of state[kind].keys()) assert.ok(reached[kind].has(id));
        assert.ok(kept[kind] <= state[kind].size);
      }
      assert.deepEqual(massDeletions(state, changes), []);
    }),
  );
});

/** The second file with the plans that its subscriptions need. */
function mergedPlans(before: { plans: object[] }, wanted: { plans: object[] }): Wanted {
  const permissions = [{ quote_level: 'QUOTE_LEVEL_LAST_PRICE', worldwide: true }];
  const plans = ['1', '2', '3'].map((id) => ({ id, permissions }));
  return read({ ...before, ...wanted, plans });
}
