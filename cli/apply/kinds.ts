/**
 * The kinds of resources that a file holds, as plain values: names and values of the API's JSON, of
 * which only those are there that a file may set.
 */
import {
  type DescMessage,
  fromJson,
  type JsonObject,
  type JsonValue,
  type MessageShape,
} from '@bufbuild/protobuf';
import {
  AccountSchema,
  AccountService,
} from '../../src/gen/propusk/admin/v1/account_service_pb.js';
import { ClientSchema, ClientService } from '../../src/gen/propusk/admin/v1/client_service_pb.js';
import { KeySchema, KeyService } from '../../src/gen/propusk/admin/v1/key_service_pb.js';
import { PlanSchema, PlanService } from '../../src/gen/propusk/admin/v1/plan_service_pb.js';
import {
  SubscriptionSchema,
  SubscriptionService,
} from '../../src/gen/propusk/admin/v1/subscription_service_pb.js';
import type { Api } from '../api.ts';
import { plainOf } from '../output.ts';
import { type PageRequest, readPages } from '../resource.ts';
import { networkForm } from './network-form.ts';

/** In the order in which they are made: later ones refer to earlier ones. */
export const KIND_NAMES = ['plan', 'client', 'account', 'subscription', 'key'] as const;
export type KindName = (typeof KIND_NAMES)[number];

/** A resource, on the server or in the file. */
export interface Item {
  readonly id: string;
  /** Whose it is; empty for plans and clients. */
  readonly clientId: string;
  /** Its fields but id and client_id, in one form: two that mean the same are the same. */
  readonly value: JsonObject;
}

/** A resource on the server. */
export interface Held extends Item {
  readonly version: bigint;
  /** A key that works no more, and never will again. */
  readonly isRevoked: boolean;
}

/** What can be done with the resources of a kind. */
export interface Kind {
  readonly name: KindName;
  /** What a file may set, beside id and client_id. */
  readonly fields: readonly string[];
  /** All that the server holds. */
  list(api: Api): Promise<Held[]>;
  /** Makes one; its secret, where it has one (empty where it was shown before). */
  create(api: Api, item: Item, requestId: string): Promise<string | undefined>;
  /** Changes these fields of the version that is held. */
  update(api: Api, item: Item, fields: readonly string[], version: bigint): Promise<void>;
  remove(api: Api, held: Held): Promise<void>;
  /** The one form of what a file says. */
  normal(value: JsonObject): JsonObject;
}

