/** What tests of the access checks share: a server, clients of the broker, and who asks about them. */
import type { Message, MessageInitShape } from '@bufbuild/protobuf';
import type { Account, ApiKey } from '../src/domain/model.ts';
import type { Permission } from '../src/domain/permission.ts';
import {
  AccessService,
  type CheckRequestSchema,
  type CheckResponse,
  type CheckStreamResponse,
} from '../src/gen/propusk/access/v1/access_service_pb.js';
import type { Store } from '../src/store/store.ts';
import { SERVE_KEY } from './administration.ts';
import type { Client } from './clients/client.ts';
import { unique } from './start.ts';
import { putAccounts, putKey, write, writeKey } from './steps.ts';

export type Asked = Extract<MessageInitShape<typeof CheckRequestSchema>, { $typeName?: never }>;

/** Asks once. */
export async function check(
  client: Client,
  operator: string,
  asked: Asked,
): Promise<CheckResponse> {
  const options = { metadata: { authorization: operator } };
  return (await client.call(AccessService.method.check, asked, options)).message;
}

/** Asks for as long as the answer can change. */
export async function* checkStream(
  client: Client,
  operator: string,
  asked: Asked,
): AsyncGenerator<CheckResponse, void> {
  const options = { metadata: { authorization: operator } };
  const method = AccessService.method.checkStream;
  for await (const answer of client.stream(method, [{ check: asked }], options)) {
    const { check } = answer as Message & CheckStreamResponse;
    if (check === undefined) throw new Error('a stream answers checks');
    yield check;
  }
}

/** A client of the broker with a key, an account that trades, and one that is readonly. */
export class Holder {
  readonly store: Store;
  readonly id = `c${unique()}`;
  readonly trading = `T${unique()}`;
  readonly readonly = `R${unique()}`;
  readonly key = `k${unique()}`;
  readonly plan = `p${unique()}`;
  readonly secret = unique();

  private constructor(store: Store) {
    this.store = store;
  }

  static async make(
    store: Store,
    permissions: readonly Permission[] = [],
    key: Partial<ApiKey> = {},
  ): Promise<Holder> {
    const holder = new Holder(store);
    const { id, trading, readonly } = holder;
    await putAccounts(
      store,
      [
        { id: trading, clientId: id, readonly: false },
        { id: readonly, clientId: id, readonly: true },
      ],
      [id],
    );
    await holder.putPlan(permissions);
    await holder.subscribe(0, null);
    await putKey(store, holder.key, id, SERVE_KEY.macOfSecret(holder.secret));
    await writeKey(store, holder.key, key);
    return holder;
  }

  putPlan(permissions: readonly Permission[]): Promise<void> {
    const { plan } = this;
    return write(this.store, 'plan', [{ id: plan, name: plan, permissions: [...permissions] }]);
  }

  subscribe(startsAtMs: number, endsAtMs: number | null): Promise<void> {
    const { plan, id } = this;
    const subscription = { id: `s${id}`, clientId: id, planId: plan, startsAtMs, endsAtMs };
    return write(this.store, 'subscription', [subscription]);
  }

  putAccount(change: Partial<Account> & { readonly id: string }): Promise<void> {
    return write(this.store, 'account', [{ clientId: this.id, readonly: false, ...change }]);
  }
}

/** What is granted of one market in real time. */
export function granted(mic: string, quoteLevel: Permission['quoteLevel']): Permission {
  return { quoteLevel, delayMinutes: 0, conditionKind: 'mic', conditionValue: mic };
}
