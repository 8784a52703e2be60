import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { flawOfImportedSecret } from './imported-secret.ts';
import { formatSecret } from './secret.ts';

const bytes = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((each) => {
    // fast-check likes zeros and repetitions; a hash of what it draws is as random as a secret.
    return createHash('shake256', { outputLength: length }).update(each).digest();
  });

test('what was made at random is taken, in whatever form', () => {
  const random = fc.oneof(
    bytes(16).map((each) => each.toString('hex')),
    bytes(24).map((each) => each.toString('base64url')),
    bytes(64).map((each) => each.toString('base64')),
    bytes(20).map((each) => formatSecret(each)),
    bytes(32).map((each) => `secret-token:${each.toString('hex')}`),
    bytes(24).map((each) => `api_key_live_${each.toString('base64url')}`),
    bytes(600).map((each) => `eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.${each.toString('base64url')}`),
  );
  fc.assert(
    fc.property(random, (secret) => {
      assert.equal(flawOfImportedSecret(secret), undefined, secret);
    }),
    { numRuns: 5000 },
  );
});

const GOOD = 'Zk3v9TqLw0xHs6YbNf2Rj8GmCd5PaUe1';

const FLAWS: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^is empty$/, ['']],
  [
    /^has fewer than 32 characters$/,
    ['a', GOOD.slice(1), 'Zk3v9TqLw0xHs6YbNf2R 8GmCd5PaUe', '💸'.repeat(31)],
  ],
  [/^has more than 4096 characters$/, [GOOD.repeat(128) + GOOD]],
  [
    /^holds invisible characters, or a blank or line end around it$/,
    [` ${GOOD}`, `${GOOD}\n`, `${GOOD}\u200b`, `${GOOD}\0`, `${GOOD}\ud800`, `\ufeff${GOOD}`, ' '],
  ],
  [
    /^begins like a secret of Propusk, but its checksum does not hold/,
    [`psk_${GOOD}`, 'psk_', `PSK_${GOOD}x`, `pop_${GOOD}x`],
  ],
  [
    /^is a placeholder of a document or sample, not a secret$/,
    [
      ...['YOUR_API_TOKEN', 'your-api-token', 'Your Secret', '<token>', `\${PROPUSK_SECRET}`],
      ...['changeme', 'CHANGE_ME', 'change-me-'.repeat(4), `replace-me-${GOOD}`, '{{ secret }}'],
      ...['eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9...', `${GOOD}…`, '********', '%SECRET%'],
      ...['insert your token here, please: it has to be long', 'placeholder', 'REDACTED'],
      ...['AKIAIOSFODNN7EXAMPLE', 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'],
      'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P',
    ],
  ],
  [
    /^is made of words, or repeats itself, or counts up; a secret is random$/,
    [
      ...['x'.repeat(32), '0'.repeat(64), 'abc123'.repeat(6), `${GOOD.slice(0, 20)}`.repeat(2)],
      ...['0123456789abcdef'.repeat(2), '0123456789abcdefghijklmnopqrstuvwxyz', '01'.repeat(16)],
      ...['my-secret-test-api-key-for-the-propusk-api', 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9'],
      ...['qwertyqwertyqwerty-Qwerty-qwerty1234', 'zyxwvutsrqponmlkjihgfedcba9876543210'],
      ...['abcdefghabcdefghabcdefghabcdefghabc', '💸'.repeat(32), '!'.repeat(40)],
    ],
  ],
];

for (const [flaw, secrets] of FLAWS) {
  test(`a secret is refused: ${flaw.source}`, () => {
    for (const secret of secrets) {
      assert.match(String(flawOfImportedSecret(secret)), flaw, secret);
    }
  });
}

test('the shortest and the longest that are taken', () => {
  const long = createHash('shake256', { outputLength: 3072 }).update('long').digest('base64url');
  assert.equal(long.length, 4096);
  for (const secret of [GOOD, long, 'correct horse battery staple, and a fifth one']) {
    assert.equal(flawOfImportedSecret(secret), undefined, secret);
  }
  assert.equal(flawOfImportedSecret(`${long}x`), 'has more than 4096 characters');
});

test('no refusal holds any of the secret, and none takes long', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 4, maxLength: 200 }), (secret) => {
      assert.ok(!flawOfImportedSecret(secret)?.includes(secret));
    }),
  );
  for (const part of ['a', '.', '<', '$', '%', 'ab', 'secret', '\ud800']) {
    assert.ok(flawOfImportedSecret(part.repeat(1_000_000)));
  }
});
