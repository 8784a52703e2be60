/** Four processes that serve one another's callers: what each of them did, the others know. */
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster } from './cluster.ts';
import { ClusterLoad } from './cluster-load.ts';

const LOAD_MS = 4_000;

test('four nodes under load: nothing is lost, and no promise broken', async (t) => {
  await using cluster = await Cluster.start(4);
  await using load = await ClusterLoad.start(cluster);
  await sleep(LOAD_MS);
  const books = await load.end();
  t.diagnostic(books.told);
  await books.verify(cluster);
});
