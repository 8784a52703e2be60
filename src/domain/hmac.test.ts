import assert from 'node:assert/strict';
import { createHmac, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { hmacOf } from './hmac.ts';

function byNode(key: KeyObject, text: string): string {
  return createHmac('sha256', key).update(text).digest('base64url');
}

const bytes = fc.uint8Array({ minLength: 1, maxLength: 64 });
const shortText = fc.string({ unit: 'binary', maxLength: 300 });
// Around what has a place already, in one, two and three bytes a character; then halves of surrogate pairs.
const longText = fc
  .tuple(fc.constantFrom('a', 'é', '€', '\ud83d', '😀'), fc.nat({ max: 9000 }))
  .map(([character, times]) => character.repeat(times));

test('it is what Node makes of the same key and text, one after the other', () => {
  const property = fc.property(bytes, fc.array(fc.oneof(shortText, longText)), (secret, texts) => {
    const key = createSecretKey(Buffer.from(secret));
    for (const text of texts) assert.equal(hmacOf(key, text), byNode(key, text));
  });
  fc.assert(property);
});

test('a vector of RFC 4231', () => {
  const key = createSecretKey(Buffer.from('Jefe'));
  const expected = '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843';
  const found = hmacOf(key, 'what do ya want for nothing?');
  assert.equal(Buffer.from(found, 'base64url').toString('hex'), expected);
});

test('a key that is longer than a block is refused', () => {
  assert.throws(() => hmacOf(createSecretKey(randomBytes(65)), 'text'), /at most 64 bytes/);
});
