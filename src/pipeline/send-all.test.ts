import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, type Message } from '@bufbuild/protobuf';
import { AppError } from '../domain/errors.ts';
import { TokenDetailsRequestSchema } from '../gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { Call, type CallHead, type Exchange } from './call.ts';
import { sendAll } from './send-all.ts';

test('nothing is sent after the end, even where the end comes right after the answer', async () => {
  const written: Message[] = [];
  const exchange = { write: (message: Message) => void written.push(message) };
  const over = new AppError('UNAVAILABLE', 'over');
  // How many turns of the microtasks after the answer is asked for the call ends.
  for (let turns = 0; turns < 6; turns++) {
    const call = new Call({} as CallHead, 'r');
    let sentAtEnd = 0;
    call.onEnd(() => {
      sentAtEnd = written.length;
    });
    const endAfter = (left: number) =>
      queueMicrotask(() => (left === 0 ? call.end(over) : endAfter(left - 1)));
    const next = async () => {
      if (written.length === 0) endAfter(turns);
      return { done: false as const, value: create(TokenDetailsRequestSchema) };
    };
    written.length = 0;
    const answers = { [Symbol.asyncIterator]: () => ({ next }) };
    await assert.rejects(sendAll(call, exchange as unknown as Exchange, answers), over);
    assert.equal(written.length, sentAtEnd, `${turns}`);
  }
});
