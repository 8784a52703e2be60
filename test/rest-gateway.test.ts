/**
 * How a request's body, path and query go together: as grpc-gateway has it, which
 * test/foreign/gateway.test.ts asks itself. What is here was once found there.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Message, toJson } from '@bufbuild/protobuf';
import { AppError } from '../src/domain/errors.ts';
import { readRequest } from '../src/transport/rest/request.ts';
import { type Match, Router } from '../src/transport/rest/router.ts';
import { EchoMessageSchema, EchoService } from './echo-contract.ts';

const router = new Router([EchoService]);

function matchOf(verb: string, path: string): Match {
  const match = router.match(verb, path);
  if (!('binding' in match)) throw new Error(`no route ${verb} ${path}`);
  return match;
}

/** What was understood, without zero values. */
function read(verb: string, target: string, body: string | Uint8Array = ''): unknown {
  const [path = '', query = ''] = target.split(/\?(.*)/s);
  const message: Message = readRequest(matchOf(verb, path), query, Buffer.from(body));
  return toJson(EchoMessageSchema, message, { useProtoFieldName: true });
}

/** The fields that a refusal names, and what it says of them. */
function refused(verb: string, target: string, body: string | Uint8Array = ''): string[] {
  try {
    read(verb, target, body);
  } catch (error) {
    assert.ok(error instanceof AppError && error.reason === 'INVALID_REQUEST', `${error}`);
    const { violations } = error.options;
    return (
      violations?.map(({ field, description }) => `${field} ${description}`) ?? [error.message]
    );
  }
  throw new Error(`${verb} ${target} was read`);
}

const QUERY = '/v1/parents/p/children/c';

function fromQuery(query: string): unknown {
  const { parent_id, child_id, ...rest } = read('GET', `${QUERY}?${query}`) as Record<
    string,
    unknown
  >;
  assert.deepEqual([parent_id, child_id], ['p', 'c']);
  return rest;
}

test('the query has nothing that the path or the body has', () => {
  for (const name of ['parent_id', 'parentId', 'parent_id.more']) {
    assert.deepEqual(fromQuery(`${name}=q`), {}, name);
  }
  const put = (query: string) => read('PUT', `${QUERY}?${query}`, '{"name":"n"}');
  const item = { name: 'n' };
  for (const query of ['item.name=q', 'item.amount=1', 'item=x', 'item.no=1']) {
    assert.deepEqual(put(query), { parent_id: 'p', child_id: 'c', item }, query);
  }
  // A field around one that the path has.
  assert.deepEqual(read('GET', '/v1/shelves/s/books/b?item=x&item.amount=2'), {
    item: { name: 'shelves/s/books/b', amount: '2' },
  });
  assert.deepEqual(read('POST', '/v1/echo?text=q&is_on=maybe&a=%', '{}'), {});
});

test('a field has one value, whichever of its names it goes by', () => {
  assert.deepEqual(refused('GET', `${QUERY}?text=a&text=b`), ['text is set more than once']);
  assert.deepEqual(refused('GET', `${QUERY}?is_on=true&isOn=true`), [
    'is_on is set more than once',
  ]);
  assert.deepEqual(refused('GET', `${QUERY}?words=a&words=b&item.name=a&item.name=b`), [
    'item.name is set more than once',
  ]);
  assert.deepEqual(fromQuery('words=a&words=b'), { words: ['a', 'b'] });
});

test('a oneof has one member', () => {
  const several = ['right_number takes only one of left, right_number'];
  assert.deepEqual(refused('GET', `${QUERY}?left=a&right_number=1`), several);
  assert.deepEqual(refused('POST', '/v1/echo', '{"left":"a","rightNumber":1}'), [
    'choice takes only one of left, right_number',
  ]);
  for (const body of ['{"left":null,"rightNumber":1}', '{"rightNumber":1,"left":null}']) {
    assert.deepEqual(read('POST', '/v1/echo', body), { right_number: 1 });
  }
});

test('a path through what has no fields is refused, and an unknown field ignored', () => {
  assert.deepEqual(refused('GET', `${QUERY}?text.more=x`), ['text takes string']);
  assert.deepEqual(refused('GET', `${QUERY}?items.name=x`), [
    'items takes a list of propusk.test.v1.Item',
  ]);
  assert.deepEqual(refused('GET', `${QUERY}?happened_at.seconds=5`), [
    'happened_at takes google.protobuf.Timestamp',
  ]);
  assert.deepEqual(refused('GET', `${QUERY}?item=x`), ['item takes propusk.test.v1.Item']);
  assert.deepEqual(fromQuery('no.text=x&Text=x&item.no=x&__proto__=x&[text]=x'), { item: {} });
});

test('brackets are for the keys of maps', () => {
  for (const query of ['words[]=a', 'words[0]=a']) {
    assert.deepEqual(refused('GET', `${QUERY}?${query}`), ['words takes a list of string']);
  }
  assert.deepEqual(refused('GET', `${QUERY}?text[a]=b`), ['text takes string']);
  // Messages other than those of google.protobuf have no text form.
  assert.deepEqual(refused('GET', `${QUERY}?named[a]=x`), ['named[] takes propusk.test.v1.Item']);
  assert.deepEqual(refused('GET', `${QUERY}?named=x`), [
    'named takes a map of propusk.test.v1.Item',
  ]);
});

