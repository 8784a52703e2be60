import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DescMethod } from '@bufbuild/protobuf';
import type { AppError } from '../domain/errors.ts';
import { AuthService } from '../gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import type { CallHead, Exchange } from './call.ts';
import { Pipeline } from './pipeline.ts';

/** Calls a method whose service never answers; how the call ended, and what it held. */
async function call(method: DescMethod, timeoutMs: number) {
  const counts = { admitted: 0, taken: 0, left: 0 };
  const errors: (AppError | undefined)[] = [];
  const impl = Object.fromEntries(AuthService.methods.map((each) => [each.localName, () => {}]));
  const enter = () => {
    counts.taken++;
    return { leave: () => counts.left++ };
  };
  const pipeline = new Pipeline({
    registrations: [{ service: AuthService, impl }],
    log: { isLevelEnabled: () => false },
    clock: { monotonic: () => 0 },
    random: (bytes: number) => Buffer.alloc(bytes),
    deadlineMsMax: () => 1000,
    faults: { pick: () => undefined },
    admit: () => {
      counts.admitted++;
      return new Promise(() => {});
    },
    shed: { enter },
  } as unknown as ConstructorParameters<typeof Pipeline>[0]);
  const head = { method, headers: {}, remoteAddress: '', timeoutMs } as unknown as CallHead;
  const exchange = {
    head,
    finish: (_call: unknown, error: AppError | undefined) => errors.push(error),
    onAbort: () => {},
  };
  pipeline.handle(exchange as unknown as Exchange);
  await pipeline.idle();
  await new Promise(setImmediate);
  return { ...counts, reasons: errors.map((error) => error?.reason) };
}

test('a call whose deadline is over at its head is not let in, and holds nothing', async () => {
  const { tokenDetails, subscribeJwtRenewal } = AuthService.method;
  const over = { taken: 1, left: 1, reasons: ['DEADLINE_EXCEEDED'] };
  for (const method of [tokenDetails, subscribeJwtRenewal]) {
    assert.deepEqual(await call(method, 0), { ...over, admitted: 0 });
    assert.deepEqual(await call(method, 1), { ...over, admitted: 1 });
  }
});
