/** One store whose connections are lost, in every place that was thought of: what it answers is so. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import {
  AUDIT_KEY,
  audit,
  client,
  key,
  NOW_MS,
  put,
  session,
} from '../../src/store/contract-samples.ts';
import { openPostgres, type PostgresOptions } from '../../src/store/postgres/postgres.ts';
import type { Store } from '../../src/store/store.ts';
import { until } from '../wait.ts';
import { type Commit, FATE, FEED, PostgresProxy, READER, WRITER } from './postgres-proxy.ts';
import { PostgresServer } from './postgres-server.ts';

/** What a machine that does more than this may take for anything. */
const MS_MAX = 30_000;
const STATEMENT_MS_MAX = 300;
/** In so many, reads are cut off. */
const ROUNDS = 10;

let server: PostgresServer;
let databases = 0;

before(async () => {
  server = await PostgresServer.start();
});
after(() => server.kill());

/** A store behind a proxy, another on the same database, and a key in it. */
class Two implements AsyncDisposable {
  readonly url: string;
  readonly proxy: PostgresProxy;
  readonly store: Store;
  readonly other: Store;

  private constructor(parts: Pick<Two, 'url' | 'proxy' | 'store' | 'other'>) {
    this.url = parts.url;
    this.proxy = parts.proxy;
    this.store = parts.store;
    this.other = parts.other;
  }

  static async open(more: PostgresOptions = { statementMsMax: STATEMENT_MS_MAX }): Promise<Two> {
    databases += 1;
    const url = await server.database(`commit${databases}`);
    const proxy = await PostgresProxy.start(server.port);
    const options = { auditKey: AUDIT_KEY, ...more };
    const other = await openPostgres(url, options);
    await put(other, { clients: [client('c1')], keys: [key('k1', 'c1')] });
    const store = await openPostgres(url.replace(`:${server.port}/`, `:${proxy.port}/`), options);
    assert.ok(await createSession(store, 'first'));
    return new Two({ url, proxy, store, other });
  }

