/** What can be done to every kind of resource, once for all of them. */
import type { DescMessage, Message, MessageShape } from '@bufbuild/protobuf';
import { type FieldMask, type Timestamp, timestampFromMs } from '@bufbuild/protobuf/wkt';
import { newId } from '../../domain/clock.ts';
import { AppError } from '../../domain/errors.ts';
import type { Call } from '../../pipeline/call.ts';
import type {
  ChangeOutcome,
  ListQuery,
  RequestRecord,
  ResourceKind,
  Resources,
  Stored,
} from '../../store/store.ts';
import { type AdminParts, changeBy } from './administration.ts';
import { Fields } from './fields.ts';
import { cut, type PageRequest, pageOf } from './page.ts';
import { type Asked, recordOf } from './request-record.ts';

/** How often a change without a version is tried again when others change the same. */
const TRIES_MAX = 10;
/** What the messages of all resources have. */
type ResourceMessage = Message & { readonly id: string; readonly version: bigint };

/** How one kind of resource is written as a message, and read from one. */
export interface Shape<K extends ResourceKind, S extends DescMessage> {
  readonly kind: K;
  readonly schema: S;
  /** The fields that an update may name. */
  readonly changeable: readonly string[];
  toMessage(stored: Stored<Resources[K]>): MessageShape<S>;
  /** Reads a whole message; what is wrong with it goes to `fields`. `base` has what it does not hold. */
  read(message: MessageShape<S>, base: Resources[K], fields: Fields): Resources[K];
}

/** What became of a change, and whether that was an earlier request's doing. */
export interface Done<K extends ResourceKind> {
  readonly stored: Stored<Resources[K]>;
  readonly isRepeated: boolean;
}

/** What all messages of resources have from the server. */
export function keptOf(stored: Stored<unknown>): {
  version: bigint;
  createdAt: Timestamp;
  updatedAt: Timestamp;
} {
  return {
    version: BigInt(stored.version),
    createdAt: timestampFromMs(stored.createdAtMs),
    updatedAt: timestampFromMs(stored.updatedAtMs),
  };
}

/** The operations on one kind of resource. */
export class ResourceOperations<K extends ResourceKind, S extends DescMessage> {
  readonly #shape: Shape<K, S>;
  readonly #parts: AdminParts;

  constructor(shape: Shape<K, S>, parts: AdminParts) {
    this.#shape = shape;
    this.#parts = parts;
  }

