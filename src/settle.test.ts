import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { getHeapSpaceStatistics } from 'node:v8';
import { settle } from './settle.ts';

const BUSY_MS = 1500;
const LOOKS = 100;
const LOOK_MS = 100;

/** What the heap keeps for what is young, in bytes. */
function keptForYoung(): number {
  const space = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space');
  return space?.space_size ?? 0;
}

/** Makes and drops as much as a start does. */
function litter(): void {
  let kept: unknown[] = [];
  for (let i = 0; i < 300_000; i++) {
    if (i % 50_000 === 0) kept = [];
    kept.push({ i });
  }
}

test('what is left of a start is given back once the thread is idle', async () => {
  litter();
  const before = keptForYoung();
  const isSmall = () => keptForYoung() < before / 4;
  await settle();
  const busyUntilMs = performance.now() + BUSY_MS;
  while (performance.now() < busyUntilMs) {
    const turnUntilMs = performance.now() + LOOK_MS;
    while (performance.now() < turnUntilMs);
    assert.equal(isSmall(), false, 'not while it has something to do');
    await nextTurn();
  }
  for (let i = 0; i < LOOKS && !isSmall(); i++) await sleep(LOOK_MS);
  assert.ok(isSmall(), `${before} bytes, then ${keptForYoung()}`);
});

test('no collection makes ticks slow', () => {
  const url = new URL('./settle.ts', import.meta.url);
  const program = `
    import { keptTick, settle, tick } from '${url}';
    await settle();
    await gc({ type: 'major', execution: 'async', flavor: 'last-resort' });
    console.log(%HaveSameMap(keptTick, await tick()));
  `;
  const flags = ['--expose-gc', '--allow-natives-syntax', '--input-type=module'];
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, '--eval', program], {
    encoding: 'utf8',
  });
  assert.equal(stdout, 'true\n', stderr);
});

test('a Node that forbids it goes on without', () => {
  const url = new URL('./settle.ts', import.meta.url);
  const program = `
    import { giveBack, settle } from '${url}';
    await settle();
    await giveBack();
    console.log('settled');
  `;
  const args = ['--permission', '--allow-fs-read=*', '--input-type=module', '--eval', program];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  assert.equal(stdout, 'settled\n', stderr);
});