/** Text that is the same for values that mean the same: names in order. */
export function textOf(value: JsonValue | undefined): string {
  return JSON.stringify(value, (_, each: JsonValue) => {
    if (typeof each !== 'object' || each === null || Array.isArray(each)) return each;
    return Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** The items of a list in one form: their order means nothing, nor that one stands there twice. */
function setOf(name: string, list: readonly JsonValue[]): JsonValue[] {
  const items = name === 'source_networks' ? list.map((each) => networkForm(String(each))) : list;
  const byText = new Map(items.map((item) => [textOf(item), item]));
  return [...byText].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => item);
}

/** The fields of a resource in one form. */
function pick(json: JsonObject, fields: readonly string[]): JsonObject {
  const found: JsonObject = {};
  for (const name of fields) {
    const value = json[name];
    if (value === undefined) continue;
    found[name] = Array.isArray(value) ? setOf(name, value) : value;
  }
  return found;
}

interface Parts<D extends DescMessage> {
  readonly name: KindName;
  readonly schema: D;
  readonly fields: readonly string[];
  readonly list: (
    api: Api,
    page: PageRequest,
  ) => Promise<{ rows: readonly MessageShape<D>[]; nextPageToken: string }>;
  readonly create: (
    api: Api,
    message: MessageShape<D>,
    requestId: string,
  ) => Promise<string | undefined>;
  readonly update: (
    api: Api,
    message: MessageShape<D>,
    updateMask: { paths: string[] },
  ) => Promise<unknown>;
  readonly remove: (api: Api, what: { id: string; version: bigint }) => Promise<unknown>;
}

function kind<D extends DescMessage>(parts: Parts<D>): Kind {
  const { name, schema, fields } = parts;
  const messageOf = ({ id, clientId, value }: Item, version?: bigint) => {
    const owner = clientId === '' ? {} : { client_id: clientId };
    const stamp = version === undefined ? {} : { version: String(version) };
    return fromJson(schema, { ...value, id, ...owner, ...stamp });
  };
  return {
    name,
    fields,
    async list(api) {
      const messages = await readPages(undefined, (page) => parts.list(api, page));
      return messages.map((message) => {
        const json = plainOf(schema, message) as JsonObject;
        return {
          id: String(json.id),
          clientId: String(json.client_id ?? ''),
          value: pick(json, fields),
          version: BigInt(String(json.version)),
          isRevoked: json.revoked_at !== undefined,
        };
      });
    },
    create: (api, item, requestId) => parts.create(api, messageOf(item), requestId),
    async update(api, item, changed, version) {
      await parts.update(api, messageOf(item, version), { paths: [...changed] });
    },
    async remove(api, { id, version }) {
      await parts.remove(api, { id, version });
    },
    normal: (value) => pick(plainOf(schema, fromJson(schema, value)) as JsonObject, fields),
  };
}

const PLAN = kind({
  name: 'plan',
  schema: PlanSchema,
  fields: ['name', 'permissions'],
  async list(api, page) {
    const { plans: rows, nextPageToken } = await api.call(PlanService.method.listPlans, page);
    return { rows, nextPageToken };
  },
  async create(api, plan, requestId) {
    await api.call(PlanService.method.createPlan, { plan, requestId });
    return undefined;
  },
  update: (api, plan, updateMask) => api.call(PlanService.method.updatePlan, { plan, updateMask }),
  remove: (api, what) => api.call(PlanService.method.deletePlan, what),
});

const CLIENT = kind({
  name: 'client',
  schema: ClientSchema,
  fields: ['name'],
  async list(api, page) {
    const answer = await api.call(ClientService.method.listClients, page);
    return { rows: answer.clients, nextPageToken: answer.nextPageToken };
  },
  async create(api, client, requestId) {
    await api.call(ClientService.method.createClient, { client, requestId });
    return undefined;
  },
  update: (api, client, updateMask) =>
    api.call(ClientService.method.updateClient, { client, updateMask }),
  remove: (api, what) => api.call(ClientService.method.deleteClient, what),
});

const ACCOUNT = kind({
  name: 'account',
  schema: AccountSchema,
  fields: ['readonly'],
  async list(api, page) {
    const answer = await api.call(AccountService.method.listAccounts, page);
    return { rows: answer.accounts, nextPageToken: answer.nextPageToken };
  },
  async create(api, account, requestId) {
    await api.call(AccountService.method.createAccount, { account, requestId });
    return undefined;
  },
  update: (api, account, updateMask) =>
    api.call(AccountService.method.updateAccount, { account, updateMask }),
  remove: (api, what) => api.call(AccountService.method.deleteAccount, what),
});

const SUBSCRIPTION = kind({
  name: 'subscription',
  schema: SubscriptionSchema,
  fields: ['plan_id', 'starts_at', 'ends_at'],
  async list(api, page) {
    const answer = await api.call(SubscriptionService.method.listSubscriptions, page);
    return { rows: answer.subscriptions, nextPageToken: answer.nextPageToken };
  },
  async create(api, subscription, requestId) {
    await api.call(SubscriptionService.method.createSubscription, { subscription, requestId });
    return undefined;
  },
  update: (api, subscription, updateMask) =>
    api.call(SubscriptionService.method.updateSubscription, { subscription, updateMask }),
  remove: (api, what) => api.call(SubscriptionService.method.deleteSubscription, what),
});

const KEY = kind({
  name: 'key',
  schema: KeySchema,
  fields: [
    ...['label', 'all_accounts', 'account_ids', 'readonly', 'calls_per_minute'],
    ...['source_networks', 'expires_at'],
  ],
  async list(api, page) {
    const { keys: rows, nextPageToken } = await api.call(KeyService.method.listKeys, page);
    return { rows, nextPageToken };
  },
  async create(api, key, requestId) {
    return (await api.call(KeyService.method.createKey, { key, requestId })).secret;
  },
  update: (api, key, updateMask) => api.call(KeyService.method.updateKey, { key, updateMask }),
  remove: (api, what) => api.call(KeyService.method.deleteKey, what),
});

/** All kinds, by their names. */
export const KINDS: Readonly<Record<KindName, Kind>> = {
  plan: PLAN,
  client: CLIENT,
  account: ACCOUNT,
  subscription: SUBSCRIPTION,
  key: KEY,
};
