import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  create,
  type DescField,
  type DescMessage,
  type Message,
  type MessageInitShape,
  ScalarType,
  toJsonString,
} from '@bufbuild/protobuf';
import { TimestampSchema } from '@bufbuild/protobuf/wkt';
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
import { ListAuditEntriesResponseSchema } from '../../gen/propusk/admin/v1/audit_service_pb.js';
import { writeJson } from './json-writer.ts';

/** Messages of a kind, with any values that they may hold. */
function messages(desc: DescMessage): fc.Arbitrary<Message> {
  if (desc.typeName === TimestampSchema.typeName) return timestamps;
  const plain = desc.fields.filter(({ oneof }) => oneof === undefined);
  const each = Object.fromEntries(plain.map((field) => [field.localName, fields(field)]));
  const oneofs = desc.oneofs.map((oneof) => {
    const cases = oneof.fields.map((field) =>
      fc.record({ case: fc.constant(field.localName), value: fields(field) }),
    );
    return [oneof.localName, fc.oneof(fc.constant({ case: undefined }), ...cases)] as const;
  });
  return fc
    .record({ ...each, ...Object.fromEntries(oneofs) }, { requiredKeys: [] })
    .map((init) => create(desc, init as MessageInitShape<DescMessage>));
}

const timestamps = fc
  .record({
    seconds: fc.bigInt(-62_135_596_800n, 253_402_300_799n),
    nanos: fc.oneof(fc.constant(0), fc.nat(999_999_999)),
  })
  .map((init) => create(TimestampSchema, init));

function fields(field: DescField): fc.Arbitrary<unknown> {
  const one = values(field);
  return field.fieldKind === 'list' ? fc.array(one, { maxLength: 3 }) : one;
}

function values({ message, enum: named, scalar }: DescField): fc.Arbitrary<unknown> {
  if (message !== undefined) return messages(message);
  // A number that has no name is one of the enum all the same.
  if (named !== undefined) return fc.integer({ min: 0, max: named.values.length + 1 });
  if (scalar === ScalarType.STRING) return fc.string({ unit: 'binary' });
  if (scalar === ScalarType.BOOL) return fc.boolean();
  return scalar === ScalarType.INT64
    ? fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)
    : fc.nat(2 ** 31 - 1);
}

const LIBRARY = { alwaysEmitImplicit: true, useProtoFieldName: true } as const;

const KINDS: readonly DescMessage[] = [
  TokenDetailsResponseSchema,
  OrdersResponseSchema,
  SubscribeTradesResponseSchema,
  GetUsageMetricsResponseSchema,
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
