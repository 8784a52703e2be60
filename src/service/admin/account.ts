/** propusk.admin.v1.AccountService: accounts of clients. */
import { create } from '@bufbuild/protobuf';
import { EmptySchema } from '@bufbuild/protobuf/wkt';
import {
  AccountSchema,
  type AccountService,
  CreateAccountRequestSchema,
  ListAccountsResponseSchema,
} from '../../gen/propusk/admin/v1/account_service_pb.js';
import type { ServiceImpl } from '../../pipeline/call.ts';
import type { AdminParts } from './administration.ts';
import { Fields } from './fields.ts';
import { keptOf, ResourceOperations, type Shape } from './resources.ts';

const SHAPE: Shape<'account', typeof AccountSchema> = {
  kind: 'account',
  schema: AccountSchema,
  changeable: ['client_id', 'readonly'],
  toMessage: (stored) => {
    const { id, clientId, readonly } = stored;
    return create(AccountSchema, { id, clientId, readonly, ...keptOf(stored) });
  },
  read: ({ clientId, readonly }, base, fields) => ({
    ...base,
    clientId: fields.id('client_id', clientId),
    readonly,
  }),
};

/** Makes the service. */
export function accountService(parts: AdminParts): ServiceImpl<typeof AccountService> {
  const accounts = new ResourceOperations(SHAPE, parts);
  return {
    async createAccount(request, call) {
      const { account } = request;
      if (account?.id === '') {
        const fields = new Fields('account.');
        fields.refuse('id', "is missing; it is the broker's own");
        fields.check();
      }
      const asked = { schema: CreateAccountRequestSchema, request };
      const base = { clientId: '', readonly: false };
      const { stored } = await accounts.create(asked, account, base, call);
      return SHAPE.toMessage(stored);
    },
    async getAccount({ id }) {
      return SHAPE.toMessage(await accounts.get(id));
    },
    async listAccounts(request) {
      const { items, nextPageToken } = await accounts.list(request);
      return create(ListAccountsResponseSchema, { accounts: items, nextPageToken });
    },
    updateAccount({ account, updateMask }, call) {
      return accounts.update(account, updateMask, call);
    },
    async deleteAccount({ id, version }, call) {
      await accounts.remove(id, version, call);
      return create(EmptySchema);
    },
  };
}
