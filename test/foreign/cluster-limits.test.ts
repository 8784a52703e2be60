/**
 * Nodes share a key's limit: of 1,000 calls exactly 200 pass, to however many nodes they come. That is
 * promised while all of them share. A node that Valkey's answer does not reach in time decides alone, by its
 * share, and tells so: such a run shows nothing about the sum.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HELD_MS } from '../../src/counters/shared.ts';
import { WINDOW_MS } from '../../src/domain/quota.ts';
import { CallFailure, type Headers } from '../clients/client.ts';
import { figuresOf } from '../limits-scene.ts';
import { Cluster } from './cluster.ts';

const CALLS = 1_000;
const LIMIT = 200;
/** Calls under way at a time. */
const IN_FLIGHT = 16;
/**
 * That a call waits for Valkey, in milliseconds: by default it is 20, which a machine that does more than this
 * needs for anything.
 */
const COUNTERS_MS_MAX = 5_000;
/** One in which all nodes share is enough, and one must be had. */
const ATTEMPTS = 4;
const RESOURCE_EXHAUSTED = 8;

let cluster: Cluster;

before(async () => {
  cluster = await Cluster.start(8, { env: { PROPUSK_COUNTERS_MS_MAX: `${COUNTERS_MS_MAX}` } });
  // Until then nodes that have just found Valkey hold each key to its share as well.
  await sleep(HELD_MS);
});
after(() => cluster[Symbol.asyncDispose]());

interface Attempt {
  readonly passed: number;
  readonly refused: number;
  /** Why nodes were not bound to have shared; empty where all did, from the first call to the last. */
  readonly alone: string;
}

/** Sends the calls of a new key to so many nodes. */
async function attempt(count: number): Promise<Attempt> {
  const [key] = await cluster.newKeys(1, {});
  const nodes = cluster.nodes.slice(0, count);
  const token = await nodes[0]?.outside.auth(key?.secret ?? '');
  const decidedAlone = () => cluster.figures('propusk_counters_alone_total');
  const before = await decidedAlone();
  const beganAtMs = performance.now();
  const limits = new Set<number>();
  let sent = 0;
  let passed = 0;
  const note = (headers: Headers) => limits.add(figuresOf(headers).limit);
  const call = async () => {
    while (sent < CALLS) {
      const client = nodes[sent++ % count]?.outside;
      try {
        note((await client?.tokenDetails(token ?? ''))?.headers ?? {});
        passed += 1;
      } catch (error) {
        if (!(error instanceof CallFailure) || error.code !== RESOURCE_EXHAUSTED) throw error;
        note(error.headers);
      }
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, call));
  const tookMs = performance.now() - beganAtMs;
  const after = await decidedAlone();
  const reasons = [
    ...nodes.flatMap((_, i) => {
      const calls = (after[i] ?? Number.NaN) - (before[i] ?? Number.NaN);
      return calls === 0 ? [] : [`node ${i} decided ${calls} calls alone`];
    }),
    ...(limits.size === 1 && limits.has(LIMIT) ? [] : [`limits of ${[...limits].join()}`]),
    ...(tookMs < WINDOW_MS ? [] : [`they took ${tookMs.toFixed(0)} ms`]),
  ];
  return { passed, refused: CALLS - passed, alone: reasons.join(', ') };
}

for (const count of [1, 2, 4, 8]) {
  test(`of 1,000 calls to ${count} of 8 nodes exactly 200 pass`, async (t) => {
    for (let i = 0; i < ATTEMPTS; i++) {
      const { passed, refused, alone } = await attempt(count);
      t.diagnostic(`${passed} passed, ${refused} were refused${alone && `; ${alone}`}`);
      if (alone === '') {
        assert.deepEqual([passed, refused], [LIMIT, CALLS - LIMIT]);
        return;
      }
      // What is promised all the same.
      assert.ok(passed < 2 * LIMIT, alone);
      await sleep(HELD_MS);
      await cluster.allShare();
    }
    assert.fail('nodes never shared for the time of 1,000 calls');
  });
}
