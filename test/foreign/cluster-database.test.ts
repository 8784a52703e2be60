/**
 * Four nodes under load whose PostgreSQL hangs, is killed, loses connections at COMMIT or is not heard of:
 * nothing that was answered is lost, and nobody says yes who cannot know.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, failureOf } from '../clients/client.ts';
import { until } from '../wait.ts';
import { Cluster, type ClusterNode, STALENESS_MS_MAX } from './cluster.ts';
import { underLoad } from './cluster-load.ts';
import { type Commit, FEED, type PostgresProxy } from './postgres-proxy.ts';

const AWAY_MS = 10_000;
/** Of a call, the default: nobody is left without an answer for longer. */
const DEADLINE_MS_MAX = 10_000;
/** By what a machine that does more than this is late. */
const LATE_MS_MAX = 5_000;
/** Codes of gRPC. */
const [DEADLINE_EXCEEDED, UNAVAILABLE, UNAUTHENTICATED] = [4, 14, 16];
/** Of COMMITs, the share that is lost, and the share whose answer is. */
const CUT_SHARE = 0.15;
/** COMMITs that are cut in either way before the test goes on. */
const CUTS_MIN = 20;
const CUTS_MS_MAX = 60_000;
/** For a node to be as it was. */
const AGAIN_MS_MAX = 30_000;
/** Of sessions and keys, while notifications are cut. */
const ENDS_MIN = 10;
/** Tokens that are revoked while a node hears of nothing. */
const REVOKED = 20;
const HITS = 'propusk_cache_lookups_total{cache="grants",result="hit"}';
const MISSES = 'propusk_cache_lookups_total{cache="grants",result="miss"}';

let cluster: Cluster;
before(async () => {
  cluster = await Cluster.start(4, { isProxied: true });
});
after(() => cluster[Symbol.asyncDispose]());

function proxies(): PostgresProxy[] {
  return cluster.nodes.map(({ proxy }) => {
    assert.ok(proxy);
    return proxy;
  });
}

/** How the database may be away, and the codes that calls meanwhile may end with. */
interface Away {
  readonly what: string;
  readonly begin: () => unknown;
  readonly end: () => unknown;
  readonly codes: readonly number[];
}

const AWAYS: readonly Away[] = [
  {
    what: 'hangs for 10 s',
    begin: () => cluster.postgres.hang(),
    end: () => cluster.postgres.goOn(),
    // One that waited until its deadline is told that.
    codes: [UNAVAILABLE, DEADLINE_EXCEEDED],
  },
  {
    what: 'is killed with -9, and started after 10 s',
    begin: () => cluster.postgres.kill(),
    end: () => cluster.postgres.startAgain(),
    codes: [UNAVAILABLE],
  },
];

for (const { what, begin, end, codes } of AWAYS) {
  test(`PostgreSQL ${what}: no stale yes, and nothing is lost`, async (t) => {
    const [key] = await cluster.newKeys(1);
    const signIn = ({ outside }: ClusterNode) => outside.auth(key?.secret ?? '');
    const tokens = await Promise.all(cluster.nodes.map(signIn));
    await underLoad(t, cluster, async ({ books }) => {
      const { retries } = books;
      await begin();
      const beganAtMs = performance.now();
      try {
        books.unknownFromMs = beganAtMs + STALENESS_MS_MAX;
        await sleep(STALENESS_MS_MAX);
        const asked = cluster.nodes.map(({ outside }, i) => refused(outside, tokens[i] ?? ''));
        for (const { code, ms } of await Promise.all(asked)) {
          assert.ok(codes.includes(code), `code ${code}`);
          assert.ok(ms < DEADLINE_MS_MAX + LATE_MS_MAX, `${ms} ms`);
        }
        await sleep(AWAY_MS - (performance.now() - beganAtMs));
        assert.ok(books.retries > retries, 'the load was refused as well');
      } finally {
        books.unknownFromMs = Number.POSITIVE_INFINITY;
        await end();
      }
    });
  });
}

async function refused(client: Client, token: string): Promise<{ code: number; ms: number }> {
  const beganAtMs = performance.now();
  const { code } = await failureOf(client.tokenDetails(token));
  return { code, ms: performance.now() - beganAtMs };
}

test('connections are lost at COMMIT: what was answered is there, once', async (t) => {
  const fate = (): Commit => {
    const share = Math.random() / CUT_SHARE;
    if (share < 1) return 'lose';
    return share < 2 ? 'hide' : 'pass';
  };
  const cuts = (of: Commit) => proxies().reduce((sum, { commits }) => sum + commits[of], 0);
  await underLoad(t, cluster, async () => {
    for (const proxy of proxies()) proxy.atCommit(fate);
    const isEnough = () => cuts('lose') >= CUTS_MIN && cuts('hide') >= CUTS_MIN;
    await until('COMMITs that are cut', isEnough, CUTS_MS_MAX);
    for (const proxy of proxies()) proxy.atCommit(() => 'pass');
  });
  const told = `${cuts('lose')} COMMITs lost, ${cuts('hide')} answers of COMMITs`;
  t.diagnostic(`${told}, of ${cuts('pass') + cuts('lose') + cuts('hide')}`);
});

test('notifications are cut, then hang: what others end is ended here in time', async (t) => {
  const isFeed = (purpose: string) => purpose === FEED;
  const listening = (count: number) => proxies().every((proxy) => proxy.open(FEED) === count);
  await underLoad(t, cluster, async (load) => {
    for (const proxy of proxies()) proxy.refuse(isFeed);
    await load.goesOn(ENDS_MIN);
    assert.ok(listening(0), 'nobody is notified');
    for (const proxy of proxies()) proxy.allow();
    await until('notifications', () => listening(1), AGAIN_MS_MAX);
    for (const proxy of proxies()) proxy.hang(isFeed);
    await load.goesOn(ENDS_MIN);
    for (const proxy of proxies()) proxy.allow();
    await until('notifications', () => listening(1), AGAIN_MS_MAX);
  });
});

test('a node that hears of nothing asks the database per call, and believes itself again', async (t) => {
  const [deaf, other] = cluster.nodes as [ClusterNode, ClusterNode];
  const [key] = await cluster.newKeys(1);
  const signIn = () => other.outside.auth(key?.secret ?? '');
  await underLoad(t, cluster, async () => {
    const tokens = await Promise.all(Array.from({ length: REVOKED }, signIn));
    const good = await signIn();
    for (const token of [...tokens, good]) await deaf.outside.tokenDetails(token);
    // Its looks at what was announced, and nothing else.
    deaf.proxy?.hangAt((sql) => sql.includes('FROM change_feed'));
    await sleep(STALENESS_MS_MAX);
    const before = await deaf.figures();
    for (const token of tokens) {
      await cluster.endSession(other, token);
      // At once: who asks the database is never behind.
      const { code } = await failureOf(deaf.outside.tokenDetails(token));
      assert.equal(code, UNAUTHENTICATED);
      await deaf.outside.tokenDetails(good);
    }
    const after = await deaf.figures();
    assert.equal(after.get(HITS), before.get(HITS), 'nothing that is held is used');
    assert.ok(Number(after.get(MISSES)) >= Number(before.get(MISSES)) + 2 * REVOKED);
    deaf.proxy?.allow();
    const uses = async () => {
      await deaf.outside.tokenDetails(good);
      return Number((await deaf.figures()).get(HITS)) > Number(after.get(HITS));
    };
    await until('what is held is used', uses, AGAIN_MS_MAX);
  });
});
