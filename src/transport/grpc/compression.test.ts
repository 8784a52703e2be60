import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { COMPRESSED_BYTES_MIN, compress, takesGzip } from './compression.ts';

test('gzip is taken where the list of encodings holds it', () => {
  for (const list of ['gzip', 'identity,deflate,gzip', 'identity, gzip, br', 'gzip ,identity']) {
    assert.ok(takesGzip(list), list);
  }
  for (const list of [undefined, '', 'identity', 'deflate', 'xgzip', 'gzip2', 'x-gzip,identity']) {
    assert.ok(!takesGzip(list), `${list}`);
  }
  assert.ok(takesGzip(['identity', 'gzip']));
});

test('what is compressed is smaller, or left as it is', () => {
  const dull = Buffer.alloc(COMPRESSED_BYTES_MIN, 'dull');
  const packed = compress(dull);
  assert.ok(packed !== undefined && packed.length < dull.length);
  assert.deepEqual(gunzipSync(packed), dull);
  assert.equal(compress(randomBytes(100_000)), undefined);
});
