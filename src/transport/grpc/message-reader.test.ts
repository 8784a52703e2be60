import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, type DescMessage, fromBinary, type Message, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { AppError } from '../../domain/errors.ts';
import {
  AuthRequestSchema,
  TokenDetailsRequestSchema,
} from '../../gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { OrderSchema } from '../../gen/grpc/tradeapi/v1/orders/orders_service_pb.js';
import { messages } from '../test-messages.ts';
import { readMessage } from './message-reader.ts';

const KINDS: readonly DescMessage[] = [TokenDetailsRequestSchema, AuthRequestSchema, OrderSchema];

for (const desc of KINDS) {
  test(`${desc.name} is read as the library reads it`, () => {
    fc.assert(
      fc.property(messages(desc), (message) => {
        const data = Buffer.from(toBinary(desc, message));
        assert.deepEqual(readMessage(desc, data), fromBinary(desc, data));
      }),
    );
  });
}

test('texts of every length are read, ASCII or not', () => {
  for (const length of [0, 1, 127, 128, 129, 16_383, 16_384, 70_000]) {
    for (const letter of ['a', 'я']) {
      const message = create(TokenDetailsRequestSchema, { token: letter.repeat(length) });
      const data = Buffer.from(toBinary(TokenDetailsRequestSchema, message));
      assert.deepEqual(readMessage(TokenDetailsRequestSchema, data), message);
    }
  }
});

/** What reads the bytes says: the message, or that there is none. */
function saidBy(read: () => Message): Message | 'refused' {
  try {
    return read();
  } catch {
    return 'refused';
  }
}

test('of any bytes the same is said as by the library', () => {
  const { length } = TokenDetailsRequestSchema.fields;
  assert.equal(length, 1);
  // Bytes that are near a message: its tag, short lengths, letters.
  const near = fc.array(fc.constantFrom(0x0a, 0x12, 0x08, 0x80, 1, 2, 3, 0x61, 0xd1, 0xff));
  const any = fc.array(fc.nat(255));
  fc.assert(
    fc.property(fc.oneof(near, any), (bytes) => {
      const data = Buffer.from(bytes);
      const ours = saidBy(() => readMessage(TokenDetailsRequestSchema, data));
      assert.deepEqual(
        ours,
        saidBy(() => fromBinary(TokenDetailsRequestSchema, data)),
      );
    }),
    { numRuns: 3000 },
  );
});

test('what is no message is refused with the reason', () => {
  assert.throws(
    () => readMessage(TokenDetailsRequestSchema, Buffer.from([0x0a, 5, 1])),
    (error) => error instanceof AppError && error.reason === 'INVALID_REQUEST',
  );
});
