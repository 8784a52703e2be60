/** What a server takes that nobody calls. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startServeApart, temporaryFolder } from './start.ts';

/** It is some 93; 115 with what its start leaves behind, 120 where it has to compile. */
const IDLE_MIB_MAX = 105;
const LOOKS = 50;
const LOOK_MS = 100;

function residentMib(pid = 0): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

const isLinux = process.platform === 'linux';
test('an idle server is small, also after one that was killed', { skip: !isLinux }, async () => {
  const folder = temporaryFolder();
  const env = {
    NODE_COMPILE_CACHE: path.join(folder, 'compiled'),
    PROPUSK_DATABASE: `sqlite:${path.join(folder, 'propusk.db')}`,
  };
  const first = await startServeApart(env);
  await sleep(LOOK_MS);
  await first.stop('SIGKILL');
  await using server = await startServeApart(env);
  const { pid } = server.child;
  // Its threads give back what their starts left once they are idle.
  for (let i = 0; i < LOOKS && residentMib(pid) > IDLE_MIB_MAX; i++) await sleep(LOOK_MS);
  assert.ok(residentMib(pid) <= IDLE_MIB_MAX, `${residentMib(pid)} MiB`);
});
