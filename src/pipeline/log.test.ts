import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { formatSecret } from '../domain/secret.ts';
import { AuthService } from '../gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { withoutSecrets } from './log.ts';

test('secrets and tokens are taken out of text', () => {
  const secret = formatSecret(randomBytes(20));
  const token = ['header', 'payload', 'signature']
    .map((part) => Buffer.from(part.repeat(6)).toString('base64url'))
    .join('.');
  for (const [text, expected] of [
    [secret, '***'],
    [`/v1/${secret}/x`, '/v1/***/x'],
    [token, '***.***.***'],
    [`"${secret}" more than once`, '"***" more than once'],
  ] as const) {
    assert.equal(withoutSecrets(text), expected);
  }
});

test('what the contract itself is made of stays', () => {
  for (const { name } of AuthService.methods) {
    const path = `/${AuthService.typeName}/${name}`;
    assert.equal(withoutSecrets(path), path);
  }
  const path = '/v1/accounts/TRQD05:146559/sltp-orders';
  assert.equal(withoutSecrets(path), path);
});
