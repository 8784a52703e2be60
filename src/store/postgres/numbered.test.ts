import assert from 'node:assert/strict';
import { test } from 'node:test';
import { numbered } from './numbered.ts';

test('parameters are numbered as SQLite numbers them', () => {
  assert.equal(numbered('SELECT ?, ?'), 'SELECT $1, $2');
  assert.equal(numbered('SELECT ?2, ?1, ?2, ?'), 'SELECT $2, $1, $2, $3');
  assert.equal(numbered('SELECT ?10, ?'), 'SELECT $10, $11');
});

test('what is in quotes is no parameter', () => {
  const sql = `SELECT ? AS "a?", 'it''s ?1', ?`;
  assert.equal(numbered(sql), `SELECT $1 AS "a?", 'it''s ?1', $2`);
});
