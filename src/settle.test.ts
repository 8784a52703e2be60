import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { getHeapSpaceStatistics } from 'node:v8';
import { settle } from './settle.ts';

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

test('what is left of a start is given back', async () => {
  litter();
  const before = keptForYoung();
  await settle();
  assert.ok(keptForYoung() < before / 4, `${before} bytes, then ${keptForYoung()}`);
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
  const program = `import { settle } from '${url}'; await settle(); console.log('settled');`;
  const args = ['--permission', '--allow-fs-read=*', '--input-type=module', '--eval', program];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  assert.equal(stdout, 'settled\n', stderr);
});
