/** How resources change: the fields that are named, versions, repeated requests, pages, the record. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { AccountService } from '../src/gen/propusk/admin/v1/account_service_pb.js';
import { type AuditEntry, AuditService } from '../src/gen/propusk/admin/v1/audit_service_pb.js';
import { ClientService } from '../src/gen/propusk/admin/v1/client_service_pb.js';
import { KeyService } from '../src/gen/propusk/admin/v1/key_service_pb.js';
import { OperatorService } from '../src/gen/propusk/admin/v1/operator_service_pb.js';
import { Role } from '../src/gen/propusk/contract/v1/contract_pb.js';
import { AdministeredServer, makeClient, makeKey } from './administration.ts';
import { failureOf } from './clients/client.ts';
import { unique } from './start.ts';

const scene = await AdministeredServer.start();
after(() => scene[Symbol.asyncDispose]());
const { inside } = scene;
const { updateKey, getKey } = KeyService.method;
const { createClient, updateClient, deleteClient, getClient, listClients } = ClientService.method;

test('an update changes the fields that are named, and no others', async () => {
  for (const each of inside.all) {
    const operator = scene.as('operator', each);
    const { id: clientId, account } = await makeClient(operator);
    const { id } = await makeKey(operator, clientId, {
      label: 'before',
      readonly: true,
      callsPerMinute: { Auth: 7 },
      sourceNetworks: ['127.0.0.1', '10.0.0.0/8'],
      expiresAt: { seconds: 4_000_000_000n },
    });
    const before = await operator.call(getKey, { id });
    const given = { id, label: 'after', readonly: false, clientId: 'other', accountIds: [account] };
    const labelled = await operator.call(updateKey, {
      key: given,
      updateMask: { paths: ['label'] },
    });
    const { version, updatedAt } = labelled;
    assert.ok(version > before.version);
    assert.deepEqual(labelled, { ...before, label: 'after', version, updatedAt });
    assert.deepEqual(await operator.call(getKey, { id }), labelled);
    // A field that is named and not given is emptied.
    const paths = ['readonly', 'calls_per_minute', 'source_networks', 'expires_at'];
    const emptied = await operator.call(updateKey, { key: { id }, updateMask: { paths } });
    assert.deepEqual(
      [emptied.label, emptied.readonly, emptied.callsPerMinute, emptied.sourceNetworks],
      ['after', false, {}, []],
    );
    assert.equal(emptied.expiresAt, undefined);
    assert.equal(emptied.allAccounts, true);
    const failure = await failureOf(
      operator.call(updateKey, { key: { id }, updateMask: { paths: ['label', 'labels'] } }),
    );
    assert.match(failure.message, /^update_mask names "labels"/);
  }
});

test('an update leaves the end of an operator as it is, unless it is named', async () => {
  const owner = scene.as('owner');
  const { createOperator, updateOperator } = OperatorService.method;
  const request = { operator: { name: 'Anna', role: Role.VIEWER } };
  const { operator } = await owner.call(createOperator, request);
  assert.ok(operator);
  const change = (paths: string[], expiresAt?: { seconds: bigint }) => {
    const given = { id: operator.id, name: 'Anne', ...(expiresAt && { expiresAt }) };
    return owner.call(updateOperator, { operator: given, updateMask: { paths } });
  };
  const named = await change(['name'], { seconds: 1n });
  assert.deepEqual([named.name, named.expiresAt], ['Anne', operator.expiresAt]);
  for (const seconds of [1n, 10_000_000_000n]) {
    const failure = await failureOf(change(['expires_at'], { seconds }));
    assert.match(failure.message, /^operator\.expires_at is (over already|more than a year)/);
  }
});

test('over REST a mask is read in either spelling', async () => {
  const operator = scene.as('operator');
  const { id } = await makeKey(operator, (await makeClient(operator)).id);
  const headers = { authorization: operator.token };
  for (const [i, spelling] of ['source_networks', 'sourceNetworks'].entries()) {
    const body = JSON.stringify({ source_networks: [`10.0.0.${i}`], label: 'not named' });
    const target = `/admin/v1/keys/${id}?update_mask=${spelling}`;
    const { status, text } = await inside.rest1.send('PATCH', target, { headers, body });
    assert.equal(status, 200, text);
    const { source_networks, label } = JSON.parse(text);
    assert.deepEqual([source_networks, label], [[`10.0.0.${i}`], '']);
  }
});

test('of changes to one version only the first is made', async () => {
  const operators = inside.all.map((each) => scene.as('operator', each));
  const [first] = operators;
  if (first === undefined) throw new Error('there are four');
  const { id, version } = await first.call(createClient, { client: { name: '0' } });
  const answers = await Promise.allSettled(
    operators.map((operator, i) =>
      operator.call(updateClient, {
        client: { id, name: `name ${i}`, version },
        updateMask: { paths: ['name'] },
      }),
    ),
  );
  assert.equal(answers.filter(({ status }) => status === 'fulfilled').length, 1);
  for (const operator of operators) {
    const stale = { client: { id, name: 'x', version }, updateMask: { paths: ['name'] } };
    for (const refused of [
      () => operator.call(updateClient, stale),
      () => operator.call(deleteClient, { id, version }),
    ]) {
      const failure = await failureOf(refused());
      assert.equal(failure.reason, 'VERSION_CONFLICT');
      if (failure.httpStatus !== undefined) assert.equal(failure.httpStatus, 409);
    }
  }
  const now = await first.call(getClient, { id });
  await first.call(deleteClient, { id, version: now.version });
  assert.equal((await failureOf(first.call(getClient, { id }))).reason, 'RESOURCE_NOT_FOUND');
});

test('changes of different fields that come together lose nothing', async () => {
  const operator = scene.as('operator', inside.grpc);
  const { id } = await makeKey(operator, (await makeClient(operator)).id);
  await Promise.all([
    operator.call(updateKey, { key: { id, label: 'L' }, updateMask: { paths: ['label'] } }),
    operator.call(updateKey, { key: { id, readonly: true }, updateMask: { paths: ['readonly'] } }),
    operator.call(updateKey, {
      key: { id, sourceNetworks: ['127.0.0.1'] },
      updateMask: { paths: ['source_networks'] },
    }),
    operator.call(updateKey, {
      key: { id, callsPerMinute: { Auth: 3 } },
      updateMask: { paths: ['calls_per_minute'] },
    }),
  ]);
  const key = await operator.call(getKey, { id });
  assert.deepEqual(
    [key.label, key.readonly, key.sourceNetworks, key.callsPerMinute],
    ['L', true, ['127.0.0.1'], { Auth: 3 }],
  );
});

test('a creation that is sent again, at once or later, is made once', async () => {
  const operator = scene.as('operator', inside.grpc);
  const request = { client: { id: unique(), name: 'once' }, requestId: unique() };
  const together = await Promise.all(
    Array.from({ length: 8 }, () => operator.call(createClient, request)),
  );
  const again = await scene.as('operator').call(createClient, request);
  for (const each of together) assert.deepEqual(each, again);
  const other = { client: { name: 'other' }, requestId: request.requestId };
  assert.equal((await failureOf(operator.call(createClient, other))).reason, 'REQUEST_ID_REUSED');
  const { id: clientId } = again;
  const account = { account: { id: unique(), clientId }, requestId: request.requestId };
  const failure = await failureOf(operator.call(AccountService.method.createAccount, account));
  assert.equal(failure.reason, 'REQUEST_ID_REUSED', 'of another method as well');
});

test('pages hold everything once, in a stable order, while more is made', async () => {
  const operator = scene.as('operator', inside.grpc);
  const made = new Set<string>();
  for (let i = 0; i < 25; i++) made.add((await operator.call(createClient, { client: {} })).id);
  for (const each of inside.all) {
    const viewer = scene.as('viewer', each);
    const seen: string[] = [];
    let pageToken = '';
    do {
      const page = await viewer.call(listClients, { pageSize: 7, pageToken });
      assert.ok(page.clients.length <= 7);
      seen.push(...page.clients.map(({ id }) => id));
      pageToken = page.nextPageToken;
      await operator.call(createClient, { client: {} });
    } while (pageToken !== '');
    assert.deepEqual(seen, [...new Set(seen)].sort());
    assert.ok([...made].every((id) => seen.includes(id)));
  }
});

test('a page token goes with its own list and filters only', async () => {
  const operator = scene.as('operator');
  const { id: clientId } = await makeClient(operator);
  const { createAccount, listAccounts } = AccountService.method;
  await operator.call(createAccount, { account: { id: unique(), clientId } });
  const { nextPageToken: pageToken } = await operator.call(listAccounts, { clientId, pageSize: 1 });
  assert.notEqual(pageToken, '');
  for (const refused of [
    () => operator.call(listAccounts, { pageToken }),
    () => operator.call(listClients, { pageToken }),
    () => operator.call(KeyService.method.listKeys, { clientId, pageToken }),
  ]) {
    const failure = await failureOf(refused());
    assert.equal(failure.reason, 'INVALID_REQUEST');
    assert.match(failure.message, /^page_token /);
  }
});

/** The name that a record says that there was before, or after. */
function nameIn(entry: AuditEntry | undefined, when: 'before' | 'after'): unknown {
  const resource = entry?.detail?.[when];
  return isObject(resource) ? resource.name : undefined;
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

test('the record has what was there before and after, and is found by who, what and when', async () => {
  const operator = scene.as('operator');
  const { listAuditEntries } = AuditService.method;
  const { id } = await operator.call(createClient, { client: { name: 'old' } });
  await operator.call(updateClient, {
    client: { id, name: 'new' },
    updateMask: { paths: ['name'] },
  });
  await operator.call(deleteClient, { id });
  for (const each of inside.all) {
    const viewer = scene.as('viewer', each);
    const query = { actor: `operator:${scene.operators.operator.id}`, target: `client:${id}` };
    const { entries } = await viewer.call(listAuditEntries, query);
    assert.deepEqual(
      entries.map(({ action }) => action),
      ['client.delete', 'client.update', 'client.create'],
    );
    const oldest = await viewer.call(listAuditEntries, { ...query, oldestFirst: true });
    assert.deepEqual(oldest.entries, entries.toReversed());
    const [removed, changed, created] = entries;
    assert.equal(nameIn(created, 'after'), 'old');
    assert.deepEqual([nameIn(changed, 'before'), nameIn(changed, 'after')], ['old', 'new']);
    assert.equal(nameIn(removed, 'before'), 'new');
    assert.equal(typeof changed?.detail?.requestId, 'string');
    const one = { ...query, action: 'client.update' };
    assert.equal((await viewer.call(listAuditEntries, one)).entries.length, 1);
    const later = { ...query, since: { seconds: BigInt(Math.ceil(Date.now() / 1000) + 60) } };
    assert.deepEqual((await viewer.call(listAuditEntries, later)).entries, []);
    const earlier = { ...query, until: { seconds: 1_000_000_000n } };
    assert.deepEqual((await viewer.call(listAuditEntries, earlier)).entries, []);
    const pages: string[] = [];
    let pageToken = '';
    do {
      const page = await viewer.call(listAuditEntries, { ...query, pageSize: 1, pageToken });
      pages.push(...page.entries.map(({ action }) => action));
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    assert.equal(pages.length, 3);
  }
});
