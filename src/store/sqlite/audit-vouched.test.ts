/** Resources and sessions that were changed behind Propusk's back: none passes for what the log says. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  AUDIT_KEY,
  audit,
  BY,
  client,
  HOUSEHOLD,
  key,
  NOW_MS,
  operator,
  put,
  session,
} from '../contract-samples.ts';
import type { Store } from '../store.ts';
import { verifyFile } from './maintenance.ts';
import { Databases, faultsOf, signIn, using } from './tampering.ts';

const databases = new Databases();
after(() => databases.remove());

/** Used in every way: sessions revoked one by one and many at once, secrets rotated. */
const USED = databases.file('used');
/** USED, and everything that is older than its last sessions pruned. */
const PRUNED = databases.file('pruned');
/** The instant of USED's last changes, by which it is pruned. */
const LATER_MS = NOW_MS + 1_000_000;
/** An entry for each that is there. */
const CARRIED = 9;

const drop = (kind: 'key' | 'subscription', id: string) =>
  ({ kind, id, action: 'delete', value: null, expect: 'any' }) as const;

async function use(store: Store): Promise<void> {
  const keys = [...HOUSEHOLD.keys, key('k2', 'c1'), key('k3', 'c1'), key('k4', 'c1')];
  await put(store, { ...HOUSEHOLD, keys, operators: [operator('o1'), operator('o2')] });
  for (const id of ['alone', 'free', 'over']) await signIn(store, id);
  for (let i = 0; i < 700; i++) await signIn(store, `of-k2-${i}`, { keyId: 'k2' });
  for (const keyId of ['k3', 'k4']) await signIn(store, `of-${keyId}`, { keyId });
  await store.revokeSession('alone', NOW_MS + 1, audit('session.revoke', 'session:alone'));
  const many = audit('session.revoke', 'key:k2');
  assert.equal(await store.revokeSessions({ keyId: 'k2' }, NOW_MS + 1, many), 700);
  await store.change([drop('key', 'k3')], { ...BY, atMs: NOW_MS + 2 });
  await store.change([drop('key', 'k4')], { ...BY, atMs: NOW_MS + 2 });
  const rotated = { secretMac: 'newer', previousSecretMac: 'mac-of-k1' };
  const [k1] = HOUSEHOLD.keys;
  assert.ok(k1);
  const k1Now = { ...k1, ...rotated, previousSecretEndsAtMs: NOW_MS + 500 };
  await put(store, { keys: [k1Now], operators: [operator('o2', { tokenMac: 'newest' })] });
}

/** The same as retention does, some entries at a time; answers how many are gone. */
async function prune(store: Store, untilMs: number, atMs = untilMs): Promise<number> {
  let pruned = 0;
  for (;;) {
    const entries = await store.pruneAudit(untilMs, 7, atMs);
    pruned += entries;
    if (entries < 7) return pruned;
  }
}

before(async () => {
  await using(USED, use);
  databases.changed(USED, `VACUUM INTO '${PRUNED}'`);
  await using(PRUNED, async (store) => {
    assert.ok((await prune(store, LATER_MS)) > 700);
    const entry = audit('session.create', 'session:last', { atMs: LATER_MS });
    const times = { issuedAtMs: LATER_MS, expiresAtMs: LATER_MS + 900_000 };
    assert.ok(await store.createSession(session('last', 'k1', times), entry));
  });
});

test('what nobody touched verifies: revoked, rotated, deleted, pruned', async () => {
  const used = verifyFile(USED, AUDIT_KEY);
  assert.deepEqual([used.faults, used.untold], [[], 0]);
  const pruned = verifyFile(PRUNED, AUDIT_KEY);
  assert.deepEqual([pruned.faults, pruned.untold, pruned.entries], [[], 0, CARRIED + 1]);
  // And again, until everything was carried twice and nothing is left to prune.
  const file = databases.changed(PRUNED, '');
  await using(file, async (store) => {
    assert.equal(await prune(store, LATER_MS + 950_000), CARRIED + 1);
    assert.equal(await prune(store, LATER_MS + 950_000), 0);
    await put(store, { clients: [client('c1'), { id: 'c2', name: 'new' }] });
  });
  const again = verifyFile(file, AUDIT_KEY);
  assert.deepEqual([again.faults, again.entries], [[], CARRIED + 1]);
});

