/**
 * Where our REST may differ from the gateway's: each with its reason, and with a request that shows
 * it. What is not here must be the same.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Asked } from './ask.ts';
import { listsForObjects, masksInSnakeCase, slashesKept } from './rewrite.ts';
import { isUtf8, lettersOf, pathOf, type Seen, statusOf } from './seen.ts';

export interface Difference {
  readonly name: string;
  readonly reason: string;
  /** Shows the difference. */
  readonly example: Asked;
  /** True when the answers may differ as they do, or may once `instead` is asked. */
  readonly allows: (seen: Seen) => boolean;
  /** What our refusal says of each field that is wrong to us alone. */
  readonly refusal?: RegExp;
  /** What the gateway is asked instead; its answer must be ours. Undefined when it does not apply. */
  readonly instead?: (asked: Asked) => Asked | undefined;
}

/** True when the numbers of two answers are the same by `same`, and the rest to the letter. */
function equal(a: unknown, b: unknown, same: (a: number, b: number) => boolean): boolean {
  if (typeof a === 'number' && typeof b === 'number') return same(a, b);
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  const keys = Object.keys(a);
  if (Array.isArray(a) !== Array.isArray(b) || keys.length !== Object.keys(b).length) return false;
  return keys.every(
    (key) => Object.hasOwn(b, key) && equal(Reflect.get(a, key), Reflect.get(b, key), same),
  );
}

function sameFloat(a: number, b: number): boolean {
  const digits = (value: number) => value.toExponential().replace(/e.*|\D/g, '').length;
  return (
    a === b || (Math.fround(a) === Math.fround(b) && digits(a) === digits(b) && digits(a) < 10)
  );
}

function get(target: string): Asked {
  return { verb: 'GET', target };
}

function post(target: string, body: Asked['body']): Asked {
  return { verb: 'POST', target, body };
}

const EMPTY_ITEM = {
  id: '',
  amount: '0',
  parts: [],
  tags: [],
  color: 'COLOR_UNSPECIFIED',
  weight: 0,
};

