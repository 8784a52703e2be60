import assert from 'node:assert/strict';
import { createSecretKey, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { AppError } from '../domain/errors.ts';
import { Call, type CallHead } from '../pipeline/call.ts';
import { authService } from './auth.ts';

/** Signs in over a store that answers whether a session was recorded. */
function make(isRecorded: boolean, secretMac?: string) {
  const macs: unknown[] = [];
  const grant = { keyId: 'k', clientId: 'c' };
  const store = {
    createSession: async (_session: unknown, _audit: unknown, mac: unknown) => {
      macs.push(mac);
      return isRecorded;
    },
  };
  const service = authService({
    store,
    admission: { ofKey: () => grant },
    signingKey: { id: '0123456789ab', key: createSecretKey(randomBytes(32)) },
    sessionTtlSeconds: 900,
    clock: { now: () => 1_750_000_000_000 },
    random: randomBytes,
  } as never);
  const call = new Call({ remoteAddress: '192.0.2.1', headers: {} } as CallHead, 'r');
  call.caller = { claims: undefined, grant, secretMac } as never;
  const request = { secret: 'secret', sourceAppId: '' } as never;
  return { macs, answer: Promise.try(() => service.auth?.(request, call)) };
}

test('a session is recorded for the secret that was shown, and for no other', async () => {
  const { macs, answer } = make(true, 'mac of the secret');
  assert.match(String((await answer)?.token), /^[\w-]+\.[\w-]+\.[\w-]+$/);
  assert.deepEqual(macs, ['mac of the secret']);
});

test('a secret that was replaced meanwhile is refused', async () => {
  const { answer } = make(false, 'mac of the secret');
  await assert.rejects(answer, (error: AppError) => {
    assert.equal(error.reason, 'SECRET_INVALID');
    assert.equal(error.options.logReason, 'SECRET_REVOKED');
    return true;
  });
});

test('nothing is recorded for a caller who has shown no secret', async () => {
  const { macs, answer } = make(true);
  await assert.rejects(answer, { message: 'the contract asks for a secret' });
  assert.deepEqual(macs, []);
});
