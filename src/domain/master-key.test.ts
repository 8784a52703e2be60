import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { systemRandom } from './clock.ts';
import { MasterKey, parseMasterKey } from './master-key.ts';

const KEY = new MasterKey(Buffer.alloc(32, 1));
const OTHER = new MasterKey(Buffer.alloc(32, 2));
const bytes = fc.uint8Array({ maxLength: 100 }).map((each) => Buffer.from(each));

test('the key of the audit log is its own, and shows nobody its bytes', () => {
  const auditKey = new MasterKey(Buffer.alloc(32, 1)).auditKey;
  assert.ok(auditKey.equals(new MasterKey(Buffer.alloc(32, 1)).auditKey));
  assert.ok(!auditKey.equals(new MasterKey(Buffer.alloc(32, 2)).auditKey));
  assert.ok(!auditKey.export().equals(Buffer.alloc(32, 1)));
  const hex = auditKey.export().toString('hex');
  assert.ok(!inspect({ auditKey }, { depth: 9 }).includes(hex));
  assert.equal(JSON.stringify({ auditKey }), '{"auditKey":{}}');
});

test('what is sealed is opened, under the same key and label alone', () => {
  fc.assert(
    fc.property(bytes, fc.string(), fc.string(), (plain, label, other) => {
      const sealed = KEY.seal(plain, label, systemRandom);
      assert.deepEqual(KEY.open(sealed, label), plain);
      assert.throws(() => OTHER.open(sealed, label));
      if (other !== label) assert.throws(() => KEY.open(sealed, other));
    }),
  );
});

test('a sealed value that was changed anywhere is not opened', () => {
  const sealed = KEY.seal(Buffer.from('plain'), 'label', systemRandom);
  const [version, text = ''] = sealed.split(':');
  const raw = Buffer.from(text, 'base64url');
  for (let i = 0; i < raw.length; i++) {
    const changed = Buffer.from(raw);
    changed[i] = (changed[i] ?? 0) ^ 1;
    assert.throws(() => KEY.open(`${version}:${changed.toString('base64url')}`, 'label'));
  }
  for (const other of ['', '1', '1:', `2:${text}`, text, `${version}:${text.slice(0, 30)}`]) {
    assert.throws(() => KEY.open(other, 'label'), other);
  }
});

test('the same is sealed another way each time', () => {
  const seal = () => KEY.seal(Buffer.from('plain'), 'label', systemRandom);
  assert.notEqual(seal(), seal());
});

test('a check value tells its key from others, and nothing else', () => {
  assert.ok(KEY.matches(KEY.checkValue()));
  assert.ok(!OTHER.matches(KEY.checkValue()));
  for (const other of ['', '1:', `${KEY.checkValue()}x`]) assert.ok(!KEY.matches(other));
});

test('the HMAC of a secret names its version, and differs by secret and by key', () => {
  assert.match(KEY.macOfSecret('a'), /^1:[\w-]{43}$/);
  assert.equal(KEY.macOfSecret('a'), KEY.macOfSecret('a'));
  assert.notEqual(KEY.macOfSecret('a'), KEY.macOfSecret('b'));
  assert.notEqual(KEY.macOfSecret('a'), OTHER.macOfSecret('a'));
  // One use of the master key tells nothing of another.
  assert.notEqual(KEY.macOfSecret('propusk'), KEY.checkValue());
  assert.ok(!KEY.macOfSecret('demo').includes(KEY.demoSecretBits('demo').toString('base64url')));
});

test('demo secrets have 160 bits that the key and the name decide', () => {
  assert.equal(KEY.demoSecretBits('demo').length, 20);
  assert.deepEqual(KEY.demoSecretBits('demo'), KEY.demoSecretBits('demo'));
  assert.notDeepEqual(KEY.demoSecretBits('demo'), KEY.demoSecretBits('other'));
  assert.notDeepEqual(KEY.demoSecretBits('demo'), OTHER.demoSecretBits('demo'));
});

test('a master key is 64 hex digits or base64 of 32 bytes, with white space around', () => {
  const key = randomBytes(32);
  for (const text of [
    key.toString('hex'),
    key.toString('hex').toUpperCase(),
    key.toString('base64'),
    key.toString('base64url'),
    ` ${key.toString('hex')}\n`,
  ]) {
    assert.deepEqual(parseMasterKey(text), key, text);
  }
  for (const text of [
    '',
    'secret',
    key.toString('hex').slice(2),
    `${key.toString('hex')}00`,
    key.toString('base64').slice(2),
    randomBytes(33).toString('base64'),
    `${key.toString('hex').slice(1)}g`,
  ]) {
    assert.equal(parseMasterKey(text), undefined, text);
  }
});

test('a key of another length is refused', () => {
  for (const length of [0, 16, 31, 33]) {
    assert.throws(() => new MasterKey(Buffer.alloc(length)));
  }
});
