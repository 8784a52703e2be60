import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, type DescMessage, type Message, toJsonString } from '@bufbuild/protobuf';
import fc from 'fast-check';
import {
  MDPermissionSchema,
  TokenDetailsResponseSchema,
} from '../../gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { GetUsageMetricsResponseSchema } from '../../gen/grpc/tradeapi/v1/metrics/usage_metrics_service_pb.js';
import {
  OrdersResponseSchema,
  SubscribeTradesResponseSchema,
} from '../../gen/grpc/tradeapi/v1/orders/orders_service_pb.js';
import { CheckResponseSchema } from '../../gen/propusk/access/v1/access_service_pb.js';
import { ListAuditEntriesResponseSchema } from '../../gen/propusk/admin/v1/audit_service_pb.js';
import { messages } from '../test-messages.ts';
import { writeJson } from './json-writer.ts';

const LIBRARY = { alwaysEmitImplicit: true, useProtoFieldName: true } as const;

const KINDS: readonly DescMessage[] = [
  TokenDetailsResponseSchema,
  OrdersResponseSchema,
  SubscribeTradesResponseSchema,
  GetUsageMetricsResponseSchema,
  CheckResponseSchema,
];

for (const desc of KINDS) {
  test(`${desc.name} is written as the library writes it`, () => {
    fc.assert(
      fc.property(messages(desc), (message) => {
        assert.equal(writeJson(desc, message), toJsonString(desc, message, LIBRARY));
      }),
    );
  });
}

test('what is not written here is left to the library', () => {
  // It holds a google.protobuf.Struct.
  const audit = create(ListAuditEntriesResponseSchema);
  assert.equal(writeJson(ListAuditEntriesResponseSchema, audit), undefined);
});

test('a frozen list is written once, another each time', () => {
  const write = (mdPermissions: readonly Message[]) =>
    writeJson(
      TokenDetailsResponseSchema,
      Object.assign(create(TokenDetailsResponseSchema), { mdPermissions }),
    );
  const permission = create(MDPermissionSchema, { delayMinutes: 1 });
  const list = [permission];
  assert.match(write(list) ?? '', /"delay_minutes":1/);
  permission.delayMinutes = 2;
  assert.match(write(list) ?? '', /"delay_minutes":2/);
  Object.freeze(list);
  write(list);
  permission.delayMinutes = 3;
  assert.match(write(list) ?? '', /"delay_minutes":2/, 'who freezes a list freezes what is in it');
});
