/** What clients see is the same where PostgreSQL remembers and Valkey counts: the same tests say so. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { ran } from '../child.ts';
import { SHARED_ENGINES, VALKEY_DATABASES } from '../engines.ts';
import { PostgresServer } from './postgres-server.ts';
import { ValkeyServer } from './valkey.ts';

const ROOT = path.join(import.meta.dirname, '..', '..');
/** Of the tests over the network: those of what clients see, in every protocol. */
const OF_CLIENTS = ['protocol-', 'rest', 'renewal', 'orders'];
/**
 * Those of who may do what, how often, and from when on not any more: some of them, for the time that all
 * take. What no engine has a part in is left out, and what is about the files of SQLite, and limits to the
 * millisecond, for which a test moves the clock: Valkey has its own.
 */
const OF_RIGHTS = [
  ...['access-budget', 'access-check', 'admin-changes', 'admin-effect', 'admin-last-owner'],
  ...['admin-revocation', 'limit-', 'forward-auth.test', 'jwt-', 'refusals', 'metrics'],
];
/** Of clients that nobody here wrote, and the runnable examples. */
const FOREIGN = ['examples', 'documented', 'finam-sdk', 'connect-web'];

let postgres: PostgresServer;
let valkey: ValkeyServer;

before(async () => {
  postgres = await PostgresServer.start();
  valkey = await ValkeyServer.start('--databases', String(VALKEY_DATABASES));
});
after(async () => {
  await valkey[Symbol.asyncDispose]();
  await postgres.kill();
});

/** Runs test files of this project on the two engines; what they say is told when they fail. */
async function run(pattern: string, words: readonly string[]): Promise<void> {
  const env: NodeJS.ProcessEnv = { ...process.env };
  delete env.NODE_TEST_CONTEXT;
  const child = spawn(process.execPath, ['scripts/test.ts', pattern, ...words], {
    cwd: ROOT,
    env: {
      ...env,
      [SHARED_ENGINES.postgres]: postgres.url,
      [SHARED_ENGINES.valkey]: valkey.url,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { code, stdout, stderr } = await ran(child);
  const said = stdout + stderr;
  assert.equal(code, 0, said.split('failing tests:').at(-1)?.slice(0, 20_000) ?? said);
  const passed = /^ℹ pass (\d+)$/m.exec(said)?.[1];
  const databases = await postgres.query(postgres.url, 'SELECT count(*) FROM pg_database');
  // They have run, and not on engines of their own.
  assert.ok(Number(passed) > 0 && Number(databases[0]?.count) > 4, said);
}

// One after the other: some of them measure time.
test('what clients see', () => run('test/*.test.ts', OF_CLIENTS));
test('who may do what, and how often', () => run('test/*.test.ts', OF_RIGHTS));
test('clients that others wrote, and the examples', () => run('test/foreign/*.test.ts', FOREIGN));
