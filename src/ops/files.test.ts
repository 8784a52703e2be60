/** Files beside the database: who may read a master key. */
import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { FileError, isPrivate, readMasterKey } from './files.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'propusk-files-'));
after(() => rmSync(folder, { recursive: true }));

test('a key of root may be read by its group, any other by its owner alone', () => {
  const found = (uid: number) =>
    [0o400, 0o600, 0o440, 0o640, 0o660, 0o650, 0o604, 0o444, 0o644].filter((mode) =>
      isPrivate({ uid, mode: 0o100000 | mode }),
    );
  assert.deepEqual(found(0), [0o400, 0o600, 0o440, 0o640]);
  assert.deepEqual(found(1000), [0o400, 0o600]);
});

test('a master key is read as it is mounted, and refused where others can read it', () => {
  const file = path.join(folder, 'data');
  writeFileSync(file, 'ab'.repeat(32), { mode: 0o600 });
  // As Kubernetes mounts a secret: a link to a file that its group may read.
  const link = path.join(folder, 'master.key');
  symlinkSync(file, link);
  assert.equal(readMasterKey(link).length, 32);
  if (process.platform === 'win32') return;
  if (process.getuid?.() === 0) {
    chmodSync(file, 0o440);
    assert.equal(readMasterKey(link).length, 32);
    chownSync(file, 1, 1);
    assert.throws(() => readMasterKey(link), FileError);
  }
  chmodSync(file, 0o644);
  assert.throws(
    () => readMasterKey(link),
    (error: Error) => /can be read by others; .* chmod 600/.test(error.message),
  );
});
