/** What doctor makes of how a PostgreSQL server is set up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ServerFacts } from '../store/postgres/server.ts';
import { examineFacts } from './doctor-postgres.ts';

const WELL: ServerFacts = {
  ...{ role: 'propusk', version: '17.2', major: 17, encoding: 'UTF8' },
  ...{ isStandby: 0, isReadOnly: 0, synchronousCommit: 'on', fsync: 'on', fullPageWrites: 'on' },
  ...{ connectionsMax: 97, bytes: 1, unlogged: null },
};

/** What is not good. */
function flaws(facts: Partial<ServerFacts>): string[] {
  return examineFacts({ ...WELL, ...facts })
    .filter(({ grade }) => grade !== 'good')
    .map(({ grade, text }) => `${grade}: ${text}`);
}

test('a server that is set up well has no flaw, whatever a COMMIT waits for on a disk', () => {
  assert.deepEqual(flaws({}), []);
  for (const synchronousCommit of ['local', 'remote_write', 'remote_apply']) {
    assert.deepEqual(flaws({ synchronousCommit }), []);
  }
});

test('what loses or refuses writes is told', () => {
  const rows: readonly (readonly [Partial<ServerFacts>, RegExp])[] = [
    [{ major: 14 }, /^bad: propusk needs PostgreSQL 15 or newer$/],
    [{ encoding: 'SQL_ASCII' }, /^bad: its encoding is SQL_ASCII, and must be UTF8$/],
    [{ isStandby: 1 }, /^bad: its server is a standby/],
    [{ isReadOnly: 1 }, /^bad: default_transaction_read_only is on/],
    [{ fsync: 'off' }, /^bad: fsync is off/],
    [{ fullPageWrites: 'off' }, /^warning: full_page_writes is off/],
    [{ synchronousCommit: 'off' }, /^warning: synchronous_commit is off/],
    [{ unlogged: 'audit, session' }, /^bad: a crash empties what is UNLOGGED: audit, session$/],
    [{ connectionsMax: 25 }, /^warning: 25 connections are enough for 1 node, each with 13/],
    [{ connectionsMax: 12 }, /^bad: 12 connections are enough for 0 nodes, .*; raise/],
  ];
  for (const [facts, flaw] of rows) {
    const found = flaws(facts);
    assert.equal(found.length, 1, found.join('\n'));
    assert.match(found[0] ?? '', flaw);
  }
});

test('connections are counted as a node will take them', () => {
  const texts = (connectionsMax?: number) =>
    examineFacts(WELL, connectionsMax).map(({ text }) => text);
  const told = (each: number, nodes: number, forReads: number) =>
    `97 connections are enough for ${nodes} nodes, each with ${each} (--database-connections-max ${forReads} and 3)`;
  assert.ok(texts().includes(told(13, 7, 10)));
  assert.ok(texts(21).includes(told(24, 4, 21)));
});