export const DIFFERENCES: readonly Difference[] = [
  {
    name: 'refusals in our words, with details',
    reason:
      'the contract: the same failure has the same details, whatever the protocol; a refusal names the fields and quotes nothing',
    example: get('/v1/wide?is_on=maybe'),
    allows: ({ ours, gateway }) =>
      ours.status === gateway.status &&
      statusOf(ours).code === statusOf(gateway).code &&
      statusOf(gateway).details.length === 0 &&
      statusOf(ours).details.some(({ domain }) => domain === 'propusk'),
  },
  {
    name: 'another verb is 405 with Allow',
    reason: 'the contract; the gateway answers 501, with the same code 12',
    example: { verb: 'PUT', target: '/v1/wide' },
    allows: ({ asked, ours, gateway }) =>
      ours.status === 405 &&
      gateway.status === 501 &&
      ours.headers.allow !== undefined &&
      (asked.verb === 'HEAD' || (statusOf(ours).code === 12 && statusOf(gateway).code === 12)),
  },
  {
    name: 'an empty segment is no value',
    reason: 'GET /v1/accounts/a/orders/ is not the order without an id; the path is unknown',
    example: get('/v1/wide/'),
    allows: ({ asked, ours }) =>
      ours.status === 404 && /\/(\/|:close$|$)/.test(pathOf(asked).slice(1).replace(/#.*/, '')),
  },
  {
    name: 'a path by its letters beats a template',
    reason: 'to the gateway it depends on which of them the contract has last',
    example: get('/v1/wide/known'),
    allows: ({ asked }) => asked.verb === 'GET' && pathOf(asked) === '/v1/wide/known',
    instead: (asked) => ({ ...asked, target: asked.target.replace('/known', '') }),
  },
  {
    name: '%2F stays in a variable of several segments',
    reason:
      'google.api.http says so; the gateway keeps it for ** alone, and elsewhere the segments run together',
    example: get('/v1/shelves/a%2Fb'),
    allows: () => true,
    instead: slashesKept,
  },
  {
    name: 'a broken percent-encoding in a path',
    reason:
      "Go's HTTP server refuses it in plain text before the gateway sees it; ours is a google.rpc.Status, and a path that fits no route is unknown",
    example: get('/v1/wide/%zz'),
    allows: ({ ours, gateway }) =>
      gateway.status === 400 && gateway.json === undefined && [400, 404].includes(ours.status),
  },
  {
    name: 'bytes that are no UTF-8 in a path or query',
    reason: 'the caller is at fault: 400, not the 500 of a gateway that cannot send them on',
    example: get('/v1/wide/%ff'),
    allows: ({ asked, ours }) =>
      ours.status === 400 &&
      /percent-encoding/.test(statusOf(ours).message) &&
      !asked.target.split(/[/?&=]/).every(isUtf8),
  },
  {
    name: 'an object with the keys 0 to n-1 is a list',
    reason: "the contract: the seeds' Python sample sends `legs` so",
    example: post('/v1/wide', '{"texts":{"0":"a","1":"b"}}'),
    allows: () => true,
    instead: listsForObjects,
  },
  {
    name: 'a key that is there twice is refused, known or not',
    reason:
      'readers differ in which of the two they take; the gateway looks at fields that it knows',
    example: post('/v1/wide', '{"unknown":1,"unknown":2}'),
    allows: ({ ours }) =>
      ours.status === 400 && /^the body has .* more than once$/.test(statusOf(ours).message),
  },
  {
    name: 'what stands behind the JSON is refused',
    reason: 'such a body is not JSON; the gateway reads its beginning and looks no further',
    example: post('/v1/wide', '{"text":"a"}{"text":"b"}'),
    allows: ({ ours, gateway }) =>
      ours.status === 400 &&
      gateway.status !== 400 &&
      /^the body is not (JSON|UTF-8)/.test(statusOf(ours).message),
  },
  {
    name: 'unknown fields may nest deeper than 10,000',
    reason: "the body's size is our limit, and what is unknown is not looked into",
    example: post('/v1/wide', `{"unknown":${'['.repeat(20_000)}${']'.repeat(20_000)}}`),
    allows: ({ ours, gateway }) =>
      ours.status === 200 &&
      gateway.status === 400 &&
      /max(imum)? (recursion )?depth/.test(statusOf(gateway).message),
  },
  {
    name: 'messages that nest deeper than 100',
    reason:
      "refused over REST with the field's name, over gRPC by its reader, which knows no names yet",
    example: post('/v1/wide', `{"any_list":${'['.repeat(60)}${']'.repeat(60)}}`),
    refusal: /^nests deeper than/,
    allows: ({ gateway }) =>
      gateway.status === 400 && /max(imum)? (recursion )?depth/.test(statusOf(gateway).message),
  },
  {
    name: 'any Content-Type is read as JSON',
    reason:
      'the contract; the gateway takes a form for a query, and a type that it cannot read for an error',
    example: { verb: 'PUT', target: '/v1/wide/a', type: 'a/b; c' },
    allows: ({ asked }) => asked.type !== undefined,
    instead: ({ type: _type, ...asked }) => asked,
  },
  {
    name: 'times are RFC 3339',
    reason:
      'the contract; Go also takes a comma, an hour of one digit, offsets of 24 hours, and in queries more digits than nanoseconds',
    example: post('/v1/wide', '{"at":"2025-01-01T00:00:00,5Z"}'),
    refusal: /^takes google\.protobuf\.Timestamp$/,
    allows: ({ asked }) => /T\d:|,\d+Z|[+-]24:|[+-]\d\d:60|\.\d{10}/i.test(lettersOf(asked)),
  },
  {
    name: "durations in a query are as in JSON, not Go's",
    reason: 'one form for a value wherever it stands; 1h30m is a word of Go alone',
    example: get('/v1/wide?lasting=1h30m'),
    refusal: /^takes google\.protobuf\.Duration$/,
    allows: ({ asked }) => /[?&]lastings?=/.test(asked.target),
  },
  {
    name: 'durations in a query that are too long for Go',
    reason: 'as in JSON, protobuf has 10,000 years, and Go 292',
    example: get('/v1/wide?lasting=315576000000s'),
    allows: ({ asked, ours, gateway }) =>
      /[?&]lastings?=/.test(asked.target) &&
      ours.status === 200 &&
      gateway.status === 400 &&
      /time: invalid duration/.test(statusOf(gateway).message),
  },
  {
    name: 'paths of a mask in a query are read in camelCase too',
    reason: 'the contract: requests are read in snake_case and camelCase',
    example: get('/v1/wide?mask=isOn'),
    allows: ({ ours, gateway }) => ours.status === 200 && gateway.status === 500,
    instead: masksInSnakeCase,
  },
  {
    name: 'a mask that has no JSON form is refused',
    reason:
      'the caller is at fault: 400, not the 500 of a gateway that takes it and cannot print it',
    example: get('/v1/wide?mask=1a'),
    refusal: /^takes google\.protobuf\.FieldMask$/,
    allows: ({ asked }) => /[?&]mask=/.test(asked.target),
  },
  {
    name: 'types of google.protobuf are one value in a query',
    reason: 'as in JSON, where at.seconds is no field; what is made up so may have no JSON form',
    example: get('/v1/wide?at.seconds=5'),
    refusal: /^takes google\.protobuf\./,
    allows: ({ asked }) => /[?&][^=&]*\.(value|seconds|fields|number_value)=/.test(asked.target),
  },
  {
    name: 'a map in a query has its keys in brackets',
    reason: 'to the gateway two values without a key are a key and a value',
    example: get('/v1/wide?text_by_text=a&text_by_text=b'),
    refusal: /^takes a map of /,
    allows: ({ asked }) => /[?&]text_by_text=/.test(asked.target),
  },
  {
    name: 'a line break in the key of a map',
    reason:
      'a key like any other; the gateway does not see the brackets then, and drops the parameter',
    example: get('/v1/wide?text_by_text[a%0Ab]=c'),
    allows: ({ asked }) => /\[[^&]*%0a[^&]*\]=/i.test(asked.target),
  },
  {
    name: 'two spellings of a key are one key',
    reason: 'as in JSON; to the gateway it depends on chance which of them stays',
    example: get('/v1/wide?number_by_number[1]=2&number_by_number[01]=3'),
    refusal: /^has a key more than once$/,
    allows: ({ asked }) => /\[[^&]*\]=.*\[[^&]*\]=/.test(asked.target),
  },
  {
    name: 'a list of strings as a body is as in any other place',
    reason: "to the gateway it is Go's own JSON there: null is an empty string",
    example: post('/v1/lists/texts', '[null]'),
    refusal: /^takes string$/,
    allows: ({ asked }) => pathOf(asked) === '/v1/lists/texts',
  },
  {
    name: 'an answer that is an unset message is null, and an empty list is []',
    reason:
      'the contract: zero values are printed, unset messages are not; the gateway has it the other way round here',
    example: post('/v1/answers/items', '{}'),
    allows: ({ ours, gateway }) =>
      (ours.json === null && isDeepStrictEqual(gateway.json, EMPTY_ITEM)) ||
      (gateway.json === null && isDeepStrictEqual(ours.json, [])),
  },
  {
    name: 'zero has no sign',
    reason: "JavaScript's JSON prints -0 as 0",
    example: post('/v1/wide', '{"real_64":-0.0}'),
    allows: ({ ours, gateway }) => equal(ours.json, gateway.json, (a, b) => a === b),
  },
  {
    name: 'a float between two of its shortest forms',
    reason:
      '3985013.25 may be printed as ...3.2 or ...3.3; both are that float, and Go takes the even one',
    example: post('/v1/wide', '{"real_32":3985013.25}'),
    allows: ({ ours, gateway }) => equal(ours.json, gateway.json, sameFloat),
  },
];
