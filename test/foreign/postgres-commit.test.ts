/** One store whose connections are lost, in every place that was thought of: what it answers is so. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  AUDIT_KEY,
  audit,
  client,
  key,
  NOW_MS,
  put,
  session,
} from '../../src/store/contract-samples.ts';
import { openPostgres } from '../../src/store/postgres/postgres.ts';
import type { Store } from '../../src/store/store.ts';
import { until } from '../wait.ts';
import { type Commit, FATE, FEED, PostgresProxy, READER } from './postgres-proxy.ts';
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

  static async open(): Promise<Two> {
    databases += 1;
    const url = await server.database(`commit${databases}`);
    const proxy = await PostgresProxy.start(server.port);
    const options = { auditKey: AUDIT_KEY, statementMsMax: STATEMENT_MS_MAX };
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
  await two.other.revokeSession('first', NOW_MS, audit('session.revoke', 'session:first'));
  await until('the revocation', () => heard.includes('session-revoked'), MS_MAX);
  await until('a young feed', () => two.store.isCurrent(), MS_MAX);
});
