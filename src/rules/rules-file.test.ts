import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { registerSchema, validate } from '@hyperjump/json-schema/draft-2020-12';
import fc from 'fast-check';
import { readRules } from './rules-file.ts';
import { rulesService } from './rules-service.ts';

const SCHEMA = 'https://propusk.example/rules.schema.json';
registerSchema(
  JSON.parse(readFileSync(new URL('./rules.schema.json', import.meta.url), 'utf8')),
  SCHEMA,
);

const read = (text: string) => readRules(text, 'rules.yaml', new Set(['GetOrders']));

const GOOD = `
version: 1
rules:
  - name: News
    method: GET
    path: /v1/news/{rest=**}
    requires: token
    calls_per_minute: 10
  - { name: Ping, method: "*", path: /ping, requires: nothing }
  - { name: Transfer, method: [POST, PUT], path: "/v2/{account_id}:move", requires: trade }
  - name: Depth
    method: [GET]
    path: /v2/books/{mic}/*
    requires: market_data
    quote_level: QUOTE_LEVEL_DEPTH_OF_BOOK
`;

test('rules are read in their order, and what is left out has its meaning', () => {
  const { rules, flaws } = read(GOOD);
  assert.deepEqual(flaws, []);
  assert.deepEqual(
    rules.map(({ name, verbs, requires, quoteLevel, callsPerMinute }) => [
      ...[name, verbs.join(), requires, quoteLevel, callsPerMinute],
    ]),
    [
      ['News', 'GET', 'token', 0, 10],
      ['Ping', '*', 'nothing', 0, 0],
      ['Transfer', 'POST,PUT', 'trade', 0, 200],
      ['Depth', 'GET', 'market_data', 4, 200],
    ],
  );
  const { methods } = rulesService(rules);
  assert.deepEqual(
    methods.map(({ name, input }) => [name, ...input.fields.map((field) => field.name)]),
    [['News', 'rest'], ['Ping'], ['Transfer', 'account_id'], ['Depth', 'mic']],
  );
});

const rule = (more: string) => `version: 1\nrules:\n  - {name: A, ${more}}\n`;
const ofPath = (path: string, requires = 'token') =>
  rule(`method: GET, path: "${path}", requires: ${requires}`);

const BAD: readonly (readonly [string, RegExp])[] = [
  ['', /must have version: 1 and rules/],
  ['[]', /must have version: 1 and rules/],
  ['version: 2\nrules: []', /version must be 1/],
  ['version: 1\nrules: {}', /rules must be a list/],
  ['version: 1\nrules: []\nmore: 1', /more is not known here/],
  ['version: 1\nversion: 1\nrules: []', /2: Map keys must be unique/],
  ['version: 1\nrules: [', /rules.yaml:/],
  ['version: 1\nrules: [1]', /rules.yaml:2: rule 1: must be names with values/],
  [rule('method: GET, path: /a'), /rule A: requires is missing/],
  [rule('method: GET, path: /a, requires: all'), /requires must be one of nothing, token/],
  [rule('method: get, path: /a, requires: token'), /method must be such as GET/],
  [rule('method: [], path: /a, requires: token'), /method must be such as GET/],
  [rule('method: [GET, GET], path: /a, requires: token'), /method must be such as GET/],
  [rule('path: /a, requires: token'), /method is missing/],
  [rule('method: GET, requires: token'), /path is missing/],
  [rule('method: GET, path: /a, requires: token, calls: 1'), /calls is not known here/],
  [rule('method: GET, path: /a, requires: token, calls_per_minute: -1'), /whole number from 0/],
  [rule('method: GET, path: /a, requires: token, calls_per_minute: "7"'), /whole number from 0/],
  [rule('method: GET, path: /a, requires: nothing, calls_per_minute: 1'), /count for nobody/],
  [rule('method: GET, path: /a, requires: token, quote_level: QUOTE_LEVEL_LAST_PRICE'), /alone/],
  [
    rule('method: GET, path: "/{mic}", requires: market_data, quote_level: QUOTE_LEVEL_ALL'),
    /quote_level must be one of/,
  ],
  [ofPath('a'), /path template a: expected \//],
  [ofPath('/a/{b'), /expected }/],
  [ofPath('/a/**/b'), /\*\* must come last/],
  [ofPath('/a/../b'), /never asked about: the path has a dot segment/],
  [ofPath('/a/b%2Fc'), /never asked about: the path encodes/],
  [ofPath('/a;b'), /never asked about/],
  [ofPath('/a?b'), /path has a query/],
  [ofPath('/a/{b.c}'), /the variable b.c/],
  [ofPath('/a/{B}'), /the variable B/],
  [ofPath('/a/{b}/{b}'), /names a variable twice/],
  [ofPath('/a', 'account'), /must name {account_id}, one segment/],
  [ofPath('/a/{account}', 'trade'), /must name {account_id}, one segment/],
  [ofPath('/a/{account_id=**}', 'trade'), /must name {account_id}, one segment/],
  [ofPath('/a/{account_id=b}', 'trade'), /must name {account_id}, one segment/],
  [ofPath('/a/{account_id=*/*}', 'account'), /must name {account_id}, one segment/],
  [ofPath('/a', 'market_data'), /must name {symbol} or {mic}, one segment/],
  [ofPath('/a/{symbol}/{mic}', 'market_data'), /must name {symbol} or {mic}, one segment/],
  [
    'version: 1\nrules: [{name: GetOrders, method: GET, path: /a, requires: token}]',
    /rules.yaml:2: rule GetOrders: its name is taken/,
  ],
  [
    `${ofPath('/a/{b}')}  - {name: A, method: GET, path: "/b", requires: token}`,
    /rules.yaml:4: rule A: its name is taken/,
  ],
  [
    `${ofPath('/a/{b}')}  - {name: B, method: [PUT, GET], path: "/a/{c}", requires: token}`,
    /rules.yaml:4: rule B: GET of this path is rule A's already/,
  ],
  [
    `${ofPath('/a/@me')}  - {name: B, method: GET, path: "/A/%40me", requires: token}`,
    /rules.yaml:4: rule B: GET of this path is rule A's already/,
  ],
  ['version: 1\nrules: *a', /rules.yaml:.*a/],
  [manyAliases(), /rules.yaml: Excessive alias count/],
];

