/** Every method of the administration: for each role, with wrong input, and what the audit trail says. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { DescMethodUnary, Message } from '@bufbuild/protobuf';
import { ADMINISTRATION } from '../src/administration.ts';
import type { Row, Things } from './admin-rows.ts';
import { KEY_ROWS } from './admin-rows-keys.ts';
import { OPERATOR_ROWS } from './admin-rows-operators.ts';
import { RECORD_ROWS } from './admin-rows-records.ts';
import {
  AdministeredServer,
  Administrator,
  OPERATOR_ROLES,
  putOperator,
  SERVE_KEY,
} from './administration.ts';
import { type Client, failureOf } from './clients/client.ts';
import { unique } from './start.ts';
import { claimsOf, putAccounts, putKey, write } from './steps.ts';

const scene = await AdministeredServer.start('--operator-failures-max=100000');
after(() => scene[Symbol.asyncDispose]());
const { store } = scene.server;

const ROWS = new Map([...RECORD_ROWS, ...KEY_ROWS, ...OPERATOR_ROWS]);
const METHODS = ADMINISTRATION.flatMap((service) => service.methods) as DescMethodUnary[];

/** New things to administer. `name` is the secret of the key, and in the ids of all. */
async function things(name = unique()): Promise<Things> {
  const [client, account, plan, subscription, key] = ['c', 'a', 'p', 's', 'k'].map((p) => p + name);
  const [loneClient, lonePlan] = [`lc${name}`, `lp${name}`];
  const ids = { client, account, plan, subscription, key } as Record<keyof Things, string>;
  await putAccounts(
    store,
    [{ id: ids.account, clientId: ids.client, readonly: false }],
    [ids.client, loneClient],
  );
  await write(
    store,
    'plan',
    [ids.plan, lonePlan].map((id) => ({ id, name: id, permissions: [] })),
  );
  const times = { startsAtMs: 0, endsAtMs: null };
  const { client: clientId, plan: planId } = ids;
  await write(store, 'subscription', [{ id: ids.subscription, clientId, planId, ...times }]);
  await putKey(store, ids.key, clientId, SERVE_KEY.macOfSecret(name));
  const session = claimsOf(await scene.outside.rest1.auth(name)).jti;
  const operator = (await putOperator(scene.server, 'viewer')).id;
  return { ...ids, loneClient, lonePlan, session, operator };
}

async function operatorOf(id: string) {
  const operator = await store.get('operator', id);
  if (operator === undefined) throw new Error(`no operator ${id}`);
  return operator;
}

function rowOf(method: DescMethodUnary): Row {
  const row = ROWS.get(method);
  if (row === undefined) throw new Error(`test/admin-rows… has no row for ${method}`);
  return row;
}

function asRole(role: (typeof OPERATOR_ROLES)[number], client: Client): Administrator {
  return new Administrator(client, scene.operators[role].token);
}

/** The newest audit entries that were written since the one with this number. */
async function entriesSince(sequence: number) {
  const found = await store.audit(sequence, 100);
  return found.filter(({ action }) => action !== 'session.create');
}

async function lastSequence(): Promise<number> {
  const { entries } = await store.findAudit({ newestFirst: true, limit: 1 });
  return entries[0]?.sequence ?? 0;
}

/** The id of what an answer is about. */
function idOf(answer: Message): string {
  const { id, key, operator } = answer as Message & {
    id?: string;
    key?: { id: string };
    operator?: { id: string };
  };
  return id ?? key?.id ?? operator?.id ?? '';
}

/** A key's secret, which opens nothing here. */
const SECRET = unique();
/** What nobody may touch. */
const untouched = await things(SECRET);

test('there is a row for every method, and no other', () => {
  assert.deepEqual(new Set(ROWS.keys()), new Set(METHODS));
});

for (const method of METHODS) {
  const { role: least, good, wrong, audit } = rowOf(method);

  test(`${method.name} is for the role ${least} and above, and leaves its record`, async () => {
    for (const client of scene.inside.all) {
      for (const role of OPERATOR_ROLES) {
        const isRefused = OPERATOR_ROLES.indexOf(role) < OPERATOR_ROLES.indexOf(least);
        const asked = isRefused ? untouched : await things();
        const before = await lastSequence();
        const call = asRole(role, client).call(method, good(asked));
        if (isRefused) {
          const failure = await failureOf(call);
          assert.equal(failure.reason, 'ROLE_INSUFFICIENT', role);
          assert.equal(failure.code, 7);
          assert.deepEqual(await entriesSince(before), []);
          continue;
        }
        const answer = await call;
        const entries = await entriesSince(before);
        if (audit === undefined) {
          assert.deepEqual(entries, []);
          continue;
        }
        const [entry, ...others] = entries;
        assert.deepEqual(others, [], 'one record for one change');
        const [action, target] = audit(asked, idOf(answer));
        assert.equal(entry?.actor, `operator:${scene.operators[role].id}`);
        assert.deepEqual([entry?.action, entry?.target], [action, target]);
        assert.equal(entry?.remoteAddress, '127.0.0.1');
        assert.ok(Math.abs(Date.now() - (entry?.atMs ?? 0)) < 60_000);
        assert.ok(!/(secret|token)Mac/i.test(JSON.stringify(entry?.detail)));
      }
    }
  });

  test(`${method.name} is for nobody who is no operator`, async () => {
    const expired = await putOperator(scene.server, 'owner', 1);
    const revoked = await putOperator(scene.server, 'owner');
    const { version, createdAtMs, updatedAtMs, ...operator } = await operatorOf(revoked.id);
    await write(store, 'operator', [{ ...operator, revokedAtMs: Date.now() }]);
    for (const client of scene.inside.all) {
      const before = await lastSequence();
      const failures = [];
      const tokens = ['', 'pop_x', SECRET, `${revoked.token}x`, revoked.token, expired.token];
      for (const token of tokens) {
        const nobody = new Administrator(client, token);
        failures.push(await failureOf(nobody.call(method, good(untouched))));
      }
      for (const failure of failures) {
        assert.equal(failure.reason, 'OPERATOR_TOKEN_INVALID');
        assert.deepEqual(failure.status, failures[0]?.status, 'all look alike');
      }
      assert.deepEqual(await entriesSince(before), []);
    }
  });

  if (wrong.length === 0) continue;
  test(`${method.name} refuses wrong input, and leaves no record`, async () => {
    for (const client of scene.inside.all) {
      const asked = await things();
      for (const [request, what] of wrong) {
        const before = await lastSequence();
        const failure = await failureOf(asRole('owner', client).call(method, request(asked)));
        if (/^[A-Z_]+$/.test(what)) {
          assert.equal(failure.reason, what, failure.message);
        } else {
          assert.equal(failure.reason, 'INVALID_REQUEST');
          const found = failure.detail('BadRequest')?.field_violations as { field: string }[];
          const names = found.map(({ field }) => field);
          assert.ok(names.includes(what), `${what} is told, not ${names}`);
        }
        assert.deepEqual(await entriesSince(before), [], failure.message);
      }
    }
  });
}
