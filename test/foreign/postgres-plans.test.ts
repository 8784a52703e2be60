/** Every statement of the store finds what it needs by an index, in a database with a million keys. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { FEED_SQL } from '../../src/store/postgres/feed.ts';
import { migrate } from '../../src/store/postgres/migrate.ts';
import { numbered } from '../../src/store/postgres/numbered.ts';
import { READ_SQL } from '../../src/store/sql/reads.ts';
import { WRITE_SQL } from '../../src/store/sql/writes.ts';
import { PostgresServer } from './postgres-server.ts';

const KEYS = 1_000_000;
/** Clients, each with an account; a few have many keys. */
const CLIENTS = 100_000;
const ORDERS = 200_000;
const SESSIONS = 200_000;

/** Rows of every table that grows; without a look at what they refer to, which takes long. */
const FILL = `
  SET session_replication_role = replica;
  SET synchronous_commit = off;
  INSERT INTO client SELECT 'c' || i, 'name', i, 0, 0 FROM generate_series(1, ${CLIENTS}) i;
  INSERT INTO account SELECT 'a' || i, 'c' || i, 0, i, 0, 0 FROM generate_series(1, ${CLIENTS}) i;
  INSERT INTO plan SELECT 'p' || i, 'name', i, 0, 0 FROM generate_series(1, 1000) i;
  INSERT INTO plan_permission SELECT 'p' || i, j, 1, 0, 'mic', 'MIC' || j
    FROM generate_series(1, 1000) i, generate_series(1, 20) j;
  INSERT INTO subscription SELECT 's' || i, 'c' || i, 'p' || i % 1000 + 1, 0, NULL, i, 0, 0
    FROM generate_series(1, ${CLIENTS}) i;
  INSERT INTO api_key (id, client_id, label, secret_mac, all_accounts, readonly, version,
      created_at_ms, updated_at_ms, previous_secret_mac, previous_secret_ends_at_ms)
    SELECT 'k' || i, 'c' || i % ${CLIENTS} + 1, '', md5('s' || i), 0, 0, i, 0, 0,
      CASE WHEN i % 100 = 0 THEN md5('p' || i) END, 1
    FROM generate_series(1, ${KEYS}) i;
  INSERT INTO api_key_account SELECT 'k' || i, 'a' || i % ${CLIENTS} + 1
    FROM generate_series(1, ${KEYS}) i;
  INSERT INTO api_key_limit SELECT 'k' || i * 10, 'Auth', 10 FROM generate_series(1, ${KEYS} / 10) i;
  INSERT INTO session SELECT 's' || i, 'k' || i, 'c' || i % ${CLIENTS} + 1, '', '', i, i + 903000,
      CASE WHEN i % 1000 = 0 THEN i END
    FROM generate_series(1, ${SESSIONS}) i;
  INSERT INTO audit SELECT i, i, 'key:k' || i, CASE WHEN i % 10 = 0 THEN 'key.create' ELSE 'session.create' END,
      CASE WHEN i % 10 = 0 THEN 'key:k' || i ELSE 'session:s' || i END, '', '{}', 'mac', i % 4 + 1
    FROM generate_series(1, ${SESSIONS}) i;
  INSERT INTO order_change (account_id, state) SELECT 'a' || i % 1000, '{}'
    FROM generate_series(1, ${ORDERS}) i;
  INSERT INTO placed_order SELECT 'o' || i, 'a' || i % 1000, 'x' || i,
      CASE WHEN i % 10000 = 0 THEN 1 ELSE 0 END, i, i
    FROM generate_series(1, ${ORDERS}) i;
  INSERT INTO trade (account_id, trade) SELECT 'a' || i % 1000, '{}'
    FROM generate_series(1, ${ORDERS}) i;
  INSERT INTO request SELECT 'o', 'r' || i, '', '', i FROM generate_series(1, 100000) i;
  INSERT INTO change_feed (kind, id, at_ms) SELECT 'key', 'k' || i, i FROM generate_series(1, 100000) i;
  ANALYZE;`;

/** What may read a whole table: few rows, or all of them wanted. */
const WANTED_WHOLE: Readonly<Record<string, readonly string[]>> = {
  signingKeys: ['signing_key'],
  otherOwner: ['operator'],
  // A tenth of it goes.
  trim: ['change_feed'],
};
/** Tables that hold a handful of rows in any database. */
const SMALL = ['operator', 'signing_key', 'meta', 'audit_point'];

interface Node {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly Plans?: readonly Node[];
}

let server: PostgresServer;
let client: pg.Client;

before(async () => {
  server = await PostgresServer.start();
  const url = await server.database('big');
  await migrate(url);
  client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(FILL);
  await client.query("SET plan_cache_mode = 'force_generic_plan'");
});
after(async () => {
  await client.end();
  await server.kill();
});

/** Tables that the statement reads whole, whatever its parameters are. */
async function readWhole(sql: string): Promise<string[]> {
  const text = numbered(sql);
  const count = Math.max(0, ...[...text.matchAll(/\$(\d+)/g)].map(([, number]) => Number(number)));
  const nulls = count === 0 ? '' : `(${Array(count).fill('NULL').join(', ')})`;
  await client.query(`PREPARE one AS ${text}`);
  try {
    const { rows } = await client.query(`EXPLAIN (FORMAT JSON) EXECUTE one${nulls}`);
    return scansOf(rows[0]['QUERY PLAN'][0].Plan);
  } finally {
    await client.query('DEALLOCATE one');
  }
}

function scansOf(node: Node): string[] {
  const own = node['Node Type'] === 'Seq Scan' ? [node['Relation Name'] ?? ''] : [];
  return [...own, ...(node.Plans ?? []).flatMap(scansOf)];
}

test('a statement without an index that fits is found', async () => {
  assert.deepEqual(await readWhole('SELECT id FROM session WHERE source_app_id = ?'), ['session']);
});

test('every statement finds what it needs by an index', async () => {
  const statements = Object.entries({ ...READ_SQL, ...WRITE_SQL, ...FEED_SQL });
  assert.ok(statements.length > 60);
  const slow: string[] = [];
  for (const [name, sql] of statements) {
    const allowed = [...SMALL, ...(WANTED_WHOLE[name] ?? [])];
    const whole = (await readWhole(sql)).filter((table) => !allowed.includes(table));
    if (whole.length > 0) slow.push(`${name}: ${whole}`);
  }
  assert.deepEqual(slow, []);
});
