/** What a file says that a server shall hold. */
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { type Document, isNode, LineCounter, parseDocument } from 'yaml';
import { unusable } from '../failure.ts';
import { type Item, KIND_NAMES, KINDS, type KindName } from './kinds.ts';
import { type Flaw, schemaFlaws } from './schema.ts';

/** Mistakes that are told at a time; the rest is counted. */
const FLAWS_SHOWN_MAX = 20;

/** Where a client's own things are in the file. */
const LISTS = { account: 'accounts', subscription: 'subscriptions', key: 'keys' } as const;
type OwnKind = keyof typeof LISTS;
const OWN_KINDS = Object.keys(LISTS) as OwnKind[];

/** What the file says. */
export interface Wanted {
  readonly items: Readonly<Record<KindName, ReadonlyMap<string, Item>>>;
  /** True where the file says all that there is of this kind: what is not in it may be pruned. */
  isWhole(kind: KindName, clientId: string): boolean;
}

/**
 * Reads a file's text, YAML or JSON.
 * @param name of the file, for people
 * @throws CommandFailure USAGE with a line for each mistake
 */
export function readWanted(text: string, name: string): Wanted {
  const lines = new LineCounter();
  // JSON is YAML, and read as such: JSON.parse lets a name that stands there twice pass.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const syntax = [...document.errors, ...document.warnings].map(
    ({ pos, message }) => `${lines.linePos(pos[0]).line}: ${message}`,
  );
  refuse(name, syntax);
  const json = document.toJS() as JsonValue;
  const show = ({ path, message }: Flaw) => {
    const line = lineOf(document, lines, path);
    return `${line}: ${showPath(path)}${path.length === 0 ? '' : ' '}${message}`;
  };
  refuse(name, schemaFlaws(json).map(show));
  const reader = new Reader();
  const wanted = reader.read(json as JsonObject);
  refuse(name, reader.flaws.map(show));
  return wanted;
}

function refuse(name: string, flaws: readonly string[]): void {
  if (flaws.length === 0) return;
  const lines = flaws.slice(0, FLAWS_SHOWN_MAX).map((flaw) => `\n  ${name}:${flaw}`);
  const rest = flaws.length - lines.length;
  const more = rest > 0 ? `\n  and ${rest} more` : '';
  throw unusable(`${name} cannot be used:${lines.join('')}${more}`);
}

function lineOf(document: Document, lines: LineCounter, path: Flaw['path']): number {
  const node = path.length === 0 ? document.contents : document.getIn(path, true);
  if (isNode(node) && node.range != null) return lines.linePos(node.range[0]).line;
  return path.length === 0 ? 1 : lineOf(document, lines, path.slice(0, -1));
}

function showPath(path: Flaw['path']): string {
  const parts = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`));
  return parts.join('').replace(/^\./, '');
}

/** Takes what fits the schema apart. */
class Reader {
  readonly flaws: Flaw[] = [];
  readonly #items: Record<KindName, Map<string, Item>> = {
    plan: new Map(),
    client: new Map(),
    account: new Map(),
    subscription: new Map(),
    key: new Map(),
  };
  /** `KIND CLIENT` for each list that a client has. */
  readonly #lists = new Set<string>();

  read(json: JsonObject): Wanted {
    const [plans, clients] = [listOf(json, 'plans'), listOf(json, 'clients')];
    for (const [i, plan] of (plans ?? []).entries()) this.#add('plan', plan, '', ['plans', i]);
    for (const [i, client] of (clients ?? []).entries()) this.#client(client, ['clients', i]);
    const isWhole = (kind: KindName, clientId: string): boolean => {
      if (kind === 'plan') return plans !== undefined;
      if (clients === undefined || kind === 'client') return clients !== undefined;
      // A client that is not in the file goes with all that it has.
      return !this.#items.client.has(clientId) || this.#lists.has(`${kind} ${clientId}`);
    };
    return { items: this.#items, isWhole };
  }

  #client(client: JsonObject, path: Flaw['path']): void {
    const { accounts, subscriptions, keys, ...own } = client;
    const id = String(own.id);
    this.#add('client', own, '', path);
    for (const kind of OWN_KINDS) {
      const list = listOf({ accounts, subscriptions, keys } as JsonObject, LISTS[kind]);
      if (list === undefined) continue;
      this.#lists.add(`${kind} ${id}`);
      for (const [i, each] of list.entries()) this.#add(kind, each, id, [...path, LISTS[kind], i]);
    }
  }

  #add(kind: KindName, json: JsonObject, clientId: string, path: Flaw['path']): void {
    const { id: given, ...rest } = json;
    const id = String(given);
    const flaw = (message: string) => this.flaws.push({ path, message });
    if (this.#items[kind].has(id)) flaw(`${kind} ${id} is there twice`);
    if (kind === 'key' && (rest.all_accounts === true) === (rest.account_ids !== undefined)) {
      flaw(`key ${id} needs either all_accounts: true or account_ids`);
    }
    try {
      this.#items[kind].set(id, { id, clientId, value: KINDS[kind].normal(rest) });
    } catch (error) {
      // An instant that no calendar has, which the schema's pattern lets through.
      flaw((error as Error).message);
    }
  }
}

function listOf(json: JsonObject, name: string): JsonObject[] | undefined {
  return json[name] as JsonObject[] | undefined;
}

/** The content of a file that says all that is here; the same for the same. */
export function writeWanted(items: Readonly<Record<KindName, readonly Item[]>>): JsonObject {
  const own = new Map<string, Record<OwnKind, JsonObject[]>>();
  const byId = (kind: KindName) => items[kind].toSorted((a, b) => (a.id < b.id ? -1 : 1));
  for (const { id } of items.client) own.set(id, { account: [], subscription: [], key: [] });
  for (const kind of OWN_KINDS) {
    for (const item of byId(kind)) own.get(item.clientId)?.[kind].push(plain(item));
  }
  const clients = byId('client').map((client) => {
    const lists = OWN_KINDS.map((kind) => [LISTS[kind], own.get(client.id)?.[kind] ?? []]);
    return { ...plain(client), ...Object.fromEntries(lists) };
  });
  return { version: 1, plans: byId('plan').map(plain), clients };
}

/** An item as the file has it: what is empty, or false where that is the rule, is left out. */
function plain({ id, value }: Item): JsonObject {
  const isSaid = ([name, each]: [string, JsonValue]) =>
    name === 'permissions' ||
    name === 'readonly' ||
    (name === 'account_ids' && value.all_accounts !== true) ||
    !(each === '' || each === false || textLength(each) === 0);
  return { id, ...Object.fromEntries(Object.entries(value).filter(isSaid)) };
}

/** How much is in a list or an object; undefined for all others. */
function textLength(value: JsonValue): number | undefined {
  return typeof value === 'object' && value !== null ? Object.keys(value).length : undefined;
}

/** No items of any kind. */
export function eachKind<T>(make: (kind: KindName) => T): Record<KindName, T> {
  return Object.fromEntries(KIND_NAMES.map((name) => [name, make(name)])) as Record<KindName, T>;
}
