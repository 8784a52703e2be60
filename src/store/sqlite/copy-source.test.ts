import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { HOUSEHOLD, placed, put, trade } from '../contract-samples.ts';
import { StoreError } from '../store.ts';
import { CopySource } from './copy-source.ts';
import { openSqlite } from './sqlite.ts';
import { Databases, using } from './tampering.ts';

const databases = new Databases();
let file: string;
before(async () => {
  file = databases.file('source');
  await using(file, async (store) => {
    await put(store, HOUSEHOLD);
    const state = placed('o1');
    await store.recordOrders([state], [trade('t1', state), trade('t2', state)]);
  });
});
after(() => databases.remove());

/** What COPY reads from the chunks: a row for each line, a value for each tab. */
function rowsOf(source: CopySource, name: string): (string | null)[][] {
  const table = source.tables.find((each) => each.name === name);
  assert.ok(table);
  const chunks = [...source.chunks(table)];
  const lines = Buffer.concat(chunks.map(({ data }) => data)).toString();
  const rows = lines.split('\n').slice(0, -1);
  assert.equal(
    chunks.reduce((sum, chunk) => sum + chunk.rows, 0),
    rows.length,
  );
  return rows.map((row) => row.split('\t').map(unescaped));
}

/** PostgreSQL's documentation of COPY, "Text Format". */
function unescaped(value: string): string | null {
  if (value === '\\N') return null;
  const specials: Record<string, string> = { n: '\n', r: '\r', t: '\t', '\\': '\\' };
  return value.replace(/\\(.)/g, (_, letter: string) => {
    assert.ok(letter in specials, letter);
    return specials[letter] ?? '';
  });
}

function withSource<R>(path: string, look: (source: CopySource) => R): R {
  const source = new CopySource(path);
  try {
    return look(source);
  } finally {
    source.close();
  }
}

test('every table is there, each after those that it refers to', () => {
  withSource(file, ({ tables }) => {
    const names = tables.map(({ name }) => name);
    const db = new DatabaseSync(file, { readOnly: true });
    const all = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
    assert.deepEqual(
      names.toSorted(),
      all
        .map(({ name }) => String(name))
        .filter((name) => name !== 'sqlite_sequence')
        .toSorted(),
    );
    for (const name of names) {
      for (const { table } of db.prepare(`PRAGMA foreign_key_list("${name}")`).all()) {
        assert.ok(names.indexOf(String(table)) < names.indexOf(name), `${table} before ${name}`);
      }
    }
    db.close();
  });
});

test('rows are told by their count, and numbers by the newest', () => {
  withSource(file, ({ tables }) => {
    const numbers = Object.fromEntries(
      tables.map(({ name, rows, newestNumber }) => [name, [rows, newestNumber]]),
    );
    assert.deepEqual(numbers.account, [2, undefined]);
    assert.deepEqual(numbers.trade, [2, 2]);
    assert.deepEqual(numbers.order_change, [1, 1]);
    assert.deepEqual(numbers.audit, [6, 6]);
  });
  // What was removed, or never was an entry, has had its number all the same.
  const pruned = databases.changed(file, 'DELETE FROM trade');
  const anew = databases.changed(file, "UPDATE audit_point SET sequence = 70 WHERE name = 'head'");
  const newest = (path: string, table: string) =>
    withSource(path, ({ tables }) => tables.find(({ name }) => name === table)?.newestNumber);
  assert.equal(newest(pruned, 'trade'), 2);
  assert.equal(newest(anew, 'audit'), 70);
});

test('whatever a text holds is read from the chunk as it was, and its row is found by its line', () => {
  const texts = fc.array(fc.string({ unit: fc.constantFrom(...'\\\t\n\r\b\v"\'Nnя€😀x') }), {
    minLength: 1,
    maxLength: 30,
  });
  fc.assert(
    fc.property(texts, (names) => {
      const changed = databases.changed(file, 'DELETE FROM meta');
      const db = new DatabaseSync(changed);
      const insert = db.prepare('INSERT INTO meta VALUES (?, ?)');
      for (const [i, name] of names.entries()) insert.run(String(i), name);
      db.close();
      withSource(changed, (source) => {
        const rows = rowsOf(source, 'meta');
        const found = Object.fromEntries(rows.map(([key, value]) => [key, value]));
        assert.deepEqual(found, Object.fromEntries(names.entries()));
        assert.ok(rows.every(([key], i) => source.keyAt('meta', i + 1) === JSON.stringify(key)));
      });
    }),
    { numRuns: 20 },
  );
});

test('what is no text arrives byte by byte, and what is nothing as nothing', () => {
  const changed = databases.changed(file, "UPDATE client SET name = CAST(x'00ff41' AS TEXT)");
  withSource(changed, (source) => {
    const table = source.tables.find(({ name }) => name === 'client');
    assert.ok(table);
    const [chunk] = [...source.chunks(table)];
    assert.ok(chunk?.data.includes(Buffer.from([0x09, 0x00, 0xff, 0x41, 0x09])));
    const [key] = rowsOf(source, 'api_key');
    assert.equal(key?.filter((value) => value === null).length, 4);
  });
});

test('rows come in many chunks, each of a bounded size', () => {
  const changed = databases.changed(
    file,
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
     INSERT INTO meta SELECT 'name ' || i, printf('%.100c', 'x') FROM n`,
  );
  withSource(changed, (source) => {
    const table = source.tables.find(({ name }) => name === 'meta');
    assert.ok(table);
    const sizes = [...source.chunks(table)].map(({ data }) => data.length);
    assert.ok(sizes.length > 5 && Math.max(...sizes) < 66_000);
    assert.equal(rowsOf(source, 'meta').length, 5000);
  });
});

test('one that is not there, in use, or of another version is refused, and nothing is made', async () => {
  const refusal = (path: string) => {
    try {
      new CopySource(path).close();
    } catch (error) {
      assert.ok(error instanceof StoreError);
      return error.message;
    }
    return assert.fail('it was opened');
  };
  assert.match(refusal(databases.file('none')), /none\.db is not there$/);
  assert.ok(!readdirSync(databases.folder).some((name) => name.startsWith('none')));
  const store = await openSqlite(`sqlite:${file}`, { exclusive: true });
  assert.match(refusal(file), /^another propusk has .* open; stop it first: /);
  await store.close();
  const old = databases.changed(file, 'PRAGMA user_version = 1');
  assert.match(refusal(old), /is at version 1, not \d+; run propusk migrate first$/);
  // And let go again.
  withSource(file, () => assert.throws(() => new CopySource(file), /another propusk/));
  withSource(file, () => {});
});
