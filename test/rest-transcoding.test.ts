/** The general rules of google.api.http, on a contract that has more than the product's own. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Four } from './clients/four.ts';
import { failureOfAnswer, type RestClient } from './clients/rest.ts';
import { echoService } from './echo-service.ts';
import { startHere } from './start.ts';

const server = await startHere([], { extraServices: [echoService().registration] });
const four = new Four(server);
after(async () => {
  await four[Symbol.asyncDispose]();
  await server.stop();
});

type Json = Record<string, unknown>;

const ITEM = { name: '', amount: '0', parts: [], tags: [], color: 'COLOR_UNSPECIFIED' };
/** An answer to nothing: zero values are there; unset messages and oneof members are not. */
const NOTHING = {
  parent_id: '',
  child_id: '',
  text: '',
  words: [],
  items: [],
  big_number: '0',
  raw_bytes: '',
  color: 'COLOR_UNSPECIFIED',
  colors: [],
  is_on: false,
  ratio: 0,
  named: {},
  small_number: 0,
  flags: [],
};

function both(what: string, check: (client: RestClient) => Promise<void>): void {
  for (const client of [four.rest1, four.rest2])
    test(`${what}, ${client.name}`, () => check(client));
}

/** What the service understood. */
async function echoed(client: RestClient, verb: string, target: string, body?: unknown) {
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const answer = await client.send(verb, target, { body: text as string | undefined });
  assert.equal(answer.status, 200, answer.text);
  return JSON.parse(answer.text) as Json;
}