type Case = readonly [what: string, sql: string, fault: RegExp];

const UNREVOKED = (id: string) => `UPDATE session SET revoked_at_ms = NULL WHERE id = '${id}'`;
const lives = (id: string) =>
  new RegExp(`^session ${id} was revoked by entry \\d+, and lives again$`);

/** What is found before anything is pruned. */
const IN_USED: readonly Case[] = [
  ['a session that lives again', UNREVOKED('alone'), lives('alone')],
  ['one of many that were revoked at once', UNREVOKED('of-k2-3'), lives('of-k2-3')],
  ['one that the second entry of them names', UNREVOKED('of-k2-99'), lives('of-k2-99')],
  ['one whose key was deleted', UNREVOKED('of-k3'), lives('of-k3')],
  [
    'a session that is another key’s',
    `UPDATE session SET key_id = 'k2' WHERE id = 'free'`,
    /^session free is not as entry \d+ says$/,
  ],
  [
    'a session that lives longer',
    `UPDATE session SET expires_at_ms = expires_at_ms + 1 WHERE id = 'free'`,
    /^session free is not as entry \d+ says$/,
  ],
  [
    'a session from somewhere else',
    `UPDATE session SET remote_address = '192.0.2.66' WHERE id = 'free'`,
    /^session free is not as entry \d+ says$/,
  ],
  [
    'a session of another program',
    `UPDATE session SET source_app_id = 'other' WHERE id = 'free'`,
    /^session free is not as entry \d+ says$/,
  ],
  [
    'a revoked session that seems to be over, so that nobody is told of its revocation',
    `UPDATE session SET expires_at_ms = 1 WHERE id = 'alone'`,
    /^session alone is not as entry \d+ says$/,
  ],
  [
    'a revoked session that is gone',
    `DELETE FROM session WHERE id = 'alone'`,
    /^session alone is missing, and entry \d+ says that it was made$/,
  ],
  [
    'a session that nobody made',
    `INSERT INTO session SELECT 'made-up', key_id, client_id, '', '', issued_at_ms, expires_at_ms, NULL
     FROM session WHERE id = 'free'`,
    /^1 sessions were made by no entry$/,
  ],
];

/** What is found before and after. */
const IN_BOTH: readonly Case[] = [
  [
    'a secret in the place of a key’s',
    `UPDATE api_key SET secret_mac = 'known' WHERE id = 'k1'`,
    /^key k1 is not as entry \d+ says$/,
  ],
  [
    'a secret in the place of the one before it',
    `UPDATE api_key SET previous_secret_mac = 'known' WHERE id = 'k1'`,
    /^key k1 is not as entry \d+ says$/,
  ],
  [
    'a key’s two secrets in each other’s place',
    `UPDATE api_key SET secret_mac = previous_secret_mac, previous_secret_mac = secret_mac
     WHERE id = 'k1'`,
    /^key k1 is not as entry \d+ says$/,
  ],
  [
    'a second secret of a key that had one',
    `UPDATE api_key SET previous_secret_mac = 'known', previous_secret_ends_at_ms = 9e15
     WHERE id = 'k2'`,
    /^key k2 is not as entry \d+ says$/,
  ],
  [
    'a token in the place of an operator’s',
    `UPDATE operator SET token_mac = 'known' WHERE id = 'o1'`,
    /^operator o1 is not as entry \d+ says$/,
  ],
  [
    'the tokens of two operators in each other’s place',
    `UPDATE operator SET token_mac = 'x' WHERE id = 'o1';
     UPDATE operator SET token_mac = 'mac-of-o1' WHERE id = 'o2';
     UPDATE operator SET token_mac = 'newest' WHERE id = 'o1';`,
    /^operator o1 is not as entry \d+ says$/,
  ],
  [
    'an operator of another role',
    `UPDATE operator SET role = 'owner' WHERE id = 'o1'`,
    /^operator o1 is not as entry \d+ says$/,
  ],
  [
    'a plan that grants more',
    'UPDATE plan_permission SET delay_minutes = 0',
    /^plan p1 is not as entry \d+ says$/,
  ],
  ['a limit that is gone', 'DELETE FROM api_key_limit', /^key k1 is not as entry \d+ says$/],
  [
    'an account that is gone',
    `DELETE FROM account WHERE id = 'a2'`,
    /^account:a2 is missing, and entry \d+ says what it is$/,
  ],
  [
    'a key of a lower version',
    `UPDATE api_key SET version = 1 WHERE id = 'k1'`,
    /^key k1 is as it was before entry \d+$/,
  ],
  [
    'an account that nobody made',
    `INSERT INTO account (id, client_id, readonly, version) VALUES ('a9', 'c1', 0, 1)`,
    /^account a9 was made by no entry$/,
  ],
];

