import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { AUDIT_KEY } from '../contract-samples.ts';
import { storeContract } from '../contract-suite.ts';
import { openSqlite } from './sqlite.ts';

const folder = mkdtempSync(join(tmpdir(), 'propusk-store-'));
after(() => rmSync(folder, { recursive: true }));

let opened = 0;
storeContract('SQLite, in a file', () => {
  opened += 1;
  const url = `sqlite:${join(folder, `${opened}.db`)}`;
  return openSqlite(url, { exclusive: true, auditKey: AUDIT_KEY });
});
storeContract('SQLite, in memory', () => openSqlite('sqlite::memory:'));
