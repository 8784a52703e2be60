import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  AccountService,
  DeleteAccountRequestSchema,
} from '../src/gen/propusk/admin/v1/account_service_pb.js';
import {
  AuditService,
  ListAuditEntriesRequestSchema,
} from '../src/gen/propusk/admin/v1/audit_service_pb.js';
import {
  ClientService,
  CreateClientRequestSchema,
  UpdateClientRequestSchema,
} from '../src/gen/propusk/admin/v1/client_service_pb.js';
import { KeyService, RevokeKeyRequestSchema } from '../src/gen/propusk/admin/v1/key_service_pb.js';
import { requestOf } from './route.ts';

test('a body of one field, and the rest in the query', () => {
  const input = create(CreateClientRequestSchema, {
    client: { id: 'a', name: 'A' },
    requestId: 'r',
  });
  assert.deepEqual(requestOf(ClientService.method.createClient, input), {
    verb: 'POST',
    target: '/admin/v1/clients?request_id=r',
    body: '{"id":"a","name":"A"}',
  });
});

test('a field of that body in the path, and the mask in the query', () => {
  const input = create(UpdateClientRequestSchema, {
    client: { id: 'a/ü', name: '', version: 3n },
    updateMask: { paths: ['name'] },
  });
  assert.deepEqual(requestOf(ClientService.method.updateClient, input), {
    verb: 'PATCH',
    target: '/admin/v1/clients/a%2F%C3%BC?update_mask=name',
    body: '{"version":"3"}',
  });
});

test('a whole body, with what is in the path left out', () => {
  const input = create(RevokeKeyRequestSchema, { id: 'k', version: 2n });
  assert.deepEqual(requestOf(KeyService.method.revokeKey, input), {
    verb: 'POST',
    target: '/admin/v1/keys/k:revoke',
    body: '{"version":"2"}',
  });
});

test('no body', () => {
  const input = create(DeleteAccountRequestSchema, { id: 'TRQD05:146559' });
  assert.deepEqual(requestOf(AccountService.method.deleteAccount, input), {
    verb: 'DELETE',
    target: '/admin/v1/accounts/TRQD05%3A146559',
    body: undefined,
  });
  const filter = { action: 'key.', since: timestampFromMs(0), pageSize: 2 };
  const list = create(ListAuditEntriesRequestSchema, filter);
  assert.equal(
    requestOf(AuditService.method.listAuditEntries, list).target,
    '/admin/v1/audit?page_size=2&action=key.&since=1970-01-01T00%3A00%3A00Z',
  );
});
