/** What is on the disk when a process dies, a disk is full, or two processes want one file. */
import assert from 'node:assert/strict';
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { AppError } from '../../domain/errors.ts';
import { heard, refused, targets } from '../contract-checks.ts';
import {
  AUDIT_KEY,
  account,
  audit,
  BY,
  client,
  HOUSEHOLD,
  key,
  NOW_MS,
  operator,
  plan,
  put,
  session,
  subscription,
} from '../contract-samples.ts';
import { SqlStore } from '../sql/sql-store.ts';
import { type Store, StoreError } from '../store.ts';
import { openReader, openWriter } from './connection.ts';
import { SqliteReader } from './reader.ts';
import { InlineRunner } from './runners.ts';
import { openSqlite } from './sqlite.ts';

const CHILD = fileURLToPath(new URL('./test-child.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'propusk-store-'));
after(() => rmSync(folder, { recursive: true }));

/** No child outlives a test that goes wrong. */
const SPAWN: SpawnOptions = {
  stdio: ['ignore', 'pipe', 'pipe'],
  timeout: 30_000,
  killSignal: 'SIGKILL',
};

function child(what: string, path: string): ChildProcess {
  return spawn(process.execPath, [CHILD, what, path], SPAWN);
}

/** What the child said, line by line, once it ended; `onLine` hears each line as it comes. */
async function linesOf(process: ChildProcess, onLine?: (count: number) => void) {
  assert.ok(process.stdout && process.stderr);
  const ended = once(process, 'exit');
  const errors = text(process.stderr);
  const lines: string[] = [];
  for await (const line of createInterface({ input: process.stdout })) {
    lines.push(line);
    onLine?.(lines.length);
  }
  await ended;
  assert.equal(await errors, '');
  return lines;
}

test('what was recorded is there after kill -9, with its audit entry', async () => {
  const path = join(folder, 'killed.db');
  const before = await openSqlite(`sqlite:${path}`, { auditKey: AUDIT_KEY });
  await put(before, HOUSEHOLD);
  await before.close();

  const process = child('sessions', path);
  const recorded = await linesOf(process, (count) => {
    if (count === 1_000) process.kill('SIGKILL');
  });
  assert.equal(process.signalCode, 'SIGKILL');
  assert.ok(recorded.length >= 1_000);

  const store = await openSqlite(`sqlite:${path}`);
  const entries = (await store.audit(0, 1_000_000)).filter(
    ({ action }) => !action.endsWith('.put'),
  );
  const audited = new Set(entries.map((entry) => entry.target));
  assert.equal(audited.size, entries.length);
  for (const id of recorded) {
    assert.deepEqual(await store.session(id), session(id, 'k1'));
    assert.ok(audited.has(id), `${id} has its audit entry`);
  }
  // And no entry without its session: both or neither, also of those that were not answered.
  for (const id of audited) assert.ok(await store.session(id), `${id} is there`);
  await store.close();
});

test('a second process is refused the file, until the first one is gone', async () => {
  const path = join(folder, 'held.db');
  const holder = child('hold', path);
  assert.ok(holder.stdout);
  await once(createInterface({ input: holder.stdout }), 'line');
  const url = `sqlite:${path}`;
  const advice = 'stop it first, or choose another --database';
  await assert.rejects(openSqlite(url, { exclusive: true }), {
    name: 'StoreError',
    message: `another propusk has ${path} open; ${advice}`,
  });
  // A command that does not serve may still look at it.
  await (await openSqlite(url)).close();
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  await (await openSqlite(url, { exclusive: true })).close();
});

test('one process cannot have the file twice either, until it is closed', async () => {
  const path = join(folder, 'twice.db');
  const url = `sqlite:${path}`;
  const first = await openSqlite(url, { exclusive: true });
  await assert.rejects(openSqlite(url, { exclusive: true }), StoreError);
  // The refusal has not taken the lock away from the first, as closing a file can.
  const [said] = await linesOf(child('hold', path));
  assert.match(said ?? '', /^StoreError: another propusk has /);
  await first.close();
  await (await openSqlite(url, { exclusive: true })).close();
});

test('an open store that has nothing to do lets its process end', async () => {
  const process = child('open', join(folder, 'idle.db'));
  assert.deepEqual(await linesOf(process), ['open']);
  assert.equal(process.exitCode, 0);
});

test('a disk that refuses a batch keeps nothing of it, and takes the next one', async () => {
  const path = join(folder, 'overflow.db');
  const command = `ulimit -f 16384; exec "$0" "$1" overflow "$2"`;
  const shell = spawn('sh', ['-c', command, process.execPath, CHILD, path], SPAWN);
  const [small, large, afterwards] = await linesOf(shell);
  assert.match(small ?? '', /^UNAVAILABLE: Error: disk I\/O error \(SQLite error \d+\)$/);
  assert.equal(large, small);
  assert.equal(afterwards, 'afterwards true');
  const store = await openSqlite(`sqlite:${path}`);
  assert.deepEqual(await targets(store), ['session.create afterwards']);
  assert.equal(await store.session('small'), undefined);
  await store.close();
});

test('a full disk refuses, keeps nothing, and takes writes again once there is room', async () => {
  const path = join(folder, 'full.db');
  await (await openSqlite(`sqlite:${path}`)).close();
  const writer = openWriter(path);
  const store = new SqlStore({
    reader: new SqliteReader(openReader(path)),
    runner: new InlineRunner(writer, AUDIT_KEY),
  });
  await put(store, HOUSEHOLD);
  const detail = { text: 'x'.repeat(10_000) };
  const create = (id: string) =>
    store.createSession(session(id, 'k1'), audit('session.create', id, { detail }));
  writer.exec(`PRAGMA max_page_count = ${writer.pragma('page_count') + 2}`);

  const full = await Promise.allSettled(['one', 'two', 'three'].map(create));
  for (const answer of full) {
    assert.ok(answer.status === 'rejected' && answer.reason instanceof AppError);
    assert.equal(answer.reason.reason, 'UNAVAILABLE');
    assert.match(String(answer.reason.cause), /database or disk is full/);
  }
  assert.equal(await store.session('one'), undefined);
  assert.deepEqual(await targets(store), []);
  await store.ping();

  writer.exec('PRAGMA max_page_count = 4294967294');
  assert.deepEqual(await Promise.all(['one', 'two'].map(create)), [true, true]);
  assert.equal((await targets(store)).length, 2);
  await store.close();
  writer.close();
});

test('a full disk refuses every kind of write that has an entry, and leaves reads alone', async () => {
  const path = join(folder, 'full-for-all.db');
  await (await openSqlite(`sqlite:${path}`)).close();
  const writer = openWriter(path);
  const runner = new InlineRunner(writer, AUDIT_KEY);
  const store = new SqlStore({ reader: new SqliteReader(openReader(path)), runner });
  await put(store, { ...HOUSEHOLD, operators: [operator('o1')] });
  await store.createSession(session('one', 'k1'), audit('session.create', 'one'));
  writer.exec(`PRAGMA max_page_count = ${writer.pragma('page_count')}`);
  // Small entries, until the last page of the log has no room for one more.
  for (let name = 0; ; name++) {
    const filled = await put(store, { clients: [{ id: 'c1', name: `${name % 2}` }] }).catch(
      () => {},
    );
    if (filled === undefined) break;
  }
  const before = await everything(store);
  const changes = heard(store);
  const detail = { requestId: 'x'.repeat(1_000) };
  const by = { ...BY, detail };
  const entry = (action: string) => audit(action, 'one', { detail });
  const kinds = ['client', 'account', 'plan', 'subscription', 'key', 'operator'] as const;
  const ids = { client: 'c1', account: 'a1', plan: 'p1', subscription: 's1', key: 'k1' };
  const drops = kinds.map((kind) => () => {
    const id = kind === 'operator' ? 'o1' : ids[kind];
    const change = { kind, id, action: 'delete', expect: 'any', value: null } as const;
    return store.change([change], by);
  });
  // The client and the plan are in use, and refused for that: room is not what they lack.
  const inUse = new Set([drops[0], drops[2]]);
  const writes: (() => Promise<unknown>)[] = [
    () => put(store, { clients: [client('new')] }, by),
    () => put(store, { accounts: [account('new', 'c1')] }, by),
    () => put(store, { plans: [plan('new')] }, by),
    () => put(store, { subscriptions: [subscription('new', 'c1', 'p1')] }, by),
    () => put(store, { keys: [key('new', 'c1')] }, by),
    () => put(store, { operators: [operator('new')] }, by),
    ...drops.filter((drop) => !inUse.has(drop)),
    () => store.createSession(session('two', 'k1'), entry('session.create')),
    () => store.revokeSession('one', NOW_MS, entry('session.revoke')),
    () => store.revokeSessions({ keyId: 'k1' }, NOW_MS, entry('session.revoke-all')),
    () => store.revokeKey('k1', NOW_MS, entry('key.revoke')),
    () => store.addSigningKey({ id: 's', sealed: 'v1', createdAtMs: 1 }, entry('signing-key.add')),
  ];
  // One by one: of a batch, one that is refused for this takes all others along.
  for (const write of writes) await refused(write(), 'UNAVAILABLE', /did not take the write/);
  assert.deepEqual([await everything(store), changes], [before, []]);
  writer.exec('PRAGMA max_page_count = 4294967294');
  assert.equal(await store.revokeKey('k1', NOW_MS, entry('key.revoke')), true);
  await store.close();
  writer.close();
});

/** Whatever can be read. */
async function everything(store: Store): Promise<unknown> {
  const limit = 1_000;
  return Promise.all([
    ...[store.list('client', { limit }), store.list('account', { limit })],
    ...[store.list('plan', { limit }), store.list('subscription', { limit })],
    ...[store.list('key', { limit }), store.list('operator', { limit })],
    ...[store.audit(0, limit), store.findAudit({ limit }), store.signingKeys()],
    ...[store.session('one'), store.holdings('k1'), store.keyIdOfSecret('mac-of-k1', NOW_MS)],
    store.sessions({ keyId: 'k1', activeAtMs: NOW_MS, limit }),
  ]);
}

/** Commits in a write-ahead log: frames of the log's own salt that end a transaction. */
function commitsIn(log: Buffer): number {
  const frameBytes = 24 + log.readUInt32BE(8);
  let commits = 0;
  for (let at = 32; at + frameBytes <= log.length; at += frameBytes) {
    const isCurrent = log.subarray(at + 8, at + 16).equals(log.subarray(16, 24));
    if (isCurrent && log.readUInt32BE(at + 4) !== 0) commits += 1;
  }
  return commits;
}

test('sessions that arrive together share their commits', async () => {
  const path = join(folder, 'group.db');
  const store = await openSqlite(`sqlite:${path}`, { writeBatchMax: 100, auditKey: AUDIT_KEY });
  await put(store, HOUSEHOLD);
  const create = (id: string) =>
    store.createSession(session(id, 'k1'), audit('session.create', id));
  const before = commitsIn(readFileSync(`${path}-wal`));
  for (const id of ['one', 'two']) await create(id);
  const between = commitsIn(readFileSync(`${path}-wal`));
  assert.equal(between - before, 2);
  await Promise.all(Array.from({ length: 500 }, (_, i) => create(`together-${i}`)));
  const commits = commitsIn(readFileSync(`${path}-wal`)) - between;
  assert.equal(commits, 5);
  await store.close();
});