/** Some letters that stand for more than fits into memory. */
function manyAliases(): string {
  const lists = Array.from({ length: 9 }, (_, i) => `&x${i + 1} [${`*x${i},`.repeat(10)}]`);
  return `version: 1\nrules: [&x0 [a], ${lists.join(', ')}]`;
}

test('what is wrong is told, with its line and its rule', () => {
  for (const [text, flaw] of BAD) {
    const { flaws } = read(text);
    assert.match(flaws.join('\n'), flaw, text);
    assert.ok(
      flaws.every((each) => each.startsWith('rules.yaml:')),
      text,
    );
  }
});

test('all mistakes are told together', () => {
  const { flaws } = read('version: 2\nrules: [{name: a}, {name: B, path: a, requires: x}]');
  assert.equal(flaws.length, 8, flaws.join('\n'));
});

const mostly = <T>(good: fc.Arbitrary<T>) =>
  fc.oneof(
    { weight: 20, arbitrary: good },
    { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 1 }) },
  );
const verb = fc.constantFrom('GET', 'POST', '*', 'get', '');
const anyRule = mostly(
  fc.record(
    {
      name: mostly(fc.constantFrom('A', 'Bars', 'a', '', 'A'.repeat(65))),
      method: mostly(fc.oneof(verb, fc.array(verb, { maxLength: 2 }))),
      path: mostly(fc.constant('/a/{account_id}/{symbol}')),
      requires: mostly(fc.constantFrom('nothing', 'token', 'account', 'trade', 'market_data', 'x')),
      quote_level: mostly(fc.constantFrom('QUOTE_LEVEL_LAST_PRICE', 'QUOTE_LEVEL_UNSPECIFIED')),
      calls_per_minute: mostly(fc.integer({ min: -1, max: 2e9 })),
      other: fc.constant(1),
    },
    { requiredKeys: ['name', 'method', 'path', 'requires'] },
  ),
);
const anyFile = fc.record({
  version: mostly(fc.constant(1)),
  rules: mostly(fc.array(anyRule, { minLength: 1, maxLength: 1 })),
});
/** What no schema of ours says: what fields are together, and what templates mean. */
const BEYOND = /count for nobody|goes with requires|must name|expected|variable|never asked about/;

test('the published schema takes what the program takes', async () => {
  const fits = await validate(SCHEMA);
  fc.assert(
    fc.property(anyFile, (file) => {
      const text = JSON.stringify(file);
      const { flaws } = read(text);
      const isTaken = flaws.every((flaw) => BEYOND.test(flaw));
      assert.equal(fits(JSON.parse(text)).valid, isTaken, flaws.join('\n'));
    }),
    { numRuns: 2000 },
  );
});
