/** Nodes that share their limits: however many they are, together they let through what one would. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { FREE, LIMITED, ServeNodes } from './serve-nodes.ts';
import { ValkeyServer } from './valkey.ts';

const NODE = path.join(import.meta.dirname, 'valkey-node.ts');

/** The next message of a node. */
function told<T>(node: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    node.once('message', (message) => resolve(message as T));
    node.once('exit', () => reject(new Error('a node has ended')));
  });
}

for (const count of [1, 2, 4, 8]) {
  test(`of 1,000 calls at once, spread over ${count} processes, exactly 200 pass`, async () => {
    await using server = await ValkeyServer.start();
    const nodes = Array.from({ length: count }, () => fork(NODE, [server.url]));
    try {
      assert.deepEqual(await Promise.all(nodes.map(told)), Array(count).fill('up'));
      const passed = nodes.map(told<number>);
      for (const node of nodes) node.send(1000 / count);
      const sum = (await Promise.all(passed)).reduce((total, each) => total + each, 0);
      assert.equal(sum, 200);
    } finally {
      for (const node of nodes) node.kill('SIGKILL');
    }
  });
}

test('four `serve` share the limits of keys, of addresses and of operators’ failures', async () => {
  await using server = await ValkeyServer.start();
  const slow = { PROPUSK_COUNTERS_MS_MAX: '60000' };
  await using nodes = await ServeNodes.start(4, { PROPUSK_COUNTERS: server.url, ...slow });
  await nodes.allShare();
  const all = [0, 1, 2, 3];
  const limited = await nodes.statuses(1000, all, (node) => nodes.signIn(node, LIMITED));
  assert.deepEqual(limited, { 200: 200, 429: 800 });
  const wrong = await nodes.statuses(500, all, (node) => nodes.signIn(node, `${LIMITED}wrong`));
  assert.deepEqual(wrong, { 401: 200, 429: 300 });
  const guesses = await nodes.statuses(100, all, (node) =>
    fetch(`${nodes.all[node]?.internalUrl}/admin/v1/clients`, {
      headers: { authorization: 'pop_wrong' },
    }),
  );
  assert.deepEqual(guesses, { 401: 20, 429: 80 });
  const free = await nodes.statuses(400, all, (node) => nodes.signIn(node, FREE));
  assert.deepEqual(free, { 200: 400 });
  assert.deepEqual(await nodes.figures('propusk_counters_alone_total'), [0, 0, 0, 0]);
  // What others see in Valkey are names, never secrets.
  const keys = (await server.command('KEYS', '*')) as string[];
  const network = 'propusk:address:127.0.0.1';
  assert.deepEqual(keys.sort(), [
    network,
    'propusk:key:Auth free',
    'propusk:key:Auth limited',
    'propusk:nodes',
    'propusk:operator:127.0.0.1',
  ]);
  // Who ends in order is no longer counted.
  assert.equal(await nodes.all[3]?.stop(), 0);
  assert.equal(await server.command('ZCARD', 'propusk:nodes'), 3);
});
