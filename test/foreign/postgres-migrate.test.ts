/** The schema in PostgreSQL: made once, whoever comes first; other databases are left alone. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { migrate } from '../../src/store/postgres/migrate.ts';
import { PostgresServer } from './postgres-server.ts';

const MIGRATE = new URL('../../src/store/postgres/migrate.ts', import.meta.url).href;
let server: PostgresServer;
before(async () => {
  server = await PostgresServer.start();
});
after(() => server.kill());

/** Rejects with a StoreError of one line that matches. */
function refuses(url: string, message: RegExp): Promise<void> {
  return assert.rejects(migrate(url), (error: Error) => {
    assert.equal(error.name, 'StoreError');
    assert.match(error.message, message);
    assert.ok(!error.message.includes('\n'));
    return true;
  });
}

test('four processes that start together leave one schema', async () => {
  const url = await server.database('raced');
  const program = `await (await import(${JSON.stringify(MIGRATE)})).migrate(${JSON.stringify(url)})`;
  const run = () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
  await Promise.all([run(), run(), run(), run()]);
  assert.deepEqual(await server.query(url, 'SELECT version FROM propusk_schema'), [{ version: 1 }]);
  const heads = await server.query(url, "SELECT name FROM audit_point WHERE name = 'head'");
  assert.equal(heads.length, 1);
});

test('every text column is compared byte by byte', async () => {
  const url = await server.database('collated');
  await migrate(url);
  const others = await server.query(
    url,
    `SELECT table_name, column_name FROM information_schema.columns
     WHERE table_schema = 'public' AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'`,
  );
  assert.deepEqual(others, []);
});

test('a newer schema is refused and left as it is', async () => {
  const url = await server.database('newer');
  await migrate(url);
  await server.query(url, 'UPDATE propusk_schema SET version = 999');
  await refuses(url, /is at version 999, this propusk knows versions up to 1;/);
  const kept = await server.query(url, 'SELECT version FROM propusk_schema');
  assert.deepEqual(kept, [{ version: 999 }]);
});

test("another program's database is refused and left as it is", async () => {
  const url = await server.database('other');
  await server.query(url, 'CREATE TABLE theirs (id integer)');
  await refuses(url, /is a PostgreSQL database, but not one of propusk$/);
  const tables = await server.query(url, "SELECT 1 FROM pg_tables WHERE schemaname = 'public'");
  assert.equal(tables.length, 1);
});

test('a server that is not there is named without the password', async () => {
  await refuses(
    'postgres://me:hidden@127.0.0.1:1/x',
    /^postgres:\/\/127\.0\.0\.1:1\/x cannot be used: /,
  );
  await assert.rejects(migrate('postgres://me:hidden@127.0.0.1:1/x'), (error: Error) => {
    return !error.message.includes('hidden');
  });
});

test('a wrong password is told in one line', async () => {
  const url = await server.database('locked');
  await server.query(url, "CREATE ROLE stranger LOGIN PASSWORD 'right'");
  const [file] = await server.query(url, 'SHOW hba_file');
  assert.ok(file !== undefined);
  await server.query(
    url,
    `COPY (SELECT 'host all stranger 127.0.0.1/32 scram-sha-256' UNION ALL
      SELECT 'host all all 127.0.0.1/32 trust') TO '${String(file.hba_file)}'`,
  );
  await server.query(url, 'SELECT pg_reload_conf()');
  await refuses(url.replace('propusk@', 'stranger:wrong@'), /password authentication failed/);
});
