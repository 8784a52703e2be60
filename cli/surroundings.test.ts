import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { CommandFailure } from './failure.ts';
import { readSecret, type Surroundings } from './surroundings.ts';

/** Someone at a terminal who types this. */
function typing(text: string) {
  const shown: string[] = [];
  const modes: boolean[] = [];
  const stdin = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode(isRaw: boolean) {
      modes.push(isRaw);
      return stdin;
    },
  });
  const stderr = new PassThrough();
  stderr.on('data', (chunk) => shown.push(String(chunk)));
  stdin.write(text);
  const around: Surroundings = { env: {}, stdin, stdout: new PassThrough(), stderr, now: () => 0 };
  return { around, shown, modes };
}

test('a secret that is typed is not shown', async () => {
  const { around, shown, modes } = typing('pop_sexx\x7f\x7fcret\rrest');
  assert.equal(await readSecret(around, undefined, 'the token'), 'pop_secret');
  await new Promise(setImmediate);
  assert.deepEqual(shown, ['the token: ', '\n']);
  assert.deepEqual(modes, [true, false]);
});

test('Ctrl+C ends it, and an empty line is no secret', async () => {
  for (const text of ['pop_\x03', '\r', '\x04']) {
    const { around, modes } = typing(text);
    await assert.rejects(readSecret(around, '-', 'the token'), CommandFailure);
    assert.deepEqual(modes, [true, false]);
  }
});
