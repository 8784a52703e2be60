/** The JSON of every kind of field, on a contract that has more than the product's own. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Four } from './clients/four.ts';
import type { RestClient } from './clients/rest.ts';
import { echoed, fieldOf, ITEM, NOTHING, refused } from './echo-rest.ts';
import { echoService } from './echo-service.ts';
import { startHere } from './start.ts';

const server = await startHere([], { extraServices: [echoService().registration] });
const four = new Four(server);
after(async () => {
  await four[Symbol.asyncDispose]();
  await server.stop();
});

function both(what: string, check: (client: RestClient) => Promise<void>): void {
  for (const client of [four.rest1, four.rest2])
    test(`${what}, ${client.name}`, () => check(client));
}

both('zero values are printed in the order of the contract', async (client) => {
  const answer = await client.send('POST', '/v1/echo', { body: '{}' });
  assert.equal(answer.text, JSON.stringify(NOTHING));
});

both('every kind of field', async (client) => {
  const body = {
    big_number: '9223372036854775807',
    raw_bytes: 'AQL/',
    color: 'COLOR_BLUE',
    colors: ['COLOR_RED', 2],
    happened_at: '2025-07-24T10:51:27.5+03:00',
    is_on: true,
    ratio: 1.5e-3,
    right_number: 0,
    small_number: -2147483648,
    maybe: '',
    named: { a: { name: 'x' }, __proto__x: {} },
    item: { amount: '-1' },
  };
  assert.deepEqual(await echoed(client, 'POST', '/v1/echo', body), {
    ...NOTHING,
    ...body,
    colors: ['COLOR_RED', 'COLOR_BLUE'],
    happened_at: '2025-07-24T07:51:27.500Z',
    named: { a: { ...ITEM, name: 'x' }, __proto__x: ITEM },
    item: { ...ITEM, amount: '-1' },
  });
});

both('other spellings of the same', async (client) => {
  const odd = {
    bigNumber: 12,
    rawBytes: '__8',
    color: 1,
    ratio: '2.5',
    smallNumber: '3',
    rightNumber: '7',
    isOn: true,
  };
  assert.deepEqual(await echoed(client, 'POST', '/v1/echo', odd), {
    ...NOTHING,
    big_number: '12',
    raw_bytes: '//8=',
    color: 'COLOR_RED',
    ratio: 2.5,
    small_number: 3,
    right_number: 7,
    is_on: true,
  });
});

both('an explicit UNSPECIFIED is the same as nothing', async (client) => {
  const body = { color: 'COLOR_UNSPECIFIED', item: null, left: null, happened_at: null };
  assert.deepEqual(await echoed(client, 'POST', '/v1/echo', body), NOTHING);
});

both('an object with the keys 0 to n-1 is a list, at any depth', async (client) => {
  const body = `{
    "words": {"1": "b", "0": "a"},
    "items": {"0": {"name": "i", "parts": {"0": {"tags": {"0": "t"}}, "1": {}}}},
    "item": {"parts": [{"inner": {"tags": {"0": "x", "1": "y"}}}]},
    "named": {"0": {"tags": {"0": "in a map"}}},
    "colors": {"0": "COLOR_RED"}
  }`;
  assert.deepEqual(await echoed(client, 'POST', '/v1/echo', body), {
    ...NOTHING,
    words: ['a', 'b'],
    items: [{ ...ITEM, name: 'i', parts: [{ ...ITEM, tags: ['t'] }, ITEM] }],
    item: { ...ITEM, parts: [{ ...ITEM, inner: { ...ITEM, tags: ['x', 'y'] } }] },
    named: { 0: { ...ITEM, tags: ['in a map'] } },
    colors: ['COLOR_RED'],
  });
  const whole = await echoed(client, 'PUT', '/v1/parents/p/children/c', '{"tags":{"0":"x"}}');
  assert.deepEqual(whole.item, { ...ITEM, tags: ['x'] });
});

both('any other object is no list', async (client) => {
  for (const value of [
    '{"1":"a"}',
    '{"0":"a","2":"b"}',
    '{"00":"a"}',
    '{"0":"a","x":"b"}',
    '{"-0":"a"}',
    '{"0.0":"a"}',
    '{"__proto__":"a"}',
    '{"length":0}',
    '"a"',
  ]) {
    const failure = await refused(client, 'POST', '/v1/echo', `{"words":${value}}`);
    assert.deepEqual(failure.detail('BadRequest')?.field_violations, [
      { field: 'words', description: 'takes a list of string', reason: '' },
    ]);
  }
});

both('a key that is there twice is refused where lists are, too', async (client) => {
  for (const body of [
    '{"text":"a","text":"a"}',
    '{"big_number":"1","bigNumber":"2"}',
    '{"items":[{"parts":[{"name":"a","name":"b"}]}]}',
    '{"items":{"0":{"name":"a"},"0":{"name":"b"}}}',
    '{"named":{"a":{},"a":{}}}',
    '{"unknown":[{"a":1,"a":2}]}',
  ]) {
    assert.match((await refused(client, 'POST', '/v1/echo', body)).message, /more than once/, body);
  }
  const failure = await refused(client, 'POST', '/v1/echo', '{"left":"l","rightNumber":1}');
  assert.match(failure.message, /only one of left, right_number/);
});

both('__proto__ is a key of a map, and no field', async (client) => {
  const body = '{"named":{"__proto__":{"name":"x"}},"item":{"__proto__":{"name":"evil"}}}';
  const { named, item } = await echoed(client, 'POST', '/v1/echo', body);
  assert.ok(Object.hasOwn(named as object, '__proto__'));
  assert.deepEqual(item, ITEM);
});

both('a wrong type names its field', async (client) => {
  for (const [body, field, kind] of [
    ['{"text":1}', 'text', 'string'],
    ['{"is_on":"true"}', 'is_on', 'bool'],
    ['{"small_number":1.5}', 'small_number', 'int32'],
    ['{"small_number":2147483648}', 'small_number', 'int32'],
    ['{"big_number":"9223372036854775808"}', 'big_number', 'int64'],
    ['{"big_number":1e30}', 'big_number', 'int64'],
    ['{"raw_bytes":"***"}', 'raw_bytes', 'bytes'],
    ['{"ratio":"x"}', 'ratio', 'double'],
    ['{"words":["a",1]}', 'words[1]', 'string'],
  ] as const) {
    const failure = await refused(client, 'POST', '/v1/echo', body);
    assert.deepEqual(failure.detail('BadRequest')?.field_violations, [
      { field, description: `takes ${kind}`, reason: '' },
    ]);
    assert.ok(!failure.message.includes('***'));
  }
});

both('a wrong type inside another message names the path to it', async (client) => {
  for (const [body, path] of [
    ['{"item":{"name":1}}', 'item.name'],
    ['{"items":[{},{"parts":[{"amount":"x"}]}]}', 'items[1].parts[0].amount'],
  ] as const) {
    const failure = await refused(client, 'POST', '/v1/echo', body);
    assert.equal(fieldOf(failure), path);
  }
});

both('a wrong enum or Timestamp names its field as well', async (client) => {
  for (const [body, field] of [
    ['{"color":{}}', 'color'],
    ['{"color":1.5}', 'color'],
    ['{"happened_at":"yesterday"}', 'happened_at'],
    ['{"happened_at":1}', 'happened_at'],
    ['{"item":[]}', 'item'],
  ] as const) {
    const failure = await refused(client, 'POST', '/v1/echo', body);
    assert.equal(fieldOf(failure), field, body);
  }
});
