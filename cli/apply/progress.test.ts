import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { Progress } from './progress.ts';

function written(isTTY: boolean, use: (progress: Progress, wait: (ms: number) => void) => void) {
  const stream = Object.assign(new PassThrough(), { isTTY });
  let text = '';
  stream.write = (chunk: string) => {
    text += chunk;
    return true;
  };
  let nowMs = 0;
  use(new Progress(stream, () => nowMs), (ms) => {
    nowMs += ms;
  });
  return text;
}

test('is shown on a terminal, not too often, and goes away', () => {
  const text = written(true, (progress, wait) => {
    for (let done = 1; done <= 3; done++) {
      progress.show('changes made', done, 4);
      wait(60);
    }
    progress.show('changes made', 4, 4);
    progress.end();
    progress.end();
  });
  const lines = ['1 of 4 (25 %)', '3 of 4 (75 %)', '4 of 4 (100 %)'];
  const expected = lines.map((line) => `\r\u001b[Kchanges made: ${line}`).join('');
  assert.equal(text, `${expected}\r\u001b[K`);
});

test('is not shown anywhere else', () => {
  const text = written(false, (progress) => {
    progress.show('changes made', 1, 1);
    progress.end();
  });
  assert.equal(text, '');
});
