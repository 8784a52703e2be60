/** `propusk account`: what a client trades on. */
import { type Command, Option } from 'commander';
import { AccountSchema, AccountService } from '../src/gen/propusk/admin/v1/account_service_pb.js';
import { addNoun } from './command.ts';
import {
  addChange,
  addDelete,
  addGet,
  addList,
  clientOption,
  maskOf,
  optional,
  type Resource,
  requestIdOf,
  STAMPS,
  versionOf,
} from './resource.ts';
import type { Surroundings } from './surroundings.ts';

const { createAccount, getAccount, listAccounts, updateAccount, deleteAccount } =
  AccountService.method;

function readonlyOptions(): Option[] {
  return [
    new Option('--readonly', 'nobody may trade on it'),
    new Option('--no-readonly', 'it may be traded on'),
  ];
}

export function addAccount(program: Command, around: Surroundings): void {
  const resource: Resource<typeof AccountSchema> = {
    noun: addNoun(program, 'account', 'what a client trades on, or reads'),
    around,
    schema: AccountSchema,
    columns: [
      ['ID', ({ id }) => id],
      ['CLIENT', ({ clientId }) => clientId],
      ['MAY', ({ readonly }) => (readonly ? 'read' : 'trade')],
      ...STAMPS,
    ],
    example: 'TRQD05:146559',
  };
  const create = {
    usage: 'create <id>',
    summary: 'make an account of a client',
    examples: ['propusk account create TRQD05:146559 --client acme'],
    options: [
      clientOption('the client that it belongs to').makeOptionMandatory(),
      ...readonlyOptions(),
    ],
  };
  addChange(resource, create, (api, id, { flags }) => {
    const clientId = flags.text('client') ?? '';
    const account = { id, clientId, readonly: flags.isOn('readonly') };
    return api.call(createAccount, { account, requestId: requestIdOf(flags) });
  });
  const list = {
    summary: 'list accounts',
    examples: ['propusk account list --client acme'],
    options: [clientOption('those of this client only')],
  };
  addList(resource, list, async (api, page, { flags }) => {
    const filter = optional('clientId', flags.text('client'));
    const { accounts: rows, nextPageToken } = await api.call(listAccounts, { ...page, ...filter });
    return { rows, nextPageToken };
  });
  addGet(resource, (api, id) => api.call(getAccount, { id }));
  const update = {
    usage: 'update <id>',
    summary: 'change an account',
    examples: [
      'propusk account update TRQD05:146559 --readonly',
      'propusk account update TRQD05:146559 --no-readonly',
    ],
    options: readonlyOptions(),
  };
  addChange(resource, update, (api, id, { flags }) => {
    const account = { id, readonly: flags.isOn('readonly'), version: versionOf(flags) };
    const updateMask = maskOf({ readonly: flags.has('readonly') });
    return api.call(updateAccount, { account, updateMask });
  });
  const summary = 'remove an account; no token holds it any more when this is done';
  addDelete(resource, summary, (api, what) => api.call(deleteAccount, what));
}
