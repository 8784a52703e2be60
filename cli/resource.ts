/** The verbs that all resources share, with their flags. */
import { randomUUID } from 'node:crypto';
import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import {
  type FieldMask,
  type Timestamp,
  timestampDate,
  timestampFromMs,
} from '@bufbuild/protobuf/wkt';
import { type Command, Option } from 'commander';
import type { Api } from './api.ts';
import { addCommand, type Call, type Flags, flagOf } from './command.ts';
import { unusable } from './failure.ts';
import { readInstant } from './instant.ts';
import type { Surroundings } from './surroundings.ts';
import type { Column } from './table.ts';

/** As many as one page may hold. */
const PAGE_SIZE_MAX = 1000;

/** What is asked of a list. */
export interface PageRequest {
  readonly pageSize: number;
  readonly pageToken: string;
}

/** One page of a list. */
export interface Page<R> {
  readonly rows: readonly R[];
  readonly nextPageToken: string;
}

/**
 * Reads a list page by page.
 * @param limit how many rows at most; undefined: all
 * @param fetch asks for one page
 */
export async function readPages<R>(
  limit: number | undefined,
  fetch: (page: PageRequest) => Promise<Page<R>>,
): Promise<R[]> {
  const found: R[] = [];
  let pageToken = '';
  do {
    const pageSize = Math.min(PAGE_SIZE_MAX, (limit ?? Number.POSITIVE_INFINITY) - found.length);
    if (pageSize <= 0) break;
    const page = await fetch({ pageSize, pageToken });
    found.push(...page.rows);
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  return found.slice(0, limit);
}

/** A kind of resource, and how it is shown. */
export interface Resource<D extends DescMessage> {
  readonly noun: Command;
  readonly around: Surroundings;
  readonly schema: D;
  readonly columns: readonly Column<MessageShape<D>>[];
  /** An id for the examples. */
  readonly example: string;
}

function nameOf({ noun }: { readonly noun: Command }): string {
  return noun.name();
}

/** Adds `list`. */
export function addList<D extends DescMessage>(
  resource: Resource<D>,
  spec: { readonly summary: string; readonly examples: readonly string[]; options?: Option[] },
  fetch: (api: Api, page: PageRequest, call: Call) => Promise<Page<MessageShape<D>>>,
): void {
  addCommand(resource.noun, resource.around, {
    ...spec,
    usage: 'list',
    options: [...(spec.options ?? []), limitOption()],
    asksAdmin: true,
    run: async (call) => {
      const api = await call.admin();
      const limit = call.flags.number('limit', 1);
      const rows = await readPages(limit, (page) => fetch(api, page, call));
      call.output.list(resource.schema, rows, resource.columns);
    },
  });
}

/** Adds `get`. */
export function addGet<D extends DescMessage>(
  resource: Resource<D>,
  fetch: (api: Api, id: string) => Promise<MessageShape<D>>,
): void {
  const name = nameOf(resource);
  addCommand(resource.noun, resource.around, {
    usage: 'get <id>',
    summary: `show one ${name}`,
    examples: [`propusk ${name} get ${resource.example}`],
    asksAdmin: true,
    run: async (call, id = '') => {
      call.output.one(resource.schema, await fetch(await call.admin(), id), resource.columns);
    },
  });
}

/** Adds `delete`. */
export function addDelete<D extends DescMessage>(
  resource: Resource<D>,
  summary: string,
  remove: (api: Api, what: { id: string; version: bigint }) => Promise<unknown>,
): void {
  const name = nameOf(resource);
  addCommand(resource.noun, resource.around, {
    usage: 'delete <id>',
    summary,
    examples: [`propusk ${name} delete ${resource.example}`],
    options: [versionOption()],
    asksAdmin: true,
    run: async ({ admin, flags, output }, id = '') => {
      await remove(await admin(), { id, version: versionOf(flags) });
      output.say(`${name} ${id} is removed`);
    },
  });
}

/** Adds a verb that makes or changes one thing, and shows what came of it. */
export function addChange<D extends DescMessage>(
  resource: Resource<D>,
  spec: {
    readonly usage: string;
    readonly summary: string;
    readonly examples: readonly string[];
    readonly options: readonly Option[];
  },
  change: (api: Api, id: string, call: Call) => Promise<MessageShape<D>>,
): void {
  const option = spec.usage.startsWith('create') ? requestIdOption() : versionOption();
  addCommand(resource.noun, resource.around, {
    ...spec,
    options: [...spec.options, option],
    asksAdmin: true,
    run: async (call, id = '') => {
      const changed = await change(await call.admin(), id, call);
      call.output.one(resource.schema, changed, resource.columns);
    },
  });
}

export function limitOption(): Option {
  return new Option('--limit <number>', 'how many to list at most (default all)');
}

export function clientOption(help: string): Option {
  return new Option('--client <id>', help);
}

/** For changes: refuse where somebody else has changed it in between. */
export function versionOption(): Option {
  return new Option(
    '--if-version <number>',
    'only if this is its version still; else exit code 5 (default any)',
  );
}

/** For creations: the name under which the same request can be sent again. */
export function requestIdOption(): Option {
  return new Option(
    '--request-id <id>',
    'send the same again under the same id, and it is made once (default a new one)',
  );
}

/** The request's id; a new one serves the client's own attempts. */
export function requestIdOf(flags: Flags): string {
  return flags.text('requestId') ?? randomUUID();
}

/** The version that a change is for; 0: any. */
export function versionOf(flags: Flags): bigint {
  return BigInt(flags.number('ifVersion', 1) ?? 0);
}

/**
 * The fields that an update changes.
 * @param given by the field's name in the API: whether its flag was given
 * @throws CommandFailure USAGE where nothing would change
 */
export function maskOf(given: Readonly<Record<string, boolean>>): Pick<FieldMask, 'paths'> {
  const paths = Object.entries(given).flatMap(([path, isGiven]) => (isGiven ? [path] : []));
  if (paths.length === 0) throw unusable('nothing to change; give a flag that says what');
  return { paths };
}

/** A field that may be unset; left out where it is. */
export function optional<K extends string, V>(name: K, value: V | undefined): { [P in K]?: V } {
  return (value === undefined ? {} : { [name]: value }) as { [P in K]?: V };
}

/** The instant that a flag names; undefined where it was not given, or says `never`. */
export function instantOf({ flags, around }: Call, name: string): Timestamp | undefined {
  const text = flags.text(name);
  if (text === undefined || text === 'never') return undefined;
  return timestampFromMs(readInstant(text, around.now(), flagOf(name)));
}

/** An instant for people; empty where there is none. */
export function showInstant(instant: Timestamp | undefined): string {
  if (instant === undefined) return '';
  return timestampDate(instant).toISOString().replace('.000Z', 'Z');
}

interface Stamped {
  readonly version: bigint;
  readonly createdAt?: Timestamp | undefined;
  readonly updatedAt?: Timestamp | undefined;
}

/** The last columns of what has a version. */
export const STAMPS: readonly Column<Stamped>[] = [
  ['VERSION', ({ version }) => String(version)],
  ['CREATED', ({ createdAt }) => showInstant(createdAt)],
  ['UPDATED', ({ updatedAt }) => showInstant(updatedAt)],
];
