import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatSecret, isMistypedSecret, isWellFormedSecret } from './secret.ts';

const bits = fc.uint8Array({ minLength: 20, maxLength: 20 }).map((bytes) => Buffer.from(bytes));
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

test('a secret has one form, that scanners can find', () => {
  fc.assert(
    fc.property(bits, (each) => {
      const secret = formatSecret(each);
      assert.match(secret, /^psk_[0-9A-Za-z]{33}$/);
      assert.ok(isWellFormedSecret(secret));
    }),
  );
});

test('other bits are another secret', () => {
  fc.assert(
    fc.property(bits, bits, (a, b) => {
      assert.equal(formatSecret(a) === formatSecret(b), a.equals(b));
    }),
  );
  for (const each of [Buffer.alloc(20), Buffer.alloc(20, 0xff)]) {
    assert.ok(isWellFormedSecret(formatSecret(each)));
  }
});

test('a typo does not pass the checksum', () => {
  const at = fc.nat({ max: 32 });
  const character = fc.constantFrom(...ALPHABET);
  let passed = 0;
  fc.assert(
    fc.property(bits, at, character, (each, i, c) => {
      const secret = formatSecret(each);
      const typo = secret.slice(0, 4 + i) + c + secret.slice(5 + i);
      if (typo !== secret && isWellFormedSecret(typo)) passed++;
      assert.equal(isMistypedSecret(typo), typo !== secret);
    }),
    { numRuns: 1000 },
  );
  // Once in 2^32, so never here.
  assert.equal(passed, 0);
});

test('what is of another form is not well-formed', () => {
  const secret = formatSecret(randomBytes(20));
  for (const other of [
    '',
    'psk_',
    secret.slice(4),
    `${secret}0`,
    ` ${secret}`,
    secret.slice(0, -1),
  ]) {
    assert.ok(!isWellFormedSecret(other), other);
  }
});

test("an operator's token has the same form, and is no API secret", () => {
  fc.assert(
    fc.property(bits, (each) => {
      const token = formatSecret(each, 'pop_');
      assert.match(token, /^pop_[0-9A-Za-z]{33}$/);
      assert.ok(isWellFormedSecret(token, 'pop_'));
      assert.ok(!isWellFormedSecret(token));
      assert.ok(!isWellFormedSecret(formatSecret(each), 'pop_'));
      assert.ok(!isMistypedSecret(token));
    }),
  );
});

test('what begins like a secret of ours and is none is mistyped; what others made is not', () => {
  const secret = formatSecret(randomBytes(20));
  for (const mistyped of [
    ...['psk_', 'pop_x', secret.slice(0, -1), `${secret}0`, ` ${secret}`, `${secret}\n`],
    secret.toUpperCase(),
  ]) {
    assert.ok(isMistypedSecret(mistyped), mistyped);
  }
  for (const other of ['', 'psk', secret.slice(4), 'YOUR_API_TOKEN', `x${secret}`, secret]) {
    assert.ok(!isMistypedSecret(other), other);
  }
});
