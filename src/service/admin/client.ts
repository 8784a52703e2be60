/** propusk.admin.v1.ClientService: who trades. */
import { create } from '@bufbuild/protobuf';
import { EmptySchema } from '@bufbuild/protobuf/wkt';
import {
  ClientSchema,
  type ClientService,
  CreateClientRequestSchema,
  ListClientsResponseSchema,
} from '../../gen/propusk/admin/v1/client_service_pb.js';
import type { ServiceImpl } from '../../pipeline/call.ts';
import type { AdminParts } from './administration.ts';
import { keptOf, ResourceOperations, type Shape } from './resources.ts';

const SHAPE: Shape<'client', typeof ClientSchema> = {
  kind: 'client',
  schema: ClientSchema,
  changeable: ['name'],
  toMessage: (stored) =>
    create(ClientSchema, { id: stored.id, name: stored.name, ...keptOf(stored) }),
  read: ({ name }, base, fields) => ({ ...base, name: fields.text('name', name) }),
};

/** Makes the service. */
export function clientService(parts: AdminParts): ServiceImpl<typeof ClientService> {
  const clients = new ResourceOperations(SHAPE, parts);
  return {
    async createClient(request, call) {
      const asked = { schema: CreateClientRequestSchema, request };
      const { stored } = await clients.create(asked, request.client, { name: '' }, call);
      return SHAPE.toMessage(stored);
    },
    async getClient({ id }) {
      return SHAPE.toMessage(await clients.get(id));
    },
    async listClients(request) {
      const { items, nextPageToken } = await clients.list(request);
      return create(ListClientsResponseSchema, { clients: items, nextPageToken });
    },
    updateClient({ client, updateMask }, call) {
      return clients.update(client, updateMask, call);
    },
    async deleteClient({ id, version }, call) {
      await clients.remove(id, version, call);
      return create(EmptySchema);
    },
  };
}