  /**
   * Makes one; a request that came before is answered before its content is looked at, which may be
   * good no more.
   * @param message undefined where the request holds none
   * @param base what the message does not hold
   * @throws AppError INVALID_REQUEST, RESOURCE_EXISTS or REQUEST_ID_REUSED; RESOURCE_NOT_FOUND where
   * the request came before, and what it made is gone
   */
  async create(
    asked: Asked,
    message: MessageShape<S> | undefined,
    base: Omit<Resources[K], 'id'>,
    call: Call,
  ): Promise<Done<K>> {
    const { kind } = this.#shape;
    const record = recordOf(asked, call, this.#parts);
    const before = await this.#repeated(record, asked);
    if (before !== undefined) return before;
    const fields = new Fields(`${kind}.`);
    const given = this.#given(message);
    const id = given.id === '' ? newId(this.#parts.random) : fields.id('id', given.id);
    const value = this.#shape.read(given, { ...base, id } as Resources[K], fields);
    fields.check();
    const action = 'create';
    const change = { kind, id, action, expect: 'absent', value } as const;
    const by = changeBy(call, this.#parts.clock);
    return this.#done(await this.#parts.store.change([change], by, record), asked);
  }

  /** @throws AppError RESOURCE_NOT_FOUND */
  async get(id: string): Promise<Stored<Resources[K]>> {
    const stored = await this.#parts.store.get(this.#shape.kind, id);
    if (stored === undefined) throw this.#notFound();
    return stored;
  }

  /** One page, by id. */
  async list(
    request: PageRequest & { readonly clientId?: string; readonly planId?: string },
  ): Promise<{ items: MessageShape<S>[]; nextPageToken: string }> {
    const fields = new Fields();
    const clientId = fields.filter('client_id', request.clientId ?? '');
    const planId = fields.filter('plan_id', request.planId ?? '');
    const { kind, toMessage } = this.#shape;
    const page = pageOf(request, [kind, clientId, planId], fields);
    fields.check();
    const query: ListQuery = {
      ...(clientId !== undefined && { clientId }),
      ...(planId !== undefined && { planId }),
      ...(page.after !== undefined && { afterId: String(page.after) }),
      limit: page.limit + 1,
    };
    const found = await this.#parts.store.list(kind, query);
    const { items, nextPageToken } = cut(found, page, (item) => item.id);
    return { items: items.map(toMessage), nextPageToken };
  }

  /**
   * Changes the fields that the mask names.
   * @param judge may refuse what it would become
   * @throws AppError INVALID_REQUEST, RESOURCE_NOT_FOUND or VERSION_CONFLICT
   */
  async update(
    message: MessageShape<S> | undefined,
    mask: FieldMask | undefined,
    call: Call,
    judge: (before: Stored<Resources[K]>, after: Resources[K]) => void = () => {},
  ): Promise<MessageShape<S>> {
    const { kind, schema, toMessage, read } = this.#shape;
    const given = this.#given(message);
    const names = this.#namesOf(mask);
    const { id, version } = given as unknown as ResourceMessage;
    const { stored } = await this.amend(id, version, 'update', call, (before) => {
      const merged = toMessage(before);
      for (const { name, localName } of schema.fields) {
        if (names.has(name)) Object.assign(merged, { [localName]: Reflect.get(given, localName) });
      }
      const fields = new Fields(`${kind}.`);
      const after = read(merged, before, fields);
      fields.check();
      judge(before, after);
      return after;
    });
    return toMessage(stored);
  }

  /**
   * Makes something else of what is there.
   * @param version the one that is meant; 0n: whichever is there
   * @param action the verb of the audit entry
   * @param change what it becomes; undefined where it stays as it is
   * @throws AppError RESOURCE_NOT_FOUND or VERSION_CONFLICT, REQUEST_ID_REUSED
   */
  async amend(
    id: string,
    version: bigint,
    action: string,
    call: Call,
    change: (before: Stored<Resources[K]>) => Resources[K] | undefined,
    asked?: Asked,
  ): Promise<Done<K>> {
    const { kind } = this.#shape;
    const { store, clock } = this.#parts;
    // First of all: what is there may be another thing by now, by this very request.
    const record = asked && recordOf(asked, call, this.#parts);
    const earlier = await this.#repeated(record, asked);
    if (earlier !== undefined) return earlier;
    for (let tries = 1; ; tries++) {
      const before = await this.get(id);
      const after = change(before);
      const expect = version === 0n ? before.version : Number(version);
      if (after === undefined) {
        if (expect !== before.version) throw this.#conflict();
        return { stored: before, isRepeated: false };
      }
      const value = bare<K>(after);
      const by = changeBy(call, clock);
      try {
        const changes = [{ kind, id, action, expect, value }];
        return await this.#done(await store.change(changes, by, record), asked);
      } catch (error) {
        const isConflict = error instanceof AppError && error.reason === 'VERSION_CONFLICT';
        if (!isConflict || version !== 0n || tries === TRIES_MAX) throw error;
      }
    }
  }

  /**
   * Removes one.
   * @throws AppError RESOURCE_NOT_FOUND, VERSION_CONFLICT or RESOURCE_IN_USE
   */
  async remove(id: string, version: bigint, call: Call): Promise<void> {
    const { kind } = this.#shape;
    const { store, clock } = this.#parts;
    for (let tries = 1; ; tries++) {
      const expect = version === 0n ? (await this.get(id)).version : Number(version);
      try {
        const change = { kind, id, action: 'delete', expect, value: null };
        await store.change([change], changeBy(call, clock));
        return;
      } catch (error) {
        const isConflict = error instanceof AppError && error.reason === 'VERSION_CONFLICT';
        if (!isConflict || version !== 0n || tries === TRIES_MAX) throw error;
      }
    }
  }

  /**
   * What a request that came before was about, as it is now; undefined where it comes first.
   * @throws AppError REQUEST_ID_REUSED; RESOURCE_NOT_FOUND where it is gone
   */
  async #repeated(record: RequestRecord | undefined, asked?: Asked): Promise<Done<K> | undefined> {
    const id = record && (await this.#parts.store.repeatedOf(record));
    return id === undefined ? undefined : this.#repeatedOf(id, asked);
  }

  async #repeatedOf(id: string, asked?: Asked): Promise<Done<K>> {
    const { kind } = this.#shape;
    const stored = await this.#parts.store.get(kind, id);
    if (stored !== undefined) return { stored, isRepeated: true };
    const secret = asked?.showsSecret ? ', and its secret was shown then' : '';
    const message = `the same request was done before, for ${kind} ${id}${secret}; it is gone since`;
    throw new AppError('RESOURCE_NOT_FOUND', message);
  }

  async #done({ repeatedOf, stored }: ChangeOutcome<K>, asked?: Asked): Promise<Done<K>> {
    if (repeatedOf !== undefined) return this.#repeatedOf(repeatedOf, asked);
    const [first] = stored;
    if (first == null) throw new Error('the store answers what it stored');
    return { stored: first, isRepeated: false };
  }

  #given(message: MessageShape<S> | undefined): MessageShape<S> & { readonly id: string } {
    const { kind } = this.#shape;
    if (message !== undefined) return message as MessageShape<S> & { readonly id: string };
    const fields = new Fields();
    fields.refuse(kind, 'is missing');
    fields.check();
    throw new Error('a field was refused');
  }

  /** The fields that a mask names. */
  #namesOf(mask: FieldMask | undefined): ReadonlySet<string> {
    const { changeable, schema } = this.#shape;
    const fields = new Fields();
    const names = new Set(mask?.paths);
    const all = `it may hold ${changeable.join(', ')}`;
    if (names.size === 0) fields.refuse('update_mask', `names no field; ${all}`);
    for (const name of names) {
      if (changeable.includes(name)) continue;
      const isThere = schema.fields.some((field) => field.name === name);
      const what = isThere ? 'which does not change' : 'and there is no such field';
      fields.refuse('update_mask', `names ${quoted(name)}, ${what}; ${all}`);
    }
    fields.check();
    return names;
  }

  #notFound(): AppError {
    return new AppError('RESOURCE_NOT_FOUND', `there is no ${this.#shape.kind} with this id`);
  }

  #conflict(): AppError {
    const message = `the ${this.#shape.kind} has another version by now; read it again`;
    return new AppError('VERSION_CONFLICT', message);
  }
}

/** Without what the store adds. */
function bare<K extends ResourceKind>(value: Resources[K]): Resources[K] {
  const { version, createdAtMs, updatedAtMs, ...rest } = value as Stored<Resources[K]>;
  return rest as unknown as Resources[K];
}

/** A name that a caller made up, cut to what a message has room for. */
function quoted(name: string): string {
  return JSON.stringify(name.slice(0, 100));
}
