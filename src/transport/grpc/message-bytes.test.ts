import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  type MDPermission,
  MDPermissionSchema,
  TokenDetailsResponseSchema,
} from '../../gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { partsOf } from './message-bytes.ts';

function answerWith(mdPermissions: readonly MDPermission[]) {
  const answer = create(TokenDetailsResponseSchema, { accountIds: ['1899011'], readonly: true });
  return Object.assign(answer, { mdPermissions });
}

test('a message with frozen lists is read as the same message', () => {
  const list = ['#RBRD', '_SPBZ'].map((value) =>
    create(MDPermissionSchema, { quoteLevel: 3, condition: { case: 'mic', value } }),
  );
  const expected = answerWith([...list]);
  const frozen = answerWith(Object.freeze(list));
  for (const message of [expected, frozen, frozen]) {
    const bytes = Buffer.concat(partsOf(TokenDetailsResponseSchema, message));
    assert.deepEqual(fromBinary(TokenDetailsResponseSchema, bytes), expected);
  }
  assert.deepEqual(frozen.mdPermissions, list, 'the message itself is left as it was');
});

test('a frozen list is written once, another each time', () => {
  const permission = create(MDPermissionSchema, { delayMinutes: 1 });
  const list = [permission];
  const delayOf = () => {
    const bytes = Buffer.concat(partsOf(TokenDetailsResponseSchema, answerWith(list)));
    return fromBinary(TokenDetailsResponseSchema, bytes).mdPermissions[0]?.delayMinutes;
  };
  assert.equal(delayOf(), 1);
  permission.delayMinutes = 2;
  assert.equal(delayOf(), 2);
  Object.freeze(list);
  delayOf();
  permission.delayMinutes = 3;
  assert.equal(delayOf(), 2, 'who freezes a list freezes what is in it');
});

test('without frozen lists the bytes are those of the library', () => {
  const answer = answerWith([create(MDPermissionSchema, { delayMinutes: 1 })]);
  assert.deepEqual(partsOf(TokenDetailsResponseSchema, answer), [
    toBinary(TokenDetailsResponseSchema, answer),
  ]);
});