  /** How many sessions and entries about them there are. */
  async recorded(id: string): Promise<[sessions: number, entries: number]> {
    const count = async (sql: string) => (await server.query(this.url, sql)).length;
    return [
      await count(`SELECT 1 FROM session WHERE id = '${id}'`),
      await count(`SELECT 1 FROM audit WHERE target = 'session:${id}'`),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.proxy.allow();
    await this.store.close();
    await this.other.close();
    await this.proxy[Symbol.asyncDispose]();
  }
}

function createSession(store: Store, id: string): Promise<boolean> {
  return store.createSession(session(id, 'k1'), audit('session.create', `session:${id}`));
}

function revokeFirst(store: Store): Promise<boolean> {
  return store.revokeSession('first', NOW_MS, audit('session.revoke', 'session:first'));
}

async function isRevoked(store: Store): Promise<boolean> {
  return (await store.session('first'))?.revokedAtMs === NOW_MS;
}

/** Has these become of the next COMMITs, and all pass after them. */
function next(proxy: PostgresProxy, ...fates: Commit[]): void {
  proxy.atCommit(() => fates.shift() ?? 'pass');
}

for (const fates of [['hide'], ['lose'], ['lose', 'hide']] satisfies Commit[][]) {
  test(`COMMIT is cut (${fates}): the session is there, once`, async () => {
    await using two = await Two.open();
    let questions = 0;
    // The first question about it is cut as well.
    two.proxy.refuse((purpose) => purpose === FATE && questions++ === 0);
    next(two.proxy, ...fates);
    assert.equal(await createSession(two.store, 'a'), true);
    assert.deepEqual(await two.recorded('a'), [1, 1]);
    assert.ok(questions > fates.length);
  });
}

test('COMMIT is cut twice before it: UNAVAILABLE, and nothing is there', async () => {
  await using two = await Two.open();
  next(two.proxy, 'lose', 'lose');
  await assert.rejects(createSession(two.store, 'a'), { reason: 'UNAVAILABLE' });
  assert.deepEqual(await two.recorded('a'), [0, 0]);
  assert.equal(await createSession(two.store, 'a'), true);
});

test('the server is killed at COMMIT: the number of what is lost, given again, is not it', async () => {
  await using two = await Two.open();
  // So that nothing but what the transaction itself writes comes after it.
  await server.query(two.url, 'CHECKPOINT');
  const killed = Promise.withResolvers<void>();
  let isFirst = true;
  two.proxy.atCommit(() => {
    if (!isFirst) return 'pass';
    isFirst = false;
    two.proxy.refuse((purpose) => purpose === FATE);
    killed.resolve(server.kill());
    return 'lose';
  });
  const answer = createSession(two.store, 'a');
  await killed.promise;
  await server.startAgain();
  for (let i = 0; i < 20; i++) {
    const id = `b${i}`;
    await until(id, () => createSession(two.other, id).catch(() => false), MS_MAX);
  }
  two.proxy.allow();
  assert.equal(await answer, true);
  assert.deepEqual(await two.recorded('a'), [1, 1]);
});

test('connections are cut while they read: UNAVAILABLE, and what is read next is answered', async () => {
  await using two = await Two.open();
  let failed = 0;
  for (let round = 0; failed < ROUNDS; round++) {
    assert.ok(round < 100 * ROUNDS);
    const reads = Array.from({ length: 8 }, () => two.store.holdings('k1'));
    const ends = Promise.allSettled(reads);
    // In one of the steps of a read, whichever it is.
    for (let turn = 0; turn < round % 8; turn++) await new Promise(setImmediate);
    two.proxy.refuse((purpose) => purpose === READER);
    two.proxy.allow();
    const refused = (await ends).filter((end) => end.status === 'rejected');
    for (const { reason } of refused) assert.equal(reason.reason, 'UNAVAILABLE');
    if (refused.length > 0) failed += 1;
    assert.equal((await two.store.holdings('k1'))?.key.id, 'k1');
  }
});

test('the connection for notifications hangs: what others change is heard all the same', async () => {
  await using two = await Two.open();
  await until('notifications', () => two.proxy.open(FEED) === 1, MS_MAX);
  two.proxy.hang((purpose) => purpose === FEED);
  await until('an old feed', () => !two.store.isCurrent(), MS_MAX);
  const heard: string[] = [];
  two.store.subscribe((change) => heard.push(change.kind));
  await revokeFirst(two.other);
  await until('the revocation', () => heard.includes('session-revoked'), MS_MAX);
  await until('a young feed', () => two.store.isCurrent(), MS_MAX);
});

/**
 * Has the next COMMIT done, and its answer lost on the way; nobody can find out what became of it.
 * Resolves when that is asked.
 */
function swallowCommit(proxy: PostgresProxy): Promise<void> {
  proxy.atCommit(() => {
    proxy.hang((purpose) => purpose === WRITER);
    return 'pass';
  });
  return new Promise((resolve) => {
    proxy.refuse((purpose) => {
      if (purpose === FATE) resolve();
      return purpose === FATE;
    });
  });
}

test('a COMMIT is not answered: what it changed is asked for, until it is known', async () => {
  await using two = await Two.open();
  const changing = revokeFirst(two.store);
  await swallowCommit(two.proxy);
  assert.ok(await isRevoked(two.other));
  await until(
    'a store that does not rest on what it has heard',
    () => !two.store.isCurrent(),
    MS_MAX,
  );
  two.proxy.atCommit(() => 'pass');
  two.proxy.allow();
  assert.equal(await changing, true);
  await until('one that does again', () => two.store.isCurrent(), MS_MAX);
});

test('a COMMIT whose end is not found out: what it may have changed is forgotten', async () => {
  const clock = { offsetMs: 0, monotonic: () => performance.now() + clock.offsetMs };
  await using two = await Two.open({ statementMsMax: STATEMENT_MS_MAX, clock });
  const heard: string[] = [];
  two.store.subscribe(({ kind }) => heard.push(kind));
  const changing = revokeFirst(two.store);
  await swallowCommit(two.proxy);
  assert.ok(await isRevoked(two.other));
  // The feed passes the row of the change, which is this store's own, and goes on.
  await put(two.other, { clients: [client('c2')] });
  await until('what came after it', () => heard.includes('client'), MS_MAX);
  assert.ok(!heard.includes('session-revoked'));
  clock.offsetMs = 60_000;
  await assert.rejects(changing, { reason: 'UNAVAILABLE' });
  assert.ok(heard.includes('everything'));
});

test('a database that hangs: who asks hears so in about a second, and who leaves can', async () => {
  await using two = await Two.open({});
  two.proxy.hang(() => true);
  for (let round = 0; round < 2; round++) {
    const beganMs = performance.now();
    const asked = Array.from({ length: 30 }, () => two.store.holdings('k1'));
    for (const end of await Promise.allSettled(asked)) {
      assert.equal(end.status === 'rejected' && end.reason.reason, 'UNAVAILABLE');
    }
    const ms = performance.now() - beganMs;
    assert.ok(ms < 3_000, `${ms} ms`);
  }
  await two.store.close();
});

test('a database that hung for a while answers again', async () => {
  await using two = await Two.open({});
  two.proxy.hang(() => true);
  await assert.rejects(two.store.holdings('k1'), { reason: 'UNAVAILABLE' });
  two.proxy.allow();
  const answers = () => two.store.holdings('k1').catch(() => undefined);
  await until('an answer', answers, MS_MAX);
  await until('a young feed', () => two.store.isCurrent(), MS_MAX);
});

test('a database that is busy is waited for', async () => {
  await using two = await Two.open({ statementMsMax: MS_MAX });
  const locked = new pg.Client({ connectionString: two.url });
  await locked.connect();
  await locked.query('BEGIN');
  await locked.query('LOCK TABLE client IN ACCESS EXCLUSIVE MODE');
  let answered = 0;
  const asked = Array.from({ length: 30 }, async () => {
    assert.equal((await two.store.get('client', 'c1'))?.id, 'c1');
    answered += 1;
  });
  const all = Promise.all(asked);
  // As long as those who hang are given.
  await Promise.race([all, sleep(2_000)]);
  assert.equal(answered, 0);
  await locked.end();
  await all;
});

test('a store that hears of nothing is not current', async () => {
  await using two = await Two.open({ follows: false });
  assert.equal(two.store.isCurrent(), false);
});
