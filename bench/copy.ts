/**
 * How long `propusk copy` takes to move keys, and as many sessions with their audit entries, from SQLite to a
 * PostgreSQL server of its own on this machine. `node scripts/node.js bench/copy.ts [keys]`
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { MasterKey } from '../src/domain/master-key.ts';
import { openSqlite } from '../src/store/sqlite/sqlite.ts';
import { PostgresServer } from '../test/foreign/postgres-server.ts';
import { clientIdOfKey, keyIdOf, MASTER_KEY, openFixture } from './fixture.ts';

const SESSIONS_AT_A_TIME = 2_000;
const PROGRAM = path.join(import.meta.dirname, '..', 'bin', 'propusk.js');
const keys = Number(process.argv[2] ?? 100_000);

/** As many sessions as keys, one of each key. */
async function addSessions(database: string): Promise<void> {
  const masterKey = new MasterKey(Buffer.from(MASTER_KEY, 'hex'));
  const { auditKey } = masterKey;
  const store = await openSqlite(database, { auditKey, writeQueueMax: SESSIONS_AT_A_TIME });
  for (let from = 0; from < keys; from += SESSIONS_AT_A_TIME) {
    const numbers = Array.from({ length: Math.min(SESSIONS_AT_A_TIME, keys - from) }, (_, i) => i);
    await Promise.all(numbers.map((i) => store.createSession(...sessionOf(from + i))));
  }
  await store.close();
}

function sessionOf(number: number) {
  const id = `session-${String(number).padStart(14, '0')}`;
  const [keyId, clientId] = [keyIdOf(number), clientIdOfKey(number)];
  const atMs = Date.now();
  const remoteAddress = '192.0.2.1';
  const life = { issuedAtMs: atMs, expiresAtMs: atMs + 903_000, revokedAtMs: null };
  const detail = { method: 'Auth', protocol: 'rest', sourceAppId: '', requestId: id };
  return [
    { id, keyId, clientId, sourceAppId: '', remoteAddress, ...life },
    {
      ...{ atMs, actor: `key:${keyId}`, action: 'session.create', target: `session:${id}` },
      ...{ remoteAddress, detail },
    },
  ] as const;
}

const fixture = await openFixture(keys);
await addSessions(fixture.database);
await using server = await PostgresServer.start();
const to = await server.database('moved');
const startedMs = performance.now();
const child = spawn(process.execPath, [PROGRAM, 'copy', '--from', fixture.database, '--to', to], {
  env: { PATH: process.env.PATH, PROPUSK_MASTER_KEY: MASTER_KEY },
  stdio: ['ignore', 'inherit', 'inherit'],
});
let peak = '';
const watch = setInterval(() => {
  try {
    [peak = peak] = /VmHWM:.*/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8')) ?? [];
  } catch {
    // It has ended, or this is no Linux.
  }
}, 250);
const [code] = await once(child, 'close');
clearInterval(watch);
const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
console.log(`copy ended with ${code} after ${seconds} s; ${peak}`);
process.exit();
