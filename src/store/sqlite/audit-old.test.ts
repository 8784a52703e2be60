/** Logs from before entries vouched for secrets, sessions and what was pruned: nobody is accused. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { chainStart, entryMac, FIRST_CHAIN, sealPoint } from '../../domain/audit-chain.ts';
import { AUDIT_KEY, audit, HOUSEHOLD, key, NOW_MS, operator, put } from '../contract-samples.ts';
import { POINT_SQL } from '../sql/audit-points.ts';
import { openWriter } from './connection.ts';
import { verifyFile } from './maintenance.ts';
import { Databases, faultsOf, signIn, using } from './tampering.ts';

const databases = new Databases();
after(() => databases.remove());

interface Row {
  readonly sequence: number;
  readonly atMs: number;
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly remoteAddress: string;
  readonly detail: string;
}

/** Writes the log anew as it would have been before, with the first entries pruned. */
function makeOld(file: string, pruned: number): void {
  const db = openWriter(file);
  const rows = db.all<Row>(
    `SELECT sequence, at_ms AS atMs, actor, action, target, remote_address AS remoteAddress, detail
     FROM audit ORDER BY sequence`,
  );
  const writer = 'old';
  let { hash } = chainStart(AUDIT_KEY, writer, 0);
  const putPoint = (name: 'head' | 'checkpoint', sequence: number) => {
    const { mac } = sealPoint(AUDIT_KEY, name, { writer, sequence, hash });
    db.run(POINT_SQL.putPoint, FIRST_CHAIN, name, writer, sequence, hash, mac);
  };
  putPoint('checkpoint', 0);
  for (const row of rows) {
    const isNew = (name: string) => ['secrets', 'session', 'sessionIds'].includes(name);
    const detail = JSON.stringify(JSON.parse(row.detail), (name, value) =>
      isNew(name) ? undefined : value,
    );
    hash = entryMac(AUDIT_KEY, hash, { ...row, detail });
    db.run('UPDATE audit SET detail = ?, mac = ? WHERE sequence = ?', detail, hash, row.sequence);
    if (row.sequence === pruned) putPoint('checkpoint', pruned);
  }
  putPoint('head', rows.length);
  db.run('DELETE FROM audit WHERE sequence <= ?', pruned);
  db.close();
}

/** Six resources, an operator, three sessions, two of them revoked at once, and the key again. */
async function old(name: string, pruned: number): Promise<string> {
  const file = databases.file(name);
  await using(file, async (store) => {
    await put(store, { ...HOUSEHOLD, operators: [operator('o1')] });
    for (const id of ['one', 'two']) await signIn(store, id);
    await store.revokeSessions({ keyId: 'k1' }, NOW_MS, audit('session.revoke', 'key:k1'));
    await signIn(store, 'three');
    await put(store, { keys: [key('k1', 'c1', { previousSecretMac: 'older' })] });
  });
  makeOld(file, pruned);
  return file;
}

test('entries that vouch for less verify as far as they go', async () => {
  const file = await old('unpruned', 0);
  assert.deepEqual([faultsOf(file), verifyFile(file, AUDIT_KEY).entries], [[], 12]);
  const relabeled = databases.changed(file, `UPDATE api_key SET label = 'x'`);
  assert.deepEqual(faultsOf(relabeled), ['key k1 is not as entry 12 says']);
  // What comes after vouches for more.
  await using(file, (store) => put(store, { operators: [operator('o1', { name: 'renamed' })] }));
  assert.deepEqual(faultsOf(file), []);
  const swapped = databases.changed(file, `UPDATE operator SET token_mac = 'known'`);
  assert.deepEqual(faultsOf(swapped), ['operator o1 is not as entry 13 says']);
});

test('resources whose last entry was pruned without a word are counted', async () => {
  const file = await old('pruned', 5);
  const report = verifyFile(file, AUDIT_KEY);
  assert.deepEqual([report.faults, report.untold, report.checkpoint], [[], 5, 5]);
  // Pruning goes on from there, and what it carries is known from then on.
  await using(file, (store) => store.pruneAudit(NOW_MS + 10_000_000, 100, NOW_MS + 10_000_000));
  const later = verifyFile(file, AUDIT_KEY);
  assert.deepEqual([later.faults, later.untold, later.entries], [[], 5, 2]);
  const swapped = databases.changed(file, `UPDATE api_key SET secret_mac = 'known'`);
  assert.match(faultsOf(swapped).join(), /^key k1 is not as entry \d+ says$/);
});

test('a log that begins over what is there already tells of all of it first', async () => {
  const file = databases.file('unbegun');
  await using(file, (store) => put(store, { ...HOUSEHOLD, operators: [operator('o1')] }));
  const unbegun = databases.changed(
    file,
    `DELETE FROM audit; DELETE FROM audit_point WHERE name = 'checkpoint';
     UPDATE audit_point SET writer = '', hash = '', mac = ''`,
  );
  await using(unbegun, async (store) => {
    await signIn(store, 'first');
    const entries = await store.audit(0, 100);
    const carried = [1, 2, 3, 4, 5, 6, 7].map((version) => `audit.carry ${version}`);
    assert.deepEqual(
      entries.map(({ action, detail }) => `${action} ${detail.version}`),
      [...carried, 'session.create undefined'],
    );
  });
  const report = verifyFile(unbegun, AUDIT_KEY);
  assert.deepEqual([report.faults, report.untold, report.entries], [[], 0, 8]);
  const raised = databases.changed(unbegun, `UPDATE operator SET role = 'owner'`);
  assert.match(faultsOf(raised).join(), /^operator o1 is not as entry \d+ says$/);
});

test('what a refused write would have begun is begun by the next', async () => {
  const file = databases.file('refused');
  await using(file, async (store) => {
    await assert.rejects(put(store, { accounts: HOUSEHOLD.accounts }), /does not exist/);
    await put(store, HOUSEHOLD);
  });
  const report = verifyFile(file, AUDIT_KEY);
  assert.deepEqual([report.faults, report.checkpoint, report.heads[0]?.sequence], [[], 0, 6]);
});