/** What is found after. */
const IN_PRUNED: readonly Case[] = [
  [
    'an entry that carries, changed',
    `UPDATE audit SET detail = replace(detail, 'readonly":true', 'readonly":false')
     WHERE action = 'audit.carry'`,
    /^entry \d+ is not as it was written/,
  ],
  [
    'the session of a key that was deleted long ago, there again',
    `INSERT INTO session SELECT 'of-k3', 'k3', client_id, '', '', issued_at_ms, expires_at_ms, NULL
     FROM session`,
    /^1 sessions were made by no entry$/,
  ],
  [
    'an entry, without an HMAC like one from before there were chains, where others were pruned',
    `INSERT INTO audit (sequence, at_ms, actor, action, target, remote_address, detail)
     SELECT 5, at_ms, actor, action, target, remote_address, detail FROM audit LIMIT 1`,
    /^entries up to \d+ were pruned, and 1 others were put there$/,
  ],
  [
    'a session that such an entry tells of',
    `INSERT INTO audit (sequence, at_ms, actor, action, target, remote_address, detail)
     VALUES (5, 0, 'key:k1', 'session.create', 'session:made-up', '', '{}');
     INSERT INTO session SELECT 'made-up', 'k1', client_id, '', '', issued_at_ms, expires_at_ms, NULL
     FROM session`,
    /^entries up to \d+ were pruned, and 1 others were put there$/,
  ],
];

for (const [name, file, cases] of [
  ['', USED, [...IN_USED, ...IN_BOTH]],
  [', after what told of it was pruned', PRUNED, [...IN_BOTH, ...IN_PRUNED]],
] as const) {
  for (const [what, sql, fault] of cases) {
    test(`verify finds ${what}${name}`, () => {
      const faults = faultsOf(databases.changed(file, `PRAGMA foreign_keys = OFF; ${sql}`));
      assert.equal(faults.filter((found) => fault.test(found)).length, 1, JSON.stringify(faults));
    });
  }
}

test('what is not as the log says is not pruned away with what tells so', async () => {
  for (const [what, sql, fault] of [
    ...IN_BOTH.filter(([, , fault]) => !/by no entry/.test(String(fault))),
    ...IN_USED.filter(([what]) => /longer|another key’s|gone/.test(what)),
  ]) {
    const file = databases.changed(USED, `PRAGMA foreign_keys = OFF; ${sql}`);
    await using(file, (store) => assert.rejects(prune(store, LATER_MS), /does not verify/, what));
    const faults = faultsOf(file);
    assert.ok(
      faults.some((found) => fault.test(found)),
      `${what}: ${JSON.stringify(faults)}`,
    );
  }
});

test('what was put where others were pruned is not pruned away', async () => {
  const [, sql] = IN_PRUNED.find(([what]) => /such an entry/.test(what)) ?? [];
  assert.ok(sql);
  const file = databases.changed(PRUNED, sql);
  const untilMs = LATER_MS + 950_000;
  await using(file, (store) => assert.rejects(prune(store, untilMs), /does not verify/));
});

test('what was deleted, and is there again, is not pruned away either', async () => {
  const file = databases.file('deleted');
  await using(file, async (store) => {
    await put(store, HOUSEHOLD);
    await store.change([drop('subscription', 's1')], BY);
  });
  const again = `INSERT INTO subscription (id, client_id, plan_id, starts_at_ms, version)
    VALUES ('s1', 'c1', 'p1', 0, 5)`;
  const tampered = databases.changed(file, again);
  await using(tampered, (store) => assert.rejects(prune(store, LATER_MS), /does not verify/));
  assert.deepEqual(faultsOf(tampered), ['subscription s1 was deleted, and is there again']);
  await using(file, (store) => prune(store, LATER_MS));
  assert.deepEqual(faultsOf(file), []);
  assert.deepEqual(faultsOf(databases.changed(file, again)), [
    'subscription s1 was made by no entry',
  ]);
});
