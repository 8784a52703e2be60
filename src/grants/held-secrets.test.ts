import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyOf } from '../domain/test-key.ts';
import { HeldSecrets } from './held-secrets.ts';

test('the newest secret works as long as it is held, the one before it up to its end', () => {
  const secrets = new HeldSecrets();
  const rotated = { previousSecretMac: 'old', previousSecretEndsAtMs: 5 };
  secrets.hold(keyOf('k', 'c', { secretMac: 'new', ...rotated }));
  assert.equal(secrets.keyIdOf('new', 5), 'k');
  assert.equal(secrets.keyIdOf('old', 4), 'k');
  assert.equal(secrets.keyIdOf('old', 5), undefined);
  assert.equal(secrets.keyIdOf('other', 4), undefined);
  secrets.drop('k');
  assert.deepEqual([secrets.keyIdOf('new', 4), secrets.keyIdOf('old', 4)], [undefined, undefined]);
});

test('what a key is held with takes the place of what it was held with before', () => {
  const secrets = new HeldSecrets();
  secrets.hold(keyOf('k', 'c', { secretMac: 'one' }));
  secrets.hold(keyOf('k', 'c', { secretMac: 'two' }));
  assert.equal(secrets.keyIdOf('one', 0), undefined);
  assert.equal(secrets.keyIdOf('two', 0), 'k');
  secrets.clear();
  assert.equal(secrets.keyIdOf('two', 0), undefined);
});

test('a secret that has become that of another key is not dropped with the first', () => {
  const secrets = new HeldSecrets();
  secrets.hold(keyOf('first', 'c', { secretMac: 'mac' }));
  secrets.hold(keyOf('second', 'c', { secretMac: 'mac' }));
  secrets.drop('first');
  assert.equal(secrets.keyIdOf('mac', 0), 'second');
});
