import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { storeContract } from '../contract-suite.ts';
import { openSqlite } from './sqlite.ts';

const folder = mkdtempSync(join(tmpdir(), 'propusk-store-'));
after(() => rmSync(folder, { recursive: true }));

let opened = 0;
storeContract('SQLite, in a file', () => {
  opened += 1;
  return openSqlite(`sqlite:${join(folder, `${opened}.db`)}`, { exclusive: true });
});
storeContract('SQLite, in memory', () => openSqlite('sqlite::memory:'));
