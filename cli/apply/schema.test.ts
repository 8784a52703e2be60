import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonValue } from '@bufbuild/protobuf';
import { registerSchema, validate } from '@hyperjump/json-schema/draft-2020-12';
import fc from 'fast-check';
import { SCHEMA_TEXT, schemaFlaws } from './schema.ts';

const ID = 'https://propusk.example/clients.schema.json';
registerSchema(JSON.parse(SCHEMA_TEXT), ID);

/** Any of several, or now and then something that is wrong there. */
const mostly = <T>(good: fc.Arbitrary<T>) =>
  fc.oneof(
    { weight: 12, arbitrary: good },
    { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 1 }) },
  );
const id = mostly(fc.constantFrom('a', 'TRQD05:146559', '#', '', 'x'.repeat(65), 'é'));
const instant = mostly(
  fc.constantFrom('2027-01-31T18:00:00Z', '2027-01-31T18:00:00.123+03:00', '2027-01-31', '+30d'),
);
const list = (item: fc.Arbitrary<unknown>) => mostly(fc.array(item, { maxLength: 2 }));
const record = (fields: Record<string, fc.Arbitrary<unknown>>, requiredKeys: string[] = []) =>
  mostly(fc.record({ ...fields }, { requiredKeys: requiredKeys as [] }));
const permission = record({
  quote_level: mostly(fc.constantFrom('QUOTE_LEVEL_LAST_PRICE', 'QUOTE_LEVEL_UNSPECIFIED', 1)),
  delay_minutes: mostly(fc.constantFrom(0, 15, -1, 1.5, 2 ** 31)),
  mic: mostly(fc.constantFrom('#RBRD', '')),
  worldwide: mostly(fc.boolean()),
});
const plan = record({ id, name: mostly(fc.string()), permissions: list(permission) }, ['id']);
const key = record(
  {
    id,
    label: mostly(fc.constantFrom('', '€'.repeat(256), '€'.repeat(257), '😀'.repeat(256))),
    all_accounts: mostly(fc.boolean()),
    account_ids: list(id),
    calls_per_minute: mostly(fc.dictionary(fc.constant('Auth'), fc.constantFrom(0, 1, 1.5, '1'))),
    source_networks: list(mostly(fc.constantFrom('10.0.0.0/8', ''))),
    expires_at: instant,
    secret: fc.constant('x'),
  },
  ['id'],
);
const subscription = record({ id, plan_id: id, starts_at: instant, ends_at: instant }, ['id']);
const account = record({ id, readonly: mostly(fc.boolean()) }, ['id']);
const client = record(
  { id, accounts: list(account), subscriptions: list(subscription), keys: list(key) },
  ['id'],
);
const content = record(
  { version: mostly(fc.constant(1)), plans: list(plan), clients: list(client) },
  ['version'],
);

test('says of any content what another validator says', async () => {
  let [good, bad] = [0, 0];
  await fc.assert(
    fc.asyncProperty(content, async (drawn) => {
      const value = JSON.parse(JSON.stringify(drawn)) as JsonValue;
      const { valid } = await validate(ID, value as never);
      assert.equal(schemaFlaws(value).length === 0, valid, JSON.stringify(schemaFlaws(value)));
      if (valid) good++;
      else bad++;
    }),
    { numRuns: 500 },
  );
  assert.ok(good > 30 && bad > 30, `${good} were good and ${bad} bad`);
});

test('says where it is wrong, and what', () => {
  const value = {
    version: 1,
    plans: [{ id: 'p', permissions: [{ quote_level: 'QUOTE_LEVEL_LAST_PRICE' }] }],
    clients: [{ id: 1899011, keys: [{ id: 'k', secret: 'x' }] }],
  };
  assert.deepEqual(schemaFlaws(value), [
    {
      path: ['plans', 0, 'permissions', 0],
      message: 'needs exactly one of mic, country, continent, worldwide',
    },
    { path: ['clients', 0, 'id'], message: 'must be text; put it in quotes' },
    {
      path: ['clients', 0, 'keys', 0, 'secret'],
      message:
        'is not known here; known are id, label, all_accounts, account_ids, readonly, ' +
        'calls_per_minute, source_networks, expires_at',
    },
  ]);
});
