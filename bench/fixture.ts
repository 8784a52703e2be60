/**
 * The database that the benchmarks run on: so many keys, written once by the real store and kept in
 * `bench/.cache`. All that it holds can be told from a key's number, so that loads need no list.
 */
import { createHash } from 'node:crypto';
import {
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
} from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { systemClock, systemRandom } from '../src/domain/clock.ts';
import { MasterKey } from '../src/domain/master-key.ts';
import { type Permission, QuoteLevel } from '../src/domain/permission.ts';
import { formatSecret } from '../src/domain/secret.ts';
import { checkMasterKey } from '../src/ops/place.ts';
import { openSigningKeys } from '../src/ops/signing-keys.ts';
import { openSqlite } from '../src/store/sqlite/sqlite.ts';
import type { ResourceChange, ResourceKind, Resources, Store } from '../src/store/store.ts';

/** Of the benchmarks alone, as 64 hex digits. */
export const MASTER_KEY = 'be'.repeat(32);
/** To be raised when what a fixture holds changes. */
const VERSION = 1;
const CACHE = path.join(import.meta.dirname, '.cache');
const KEYS_PER_CLIENT = 4;
const CLIENTS_AT_A_TIME = 500;
/** Changes under way at a time: the store's thread works while the next ones are made. */
const CHANGES_AT_A_TIME = 4;
const SESSIONS_AT_A_TIME = 500_000;
const DAY_MS = 86_400_000;
/** Past sessions are spread over so many days, fewer than they are kept. */
const PAST_DAYS = 300;
const PLAN = 'plan-moex';

/** All ids are of one length, so that requests and answers are too; as long as those of newId. */
const ID_LENGTH = 22;

function idOf(kind: string, number: number): string {
  return kind + String(number).padStart(ID_LENGTH - kind.length, '0');
}

export function keyIdOf(number: number): string {
  return idOf('key-', number);
}

export function clientIdOfKey(number: number): string {
  return idOf('client-', Math.floor(number / KEYS_PER_CLIENT));
}

/** A key's secret, in the form of all secrets. */
export function secretOf(number: number): string {
  return formatSecret(hash(`secret ${number}`));
}

/** The token of an operator with the role service, who may check what others' tokens are good for. */
export const SERVICE_TOKEN = formatSecret(hash('service'), 'pop_');

function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest().subarray(0, 20);
}

/** The account of every key of the client. */
function accountOf(client: number): string {
  return String(1_000_000 + client);
}

/** The account of a key. */
export function accountIdOfKey(number: number): string {
  return accountOf(Math.floor(number / KEYS_PER_CLIENT));
}

/** A database in a folder of its own. */
export interface Fixture {
  readonly keys: number;
  readonly folder: string;
  /** `sqlite:PATH`. */
  readonly database: string;
  readonly signingKey: { readonly id: string; readonly hex: string };
  /** Takes the folder away. */
  remove(): void;
}

/** A copy of the database with so many keys, which is made first where there is none. */
export async function openFixture(keys: number, pastSessions = 0): Promise<Fixture> {
  const kept = path.join(CACHE, `keys-${keys}-sessions-${pastSessions}-v${VERSION}.db`);
  if (!existsSync(kept)) await make(keys, pastSessions, kept);
  const folder = mkdtempSync(path.join(CACHE, 'run-'));
  const file = path.join(folder, 'propusk.db');
  copyFileSync(kept, file, constants.COPYFILE_FICLONE);
  const database = `sqlite:${file}`;
  const masterKey = new MasterKey(Buffer.from(MASTER_KEY, 'hex'));
  const store = await openSqlite(database, { auditKey: masterKey.auditKey });
  const [{ id, key }] = await openSigningKeys(store, masterKey, systemClock, systemRandom);
  await store.close();
  const signingKey = { id, hex: key.export().toString('hex') };
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  return { keys, folder, database, signingKey, remove };
}

async function make(keys: number, pastSessions: number, kept: string): Promise<void> {
  const what = `${keys} keys and ${pastSessions} past sessions`;
  process.stderr.write(`a database with ${what} is made, once\n`);
  mkdirSync(CACHE, { recursive: true });
  const part = `${kept}.part`;
  for (const end of ['', '-wal', '-shm', '.lock']) rmSync(part + end, { force: true });
  const masterKey = new MasterKey(Buffer.from(MASTER_KEY, 'hex'));
  const store = await openSqlite(`sqlite:${part}`, { auditKey: masterKey.auditKey });
  await store.noteMeta('mode', 'serve');
  await checkMasterKey(store, part, masterKey);
  await openSigningKeys(store, masterKey, systemClock, systemRandom);
  await fill(store, keys, masterKey);
  await store.close();
  addPastSessions(part, pastSessions, keys);
  rmSync(`${part}.lock`, { force: true });
  renameSync(part, kept);
}

