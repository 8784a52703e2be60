import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, type DescMessage, fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import {
  MDPermissionSchema,
  TokenDetailsResponseSchema,
} from '../../gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { GetUsageMetricsResponseSchema } from '../../gen/grpc/tradeapi/v1/metrics/usage_metrics_service_pb.js';
import {
  OrderStateSchema,
  OrdersResponseSchema,
  SubscribeTradesResponseSchema,
} from '../../gen/grpc/tradeapi/v1/orders/orders_service_pb.js';
import {
  CheckRequestSchema,
  CheckResponseSchema,
} from '../../gen/propusk/access/v1/access_service_pb.js';
import { ListAuditEntriesResponseSchema } from '../../gen/propusk/admin/v1/audit_service_pb.js';
import { messages } from '../test-messages.ts';
import { frame, PREFIX_BYTES } from './frames.ts';
import { frameOf } from './message-writer.ts';

const KINDS: readonly DescMessage[] = [
  TokenDetailsResponseSchema,
  OrderStateSchema,
  OrdersResponseSchema,
  SubscribeTradesResponseSchema,
  GetUsageMetricsResponseSchema,
  CheckRequestSchema,
  CheckResponseSchema,
];

for (const desc of KINDS) {
  test(`${desc.name} is written as the library writes it`, () => {
    fc.assert(
      fc.property(messages(desc), (message) => {
        assert.deepEqual(frameOf(desc, message), frame(0, toBinary(desc, message)));
      }),
    );
  });
}

test('texts and messages of every length are written as the library writes them', () => {
  for (const length of [0, 1, 42, 43, 126, 127, 128, 129, 16_383, 16_384, 70_000, 2_200_000]) {
    for (const letter of ['a', 'я', '\u20ac']) {
      const value = letter.repeat(length);
      const mdPermissions = [
        create(MDPermissionSchema, { condition: { case: 'mic', value } }),
        create(MDPermissionSchema, { condition: { case: 'country', value: 'RU' } }),
      ];
      const answer = create(TokenDetailsResponseSchema, { accountIds: [value], mdPermissions });
      const expected = frame(0, toBinary(TokenDetailsResponseSchema, answer));
      assert.ok(
        frameOf(TokenDetailsResponseSchema, answer).equals(expected),
        `${length} ${letter}`,
      );
    }
  }
});

test('what is not written here is left to the library', () => {
  // It holds a google.protobuf.Struct.
  const audit = create(ListAuditEntriesResponseSchema, { entries: [{ detail: { answer: 42 } }] });
  const expected = frame(0, toBinary(ListAuditEntriesResponseSchema, audit));
  assert.deepEqual(frameOf(ListAuditEntriesResponseSchema, audit), expected);
});

test('a frozen list is written once, another each time', () => {
  const permission = create(MDPermissionSchema, { delayMinutes: 1 });
  const list = [permission];
  const delayOf = () => {
    const answer = create(TokenDetailsResponseSchema, { accountIds: ['1899011'], readonly: true });
    const framed = frameOf(TokenDetailsResponseSchema, { ...answer, mdPermissions: list } as never);
    const read = fromBinary(TokenDetailsResponseSchema, framed.subarray(PREFIX_BYTES));
    assert.deepEqual([read.accountIds, read.readonly], [['1899011'], true]);
    return read.mdPermissions[0]?.delayMinutes;
  };
  assert.equal(delayOf(), 1);
  permission.delayMinutes = 2;
  assert.equal(delayOf(), 2);
  Object.freeze(list);
  delayOf();
  permission.delayMinutes = 3;
  assert.equal(delayOf(), 2, 'who freezes a list freezes what is in it');
});

test('numbers that are no int32 are refused, as the library refuses them', () => {
  for (const delayMinutes of [2 ** 31, -(2 ** 31) - 1, 2 ** 32 + 5, 1.5, Number.NaN]) {
    const permission = create(MDPermissionSchema, { delayMinutes });
    assert.throws(() => toBinary(MDPermissionSchema, permission));
    assert.throws(() => frameOf(MDPermissionSchema, permission), RangeError);
  }
});
