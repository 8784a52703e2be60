/** The schema in PostgreSQL: made once, whoever comes first; other databases are left alone. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import pg from 'pg';
import { DEFAULTS, ourTables, PROGRAM_SQL } from '../../src/store/postgres/audit-programs.ts';
import { clientConfig, connect, drive } from '../../src/store/postgres/connection.ts';
import { migrate } from '../../src/store/postgres/migrate.ts';
import { refusePooler } from '../../src/store/postgres/pooler.ts';
import { rows } from '../../src/store/sql/query.ts';
import { SharingPool } from './postgres-pool.ts';
import { PostgresProxy } from './postgres-proxy.ts';
import { PostgresServer } from './postgres-server.ts';

const MIGRATE = new URL('../../src/store/postgres/migrate.ts', import.meta.url).href;
let server: PostgresServer;
before(async () => {
  server = await PostgresServer.start();
});
after(() => server.kill());

/** Rejects with a StoreError of one line that matches, and holds no password. */
function refuses(url: string, message: RegExp, lockMsMax?: number): Promise<void> {
  return assert.rejects(migrate(url, lockMsMax), (error: Error) => {
    assert.equal(error.name, 'StoreError');
    assert.match(error.message, message);
    assert.ok(!/\n|hidden/.test(error.message), error.message);
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

test('what keeps us out is told in one line, with what to do, and without the password', async () => {
  const url = await server.database('locked');
  const as = (user: string) => url.replace('propusk@', `${user}@`);
  await server.query(url, "CREATE ROLE stranger LOGIN PASSWORD 'right'; CREATE ROLE tls LOGIN");
  const [file] = await server.query(url, 'SHOW hba_file');
  assert.ok(file !== undefined);
  await server.query(
    url,
    `COPY (SELECT 'host all stranger 127.0.0.1/32 scram-sha-256' UNION ALL
      SELECT 'hostssl all tls 127.0.0.1/32 trust' UNION ALL
      SELECT 'host all propusk,guest,nobody 127.0.0.1/32 trust') TO '${String(file.hba_file)}'`,
  );
  await server.query(url, 'SELECT pg_reload_conf()');
  await refuses(as('stranger:hidden'), /password authentication failed.*; check the user and the/);
  await refuses(
    as('stranger'),
    /it asks for a password, and there is none; put it into --database/,
  );
  await refuses(as('tls:hidden'), /no encryption; .*; or ask with TLS: \?sslmode=verify-full$/);
  await refuses(as('nobody'), /role "nobody" does not exist; check the user in --database/);
  await refuses(`${url}?sslmode=verify-full`, /asks for TLS, which it does not offer/);
  await refuses(`${url}?sslrootcert=/none.pem`, /ENOENT.*'\/none\.pem'$/);
  await refuses(url.replace(/locked$/, 'none'), /database "none" does not exist; make it first/);
  await refuses('postgres://me:hidden@none.invalid/x', /no such host is known; check the address/);
  await refuses('postgres://me:hidden@127.0.0.1:1/x', /nothing listens there; is it running\?/);
  await refuses('postgres://me:hidden@127.0.0.1:x/x', /^the PostgreSQL database cannot be used: /);

  await server.query(url, 'CREATE ROLE guest LOGIN');
  await refuses(as('guest'), /permission denied for schema public; .*GRANT USAGE, CREATE/);
  await migrate(url);
  await server.query(url, 'GRANT SELECT ON ALL TABLES IN SCHEMA public TO guest');
  await refuses(as('guest'), /the role guest may not write its tables; let it own them/);
  await server.query(url, 'ALTER DATABASE locked SET default_transaction_read_only = on');
  await refuses(url, /can only be read; switch default_transaction_read_only off/);
});

test('a database of another encoding is refused', async () => {
  const url = await server.database("latin ENCODING 'LATIN1'");
  await refuses(url.replace(/[^/]+$/, 'latin'), /has the encoding LATIN1, not UTF8; make one with/);
});

test('a migration that somebody else does for long is not waited for without end', async () => {
  const url = await server.database('awaited');
  const other = new pg.Client({ connectionString: url });
  await other.connect();
  await other.query(`BEGIN; SELECT pg_advisory_xact_lock(${0x5072706b})`);
  await refuses(url, /canceling statement due to lock timeout; another propusk may be/, 200);
  const waiting = migrate(url);
  await other.query('COMMIT');
  assert.deepEqual(await waiting, { from: 0, to: 1 });
  assert.deepEqual(await migrate(url), { from: 1, to: 1 });
  await other.end();
});

test('the defaults that a verification takes for ours are those that migrations make', async () => {
  const url = await server.database('defaults');
  await migrate(url);
  const client = await connect(clientConfig({ url, statementMsMax: 0 }, 'test'));
  type Default = { column: string; text: string };
  const found = await drive(client, rows<Default>(PROGRAM_SQL.defaults, ourTables().join(',')));
  await client.end();
  assert.deepEqual(Object.fromEntries(found.map(({ column, text }) => [column, text])), DEFAULTS);
});

test('a pool that shares connections is refused, and what only passes them on is not', async () => {
  const url = await server.database('pooled');
  const at = (port: number) => url.replace(`:${server.port}/`, `:${port}/`);
  await using pool = await SharingPool.start(server.port);
  await refuses(at(pool.port), /is behind a pool that shares connections; connect directly, or by/);
  await using proxy = await PostgresProxy.start(server.port);
  assert.deepEqual(await migrate(at(proxy.port)), { from: 0, to: 1 });
  // As by a pool that tells of a process of its own, and keeps a connection for each session.
  const config = clientConfig({ url, statementMsMax: 0 }, 'test');
  const client = Object.assign(await connect(config), { processID: 1 });
  await refusePooler(client, config, 'the database');
  await client.end();
});