async function refused(client: RestClient, verb: string, target: string, body?: string) {
  const failure = failureOfAnswer(await client.send(verb, target, { body }));
  assert.equal(failure.httpStatus, 400, `${target} ${body}`);
  assert.equal(failure.code, 3);
  return failure;
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

both('several parameters of a path, percent-encoded', async (client) => {
  const path = '/v1/parents/%2Fa%20b%3F/children/%D1%8F:x';
  const expected = { ...NOTHING, parent_id: '/a b?', child_id: 'я:x' };
  assert.deepEqual(await echoed(client, 'GET', path), expected);
  assert.deepEqual(await echoed(client, 'DELETE', path), expected);
});

both('a path that is broken or does not fit', async (client) => {
  for (const path of ['/v1/parents/%zz/children/c', '/v1/parents/%ff/children/c']) {
    assert.match((await refused(client, 'GET', path)).message, /percent-encoding/);
  }
  for (const path of ['/v1/parents//children/c', '/v1/parents/p/children/', '/v1/parents/p/q/c']) {
    assert.equal((await client.send('GET', path)).status, 404, path);
  }
  const answer = await client.send('POST', '/v1/parents/p/children/c');
  assert.equal(answer.status, 405);
  assert.equal(answer.headers.allow, 'DELETE, GET, PUT');
});

both('the path beats the body and the query, by either name', async (client) => {
  for (const body of ['{"parent_id":"b","text":"t"}', '{"parentId":"b","text":"t"}']) {
    const answer = await echoed(client, 'PATCH', '/v1/parents/p?text=q', body);
    assert.deepEqual(answer, { ...NOTHING, parent_id: 'p', text: 't' });
  }
  for (const query of ['parent_id=q', 'parentId=q', 'parent_id=q&parentId=q']) {
    const answer = await echoed(client, 'GET', `/v1/parents/p/children/c?${query}`);
    assert.deepEqual(answer, { ...NOTHING, parent_id: 'p', child_id: 'c' });
  }
  const nested = await echoed(client, 'POST', '/v1/shelves/s/books/b:move', {
    item: { name: 'body', amount: '3' },
  });
  assert.deepEqual(nested.item, { ...ITEM, name: 'shelves/s/books/b', amount: '3' });
});

both('the query holds what the path and body do not', async (client) => {
  const query =
    'text=a+b%26&words=x&words=y&colors=1&colors=COLOR_BLUE&color=COLOR_RED&is_on=true' +
    '&bigNumber=-5&ratio=0.5&raw_bytes=AQI%3D&happenedAt=2025-01-01T00:00:00Z&maybe=m&left=l' +
    '&item.name=n&item.tags=1&item.tags=2&item.inner.color=2&flags=1&flags=f&unknown=u&item.no=1';
  assert.deepEqual(await echoed(client, 'GET', `/v1/parents/p/children/c?${query}`), {
    ...NOTHING,
    parent_id: 'p',
    child_id: 'c',
    text: 'a b&',
    words: ['x', 'y'],
    item: { ...ITEM, name: 'n', tags: ['1', '2'], inner: { ...ITEM, color: 'COLOR_BLUE' } },
    big_number: '-5',
    raw_bytes: 'AQI=',
    color: 'COLOR_RED',
    colors: ['COLOR_RED', 'COLOR_BLUE'],
    happened_at: '2025-01-01T00:00:00Z',
    is_on: true,
    ratio: 0.5,
    left: 'l',
    maybe: 'm',
    flags: [true, false],
  });
});

both('a query of odd form is harmless', async (client) => {
  for (const query of [
    '',
    '&',
    '=',
    '=x',
    '&&==',
    '.=x',
    'item.=x',
    'text.more=x',
    '__proto__=x',
  ]) {
    const answer = await echoed(client, 'GET', `/v1/parents/p/children/c?${query}`);
    assert.deepEqual(answer, { ...NOTHING, parent_id: 'p', child_id: 'c', ...itemOf(query) });
  }
  await refused(client, 'GET', '/v1/parents/p/children/c?is_on=maybe');
  await refused(client, 'GET', '/v1/parents/p/children/c?big_number=1.5');
});

/** Naming a message's field makes the message, even if there is no such field. */
function itemOf(query: string) {
  return query.startsWith('item.') ? { item: ITEM } : {};
}

both('a body may be one field of the request', async (client) => {
  const answer = await echoed(client, 'PUT', '/v1/parents/p/children/c?text=q&item.amount=1', {
    name: 'n',
    text: 'ignored',
  });
  const item = { ...ITEM, name: 'n', amount: '1' };
  assert.deepEqual(answer, { ...NOTHING, parent_id: 'p', child_id: 'c', text: 'q', item });
});

both('a variable of several segments, and of all that are left', async (client) => {
  const one = await echoed(client, 'GET', '/v1/shelves/a%20b/books/c%2Fd');
  assert.deepEqual(one.item, { ...ITEM, name: 'shelves/a b/books/c%2Fd' });
  const rest = await echoed(client, 'GET', '/v1/files/a/b%2fc/d%20e');
  assert.equal(rest.text, 'a/b%2fc/d e');
  assert.equal((await client.send('GET', '/v1/shelves/a/books')).status, 404);
});

both('numbers, enums and booleans in a path', async (client) => {
  const answer = await echoed(client, 'GET', '/v1/numbers/-12/COLOR_BLUE/true');
  assert.deepEqual([answer.big_number, answer.color, answer.is_on], ['-12', 'COLOR_BLUE', true]);
  const failure = await refused(client, 'GET', '/v1/numbers/x/COLOR_BLUE/true');
  const [violation] = failure.detail('BadRequest')?.field_violations as Json[];
  assert.equal(violation?.field, 'big_number');
});

both('a verb of its own, and an answer that is one field', async (client) => {
  assert.equal((await echoed(client, 'REPORT', '/v1/echo', { text: 'r' })).text, 'r');
  const body = '{"items":[{"name":"i"}],"text":"left out"}';
  const answer = await client.send('POST', '/v1/items', { body });
  assert.equal(answer.text, JSON.stringify([{ ...ITEM, name: 'i' }]));
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
    ['{"words":["a",1]}', 'words', 'a list of string'],
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
    const [violation] = failure.detail('BadRequest')?.field_violations as Json[];
    assert.equal(violation?.field, path);
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
    const [violation] = (failure.detail('BadRequest')?.field_violations ?? []) as Json[];
    assert.equal(violation?.field, field, body);
  }
});