test('values in a query are strict', () => {
  for (const [query, wrong] of [
    ['color=COLOR_GREEN', 'color takes propusk.test.v1.Color'],
    ['color=7', 'color takes propusk.test.v1.Color'],
    ['colors=1&colors=x', 'colors[1] takes propusk.test.v1.Color'],
    ['small_number=1e2', 'small_number takes int32'],
    ['big_number=9223372036854775808', 'big_number takes int64'],
    ['ratio=0x10', 'ratio takes double'],
    ['is_on=tRue', 'is_on takes bool'],
    ['raw_bytes=A', 'raw_bytes takes bytes'],
    ['happened_at=2025-02-30T00:00:00Z', 'happened_at takes google.protobuf.Timestamp'],
  ] as const) {
    assert.deepEqual(refused('GET', `${QUERY}?${query}`), [wrong]);
  }
  assert.deepEqual(fromQuery('big_number=%2B9007199254740993&ratio=.5&raw_bytes=-_8&maybe='), {
    big_number: '9007199254740993',
    ratio: 0.5,
    raw_bytes: '+/8=',
    maybe: '',
  });
});

test('a query that is broken, where there is something to ask of it', () => {
  for (const query of ['a=%zz', 'text=%ff', 'text=a;b']) {
    assert.match(refused('GET', `${QUERY}?${query}`).join(), /^the query has a/, query);
  }
});

test('the path beats the body, which must be right all the same', () => {
  assert.deepEqual(read('PATCH', '/v1/parents/p', '{"parentId":"b"}'), { parent_id: 'p' });
  assert.deepEqual(refused('PATCH', '/v1/parents/p', '{"parentId":1}'), ['parent_id takes string']);
});

test('a body that is not asked for is not read', () => {
  for (const body of ['{', Uint8Array.of(0xff)]) {
    assert.deepEqual(read('GET', `${QUERY}?text=t`, body), {
      parent_id: 'p',
      child_id: 'c',
      text: 't',
    });
  }
});

test('a body that is one field', () => {
  const put = (body: string) => read('PUT', QUERY, body);
  assert.deepEqual(put(''), { parent_id: 'p', child_id: 'c', item: {} });
  assert.deepEqual(refused('PUT', QUERY, 'null'), ['item takes propusk.test.v1.Item']);
  assert.deepEqual(refused('PUT', QUERY, '{"amount":"x"}'), ['item.amount takes int64']);
});

test('numbers to the last digit, in every form', () => {
  const { big_number, ratio, maybe, ...rest } = read(
    'POST',
    '/v1/echo',
    '{"big_number":9007199254740993,"small_number":"1.50e1","ratio":"1e2","maybe":"1"}',
  ) as Record<string, unknown>;
  assert.deepEqual(
    [big_number, ratio, maybe, rest],
    ['9007199254740993', 100, '1', { small_number: 15 }],
  );
  for (const number of ['"0x10"', '" 1"', '""', '1.00000000000000000001', '1e-400', '"1_0"']) {
    const body = `{"small_number":${number},"big_number":${number}}`;
    assert.deepEqual(refused('POST', '/v1/echo', body), [
      'small_number takes int32',
      'big_number takes int64',
    ]);
  }
  assert.deepEqual(refused('POST', '/v1/echo', '{"ratio":1e400}'), ['ratio takes double']);
});

test('a name that an enum does not have is ignored, in JSON', () => {
  const body = '{"color":"COLOR_GREEN","colors":["COLOR_RED","COLOR_GREEN",7]}';
  assert.deepEqual(read('POST', '/v1/echo', body), { colors: ['COLOR_RED', 7] });
});

test('null leaves a field out, but is no item of a list and no value of a map', () => {
  assert.deepEqual(read('POST', '/v1/echo', '{"words":null,"named":null,"maybe":null}'), {});
  assert.deepEqual(refused('POST', '/v1/echo', '{"words":[null],"named":{"secret":null}}'), [
    'words[0] takes string',
    'named[] takes propusk.test.v1.Item',
  ]);
});

test('a refusal names no keys of maps, which are the caller’s own', () => {
  const body = '{"named":{"secret":{"amount":"x"}}}';
  assert.deepEqual(refused('POST', '/v1/echo', body), ['named[].amount takes int64']);
});

test('half of a surrogate pair is refused, known or not', () => {
  assert.deepEqual(refused('POST', '/v1/echo', '{"text":"\\ud800"}'), ['text takes string']);
  for (const body of ['{"unknown":"\\ud800"}', '{"\\udc00":1}', '{"item":{"no":["\\ud800"]}}']) {
    assert.match(refused('POST', '/v1/echo', body).join(), /surrogate/, body);
  }
});

test('messages nest as deep as gRPC has them', () => {
  const nested = (depth: number) => '{"inner":'.repeat(depth) + '{}'.padEnd(depth + 2, '}');
  const query = (depth: number) => `item.${'inner.'.repeat(depth)}name=x`;
  // The request itself is the first of a hundred.
  read('POST', '/v1/echo', `{"item":${nested(98)}}`);
  read('GET', `${QUERY}?${query(98)}`);
  const path = `item.${'inner.'.repeat(98)}inner`;
  const wrong = [`${path} nests deeper than 100 messages`];
  assert.deepEqual(refused('POST', '/v1/echo', `{"item":${nested(99)}}`), wrong);
  assert.deepEqual(refused('POST', '/v1/echo', `{"item":${nested(20_000)}}`), wrong);
  assert.deepEqual(refused('GET', `${QUERY}?${query(99)}`), wrong);
});

test('every field that is wrong is named, and quickly', () => {
  const startedMs = performance.now();
  const body = `{"items":[${'1,'.repeat(300_000)}1]}`;
  assert.equal(refused('POST', '/v1/echo', body).length, 20);
  assert.ok(performance.now() - startedMs < 2000);
});
