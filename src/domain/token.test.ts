import assert from 'node:assert/strict';
import { createSecretKey, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Claims, newSigningKeyId, type SigningKey, signToken, TokenReader } from './token.ts';

function newKey(id: string): SigningKey {
  return { id, key: createSecretKey(randomBytes(32)) };
}

const KEY = newKey('k1');
const OLD_KEY = newKey('k0');
const reader = new TokenReader([KEY, OLD_KEY]);

const instant = fc.integer({ min: 0, max: 253_402_300_799 });
const anyClaims: fc.Arbitrary<Claims> = fc.record(
  {
    clientId: fc.string({ unit: 'grapheme', maxLength: 40 }),
    sessionId: fc.string({ unit: 'binary', maxLength: 40 }),
    keyId: fc.string({ maxLength: 40 }),
    issuedAt: instant,
    expiresAt: instant,
  },
  { noNullPrototype: true },
);

const CLAIMS: Claims = {
  clientId: 'demo',
  sessionId: 'AAAAAAAAAAAAAAAAAAAAAA',
  keyId: 'demo',
  issuedAt: 1_750_000_000,
  expiresAt: 1_750_000_903,
};

test('what is signed is read, by any of the keys', () => {
  fc.assert(
    fc.property(anyClaims, fc.constantFrom(KEY, OLD_KEY), (claims, key) => {
      assert.deepEqual(reader.read(signToken(claims, key)), claims);
    }),
  );
});

test('a token is ASCII of three parts, and the same each time', () => {
  fc.assert(
    fc.property(anyClaims, (claims) => {
      const token = signToken(claims, KEY);
      assert.match(token, /^[\w-]+\.[\w-]+\.[\w-]{43}$/);
      assert.equal(signToken(claims, KEY), token);
    }),
  );
});

test('any one character that is another, gone or more makes it forged', () => {
  const token = signToken(CLAIMS, KEY);
  const at = fc.nat({ max: token.length - 1 });
  const base64url = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const character = fc.oneof(
    fc.constantFrom(...base64url, '.', '=', '+', '/', ' '),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  );
  fc.assert(
    fc.property(at, character, (i, c) => {
      const changed = [
        token.slice(0, i) + c + token.slice(i + 1),
        token.slice(0, i) + token.slice(i + 1),
        token.slice(0, i) + c + token.slice(i),
        token + c,
      ];
      for (const each of changed) {
        if (each !== token) assert.equal(typeof reader.read(each), 'string', each);
      }
    }),
    { numRuns: 2000 },
  );
});

test('every bit of every part counts', () => {
  const bytes = Buffer.from(signToken(CLAIMS, KEY));
  for (let i = 0; i < bytes.length; i++) {
    for (let bit = 0; bit < 7; bit++) {
      const changed = Buffer.from(bytes);
      changed[i] = (changed[i] ?? 0) ^ (1 << bit);
      assert.equal(typeof reader.read(changed.toString('latin1')), 'string');
    }
  }
});

test('a key that the reader does not have signs nothing', () => {
  assert.equal(reader.read(signToken(CLAIMS, newKey('k1'))), 'TOKEN_FORGED');
  assert.equal(reader.read(signToken(CLAIMS, newKey('k2'))), 'TOKEN_FORGED');
  assert.equal(reader.read(signToken(CLAIMS, { ...KEY, id: 'k0' })), 'TOKEN_FORGED');
  assert.equal(new TokenReader([]).read(signToken(CLAIMS, KEY)), 'TOKEN_FORGED');
});

test('the flaws that the log tells apart', () => {
  assert.equal(reader.read(''), 'TOKEN_EMPTY');
  assert.equal(reader.read('x'), 'TOKEN_MALFORMED');
  assert.equal(reader.read('a.b.c.d'), 'TOKEN_MALFORMED');
  assert.equal(reader.read('a.b.c'), 'TOKEN_FORGED');
  assert.equal(reader.read('x'.repeat(2049)), 'TOKEN_MALFORMED');
});

test('instants that no Timestamp can say are not genuine', () => {
  for (const expiresAt of [-1, 253_402_300_800, Number.MAX_SAFE_INTEGER, 1.5, Number.NaN]) {
    assert.equal(reader.read(signToken({ ...CLAIMS, expiresAt }, KEY)), 'TOKEN_MALFORMED');
    assert.equal(
      reader.read(signToken({ ...CLAIMS, issuedAt: expiresAt }, KEY)),
      'TOKEN_MALFORMED',
    );
  }
});

test('a reader tells a key of ours that it does not know from what is none of ours', () => {
  const young = newKey(newSigningKeyId(randomBytes));
  const own = new TokenReader([KEY]);
  const token = signToken(CLAIMS, young);
  assert.ok(own.isOfUnknownKey(token));
  for (const other of [
    ...[
      '',
      'x',
      '.',
      token.slice(1),
      `A${token}`,
      token.replace('eyJ', 'eyK'),
      token.replace('.', 'A.'),
    ],
    ...[KEY, newKey('k2'), newKey('ABCDEF012345'), newKey('0123456789ab"')].map((key) =>
      signToken(CLAIMS, key),
    ),
    `${Buffer.from('{"alg":"none","typ":"JWT","kid":"0123456789ab"}').toString('base64url')}.e30.`,
  ]) {
    assert.equal(own.isOfUnknownKey(other), false, other);
  }
  own.add([young]);
  assert.equal(own.isOfUnknownKey(token), false);
  assert.deepEqual(own.read(token), CLAIMS);
  assert.deepEqual(own.read(signToken(CLAIMS, KEY)), CLAIMS);
});
