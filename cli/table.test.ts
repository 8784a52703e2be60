import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { type Column, card, painter, table } from './table.ts';

interface Row {
  readonly id: string;
  readonly name: string;
}

const COLUMNS: readonly Column<Row>[] = [
  ['ID', ({ id }) => id],
  ['NAME', ({ name }) => name],
  ['LENGTH', ({ name }) => String(name.length)],
];
const plain = (text: string) => text;

test('columns are as wide as what is in them', () => {
  const rows = [
    { id: 'a', name: 'Акме' },
    { id: 'longer', name: 'e\u0301' },
  ];
  const expected = ['ID      NAME  LENGTH', 'a       Акме  4', 'longer  e\u0301     2', ''];
  assert.equal(table(rows, COLUMNS, plain), expected.join('\n'));
  assert.equal(table([], COLUMNS, plain), 'ID  NAME  LENGTH\n');
});

test('one thing is a line for each column', () => {
  const expected = 'ID      a\nNAME\nLENGTH  0\n';
  assert.equal(card({ id: 'a', name: '' }, COLUMNS, plain), expected);
});

test('what others wrote steers no terminal and breaks no line', () => {
  const text = table([{ id: 'a\nb', name: '\u001b[2J\u202e' }], COLUMNS, plain);
  assert.equal(text.split('\n').length, 3);
  assert.match(text, /a\\u000ab {2}\\u001b\[2J\\u202e/);
});

test('no colours where no terminal is', () => {
  assert.equal(painter(new PassThrough())('ID'), 'ID');
});
