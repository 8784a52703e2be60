import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Progress, progressLine } from './progress.ts';

/** Progress on a stream, and a clock that stands until it is moved. */
function watched(isTTY: boolean, isQuiet = false) {
  const texts: string[] = [];
  const time = { ms: 1_000 };
  const clock = { monotonic: () => time.ms };
  const progress = new Progress({ isTTY, write: (text) => texts.push(text) }, isQuiet, clock);
  return { progress, texts, time };
}

test('a line tells what, how much, how fast and how long it still takes', () => {
  const line = (done: number, total: number, elapsedMs: number) =>
    progressLine({ what: 'copying', done, total, elapsedMs });
  assert.equal(line(0, 80, 0), 'copying  [....................]   0 %  0/s');
  assert.equal(line(20, 80, 1_000), 'copying  [#####...............]  25 %  20/s  3s left');
  assert.equal(line(1, 601, 2_000), 'copying  [....................]   0 %  1/s  20m0s left');
  assert.equal(line(79, 80, 1_000), 'copying  [###################.]  98 %  79/s  1s left');
  assert.equal(line(80, 80, 4_000), 'copying  [####################] 100 %  20/s  in 4s');
  // More than was there when it was counted.
  assert.match(line(90, 80, 1_000), / 100 % {2}90\/s {2}in 1s$/);
  assert.match(line(0, 0, 0), / 100 % {2}0\/s {2}in 0s$/);
});

test('a terminal has one line, written again at most ten times a second', () => {
  const { progress, texts, time } = watched(true);
  progress.begin('copying', 100);
  for (let i = 0; i < 50; i++) {
    time.ms += 10;
    progress.add(1);
  }
  assert.equal(texts.length, 1 + 5);
  assert.ok(texts.every((text) => text.startsWith('\rcopying ') && text.endsWith('\x1b[K')));
  assert.ok(!texts.join('').includes('\n'));
  assert.match(texts.at(-1) ?? '', / {2}50 %/);
  progress.end();
  assert.deepEqual([texts.length, texts.at(-1)], [8, '\n']);
});

test('elsewhere a line is written every five seconds, and one at the end', () => {
  const { progress, texts, time } = watched(false);
  progress.begin('copying', 100);
  for (let i = 0; i < 12; i++) {
    time.ms += 1_000;
    progress.add(1);
  }
  progress.end();
  assert.equal(texts.length, 3);
  assert.ok(texts.every((text) => /^copying [^\r]*\n$/.test(text)));
});

test('who wants quiet has it', () => {
  for (const isTTY of [true, false]) {
    const { progress, texts, time } = watched(isTTY, true);
    progress.begin('copying', 2);
    time.ms += 60_000;
    progress.add(1);
    progress.end();
    assert.deepEqual(texts, []);
  }
});
