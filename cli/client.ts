/** `propusk client`: who trades. */
import { type Command, Option } from 'commander';
import { ClientSchema, ClientService } from '../src/gen/propusk/admin/v1/client_service_pb.js';
import { addNoun } from './command.ts';
import {
  addChange,
  addDelete,
  addGet,
  addList,
  maskOf,
  optional,
  type Resource,
  requestIdOf,
  STAMPS,
  versionOf,
} from './resource.ts';
import type { Surroundings } from './surroundings.ts';

const { createClient, getClient, listClients, updateClient, deleteClient } = ClientService.method;

function nameOption(): Option {
  return new Option('--name <name>', 'for people');
}

export function addClient(program: Command, around: Surroundings): void {
  const resource: Resource<typeof ClientSchema> = {
    noun: addNoun(program, 'client', 'who trades: a person or a firm'),
    around,
    schema: ClientSchema,
    columns: [['ID', ({ id }) => id], ['NAME', ({ name }) => name], ...STAMPS],
    example: 'acme',
  };
  const create = {
    usage: 'create [id]',
    summary: 'make a client; the server makes an id where none is given',
    examples: ["propusk client create acme --name 'Acme Trading'"],
    options: [nameOption()],
  };
  addChange(resource, create, (api, id, { flags }) => {
    const client = { id, ...optional('name', flags.text('name')) };
    return api.call(createClient, { client, requestId: requestIdOf(flags) });
  });
  const list = {
    summary: 'list clients',
    examples: ['propusk client list', 'propusk client list --output json'],
  };
  addList(resource, list, async (api, page) => {
    const { clients: rows, nextPageToken } = await api.call(listClients, page);
    return { rows, nextPageToken };
  });
  addGet(resource, (api, id) => api.call(getClient, { id }));
  const update = {
    usage: 'update <id>',
    summary: 'change a client',
    examples: ["propusk client update acme --name 'Acme Markets'"],
    options: [nameOption()],
  };
  addChange(resource, update, (api, id, { flags }) => {
    const client = { id, ...optional('name', flags.text('name')), version: versionOf(flags) };
    return api.call(updateClient, { client, updateMask: maskOf({ name: flags.has('name') }) });
  });
  const summary = 'remove a client that has no accounts, subscriptions and keys any more';
  addDelete(resource, summary, (api, what) => api.call(deleteClient, what));
}
