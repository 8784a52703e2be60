/** The general routes of google.api.http, on a contract that has more than the product's own. */
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
  for (const query of ['', '&', '=', '=x', '&&==', '.=x', 'item.=x', '__proto__=x']) {
    const answer = await echoed(client, 'GET', `/v1/parents/p/children/c?${query}`);
    assert.deepEqual(answer, { ...NOTHING, parent_id: 'p', child_id: 'c', ...itemOf(query) });
  }
  // A string has no fields.
  await refused(client, 'GET', '/v1/parents/p/children/c?text.more=x');
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
  // What the body is bound to is not in the query.
  const item = { ...ITEM, name: 'n' };
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
  assert.equal(fieldOf(failure), 'big_number');
});

both('a verb of its own, and an answer that is one field', async (client) => {
  assert.equal((await echoed(client, 'REPORT', '/v1/echo', { text: 'r' })).text, 'r');
  const body = '{"items":[{"name":"i"}],"text":"left out"}';
  const answer = await client.send('POST', '/v1/items', { body });
  assert.equal(answer.text, JSON.stringify([{ ...ITEM, name: 'i' }]));
});