async function fill(store: Store, keys: number, masterKey: MasterKey): Promise<void> {
  const by = { actor: 'propusk', atMs: Date.now(), remoteAddress: '' };
  await store.change([...plan(), ...operator(masterKey)], by);
  const clients = Math.ceil(keys / KEYS_PER_CLIENT);
  const underWay: Promise<unknown>[] = [];
  for (let from = 0; from < clients; from += CLIENTS_AT_A_TIME) {
    const to = Math.min(clients, from + CLIENTS_AT_A_TIME);
    const changes: ResourceChange[] = [];
    for (let client = from; client < to; client++) changes.push(...clientChanges(client));
    for (let key = from * KEYS_PER_CLIENT; key < Math.min(keys, to * KEYS_PER_CLIENT); key++) {
      changes.push(...keyChange(key, masterKey));
    }
    underWay.push(store.change(changes, by));
    if (underWay.length === CHANGES_AT_A_TIME) await underWay.shift();
  }
  await Promise.all(underWay);
}

/**
 * Sessions that are over, as old servers have them. In the order of their ids, by SQL alone and without
 * their audit entries: the store would take hours.
 */
function addPastSessions(file: string, count: number, keys: number): void {
  const db = new DatabaseSync(file);
  const oldestMs = Date.now() - PAST_DAYS * DAY_MS;
  const stepMs = ((PAST_DAYS - 1) * DAY_MS) / Math.max(1, count);
  const insert = db.prepare(`
    WITH RECURSIVE number (n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < ?2)
    INSERT INTO session (id, key_id, client_id, source_app_id, remote_address, issued_at_ms,
      expires_at_ms, revoked_at_ms)
    SELECT printf('past-%017d', n), printf('key-%018d', n / ?3), printf('client-%015d', n / ?3 / ?4),
      '', '192.0.2.1', CAST(?5 + n * ?6 AS INTEGER), CAST(?5 + n * ?6 AS INTEGER) + 903000, NULL
    FROM number`);
  const perKey = Math.max(1, Math.ceil(count / keys));
  for (let from = 0; from < count; from += SESSIONS_AT_A_TIME) {
    const to = Math.min(count, from + SESSIONS_AT_A_TIME);
    insert.run(from, to, perKey, KEYS_PER_CLIENT, oldestMs, stepMs);
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  }
  db.close();
}

function put<K extends ResourceKind>(kind: K, value: Resources[K]): ResourceChange[] {
  return [{ kind, id: value.id, action: 'create', expect: 'absent', value }];
}

function plan(): ResourceChange[] {
  // As the documented example has them.
  const permissions = ['#RBRD', '#WWCP'].map(
    (mic): Permission => ({
      ...{ quoteLevel: QuoteLevel.DEPTH_OF_MARKET, delayMinutes: 0 },
      ...{ conditionKind: 'mic', conditionValue: mic },
    }),
  );
  return put('plan', { id: PLAN, name: 'Moscow Exchange', permissions });
}

function operator(masterKey: MasterKey): ResourceChange[] {
  const tokenMac = masterKey.macOfSecret(SERVICE_TOKEN);
  const life = { expiresAtMs: null, revokedAtMs: null };
  return put('operator', { id: 'gateway', name: 'gateway', role: 'service', tokenMac, ...life });
}

function clientChanges(number: number): ResourceChange[] {
  const clientId = idOf('client-', number);
  const life = { startsAtMs: 0, endsAtMs: null };
  return [
    ...put('client', { id: clientId, name: `Client ${number}` }),
    ...put('account', { id: accountOf(number), clientId, readonly: false }),
    ...put('subscription', { id: idOf('sub-', number), clientId, planId: PLAN, ...life }),
  ];
}

function keyChange(number: number, masterKey: MasterKey): ResourceChange[] {
  return put('key', {
    id: keyIdOf(number),
    clientId: clientIdOfKey(number),
    label: 'Bot',
    secretMac: masterKey.macOfSecret(secretOf(number)),
    ...{ allAccounts: true, accountIds: [], readonly: false, callsMax: {}, sourceNetworks: [] },
    ...{ expiresAtMs: null, revokedAtMs: null },
    ...{ previousSecretMac: null, previousSecretEndsAtMs: null },
  });
}
