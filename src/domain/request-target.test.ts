import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { readRequestTarget, TARGET_CHARACTERS_MAX } from './request-target.ts';

const GOOD: Readonly<Record<string, { path: string; query: string }>> = {
  '/': { path: '/', query: '' },
  '/v1/accounts/TRQD05%3A146559': { path: '/v1/accounts/TRQD05%3A146559', query: '' },
  '/v1/accounts/TRQD05:146559/orders': { path: '/v1/accounts/TRQD05:146559/orders', query: '' },
  '/v1/instruments/SBER@MISX/bars?a=1': { path: '/v1/instruments/SBER@MISX/bars', query: 'a=1' },
  '/v1/instruments/SBER%40MISX/bars': { path: '/v1/instruments/SBER%40MISX/bars', query: '' },
  '/v1/mics/%23RBRD?': { path: '/v1/mics/%23RBRD', query: '' },
  '/v1/a?b=/../c?d//;e%': { path: '/v1/a', query: 'b=/../c?d//;e%' },
  '/v1/%D0%A1%D1%87%D1%91%D1%82': { path: '/v1/%D0%A1%D1%87%D1%91%D1%82', query: '' },
  '/.well-known/a..b/...': { path: '/.well-known/a..b/...', query: '' },
};

const BAD: Readonly<Record<string, readonly string[]>> = {
  'not a path': ['', '?a', 'v1', '*', 'http://a/v1', 'HTTP://a/', 'a:80', ' /v1'],
  'must be encoded': ['/v1;a', '/v1\\a', '/v1/a b', '/v1/a#b', '/v1/é', '/v1\0', '/v1\t', '/a"b'],
  'query has': ['/v1?a b', '/v1?a#b', '/v1?é', '/v1?\0', '/v1?\r\n'],
  'empty segment': ['//', '//v1', '/v1/', '/v1//a', '//host/v1', '/v1/a//'],
  'dot segment': ['/.', '/..', '/v1/.', '/v1/../a', '/v1/./a', '/v1/a/..'],
  'broken percent': ['/v1/%', '/v1/%4', '/v1/%zz', '/v1/%u002f', '/v1/%%35'],
  'encodes what': [
    ...['/v1/%2e%2e/a', '/v1/%2E', '/v1/a%2fb', '/v1/a%2Fb', '/v1/a%5cb', '/v1/%25', '/v1/%252f'],
    ...[
      '/v1/%3b',
      '/v1/a%3Fb',
      '/v1/%00',
      '/v1/%0a',
      '/v1/%7f',
      '/v1/%41',
      '/v1/%6Frders',
      '/v1/%5F',
      '/v1/%7E',
    ],
    ...['/v1/%C2%85', '/v1/%E2%80%8B', '/v1/%C2%AD', '/v1/l%C4%B0st', '/v1/l%C4%B1st'],
  ],
  'no UTF-8': ['/v1/%c0%af', '/v1/%e0%80%af', '/v1/%ff', '/v1/%c0%ae%c0%ae', '/v1/%ed%a0%80'],
  'another form': ['/v1/a%EF%BC%8Fb', '/v1/%EF%BC%8E', '/v1/%20a', '/v1/a%20', '/v1/%E2%84%AA'],
};

test('targets in the one form are taken as they are', () => {
  for (const [text, read] of Object.entries(GOOD)) assert.deepEqual(readRequestTarget(text), read);
});

test('others are refused, and it is said why', () => {
  for (const [why, texts] of Object.entries(BAD)) {
    for (const text of texts) assert.match(String(readRequestTarget(text)), new RegExp(why), text);
  }
  const long = `/${'a'.repeat(TARGET_CHARACTERS_MAX - 1)}`;
  assert.equal(typeof readRequestTarget(long), 'object');
  assert.match(String(readRequestTarget(`${long}a`)), /more than/);
});

const piece = fc.oneof(
  fc.constantFrom('/', '//', '.', '..', ';', '\\', '?', '#', '@', ':', 'v1', 'a', ' ', '+'),
  fc.constantFrom('%2f', '%2F', '%5C', '%2e', '%25', '%00', '%40', '%3A', '%23', '%', '%c0%ae'),
  fc.string({ unit: 'binary', maxLength: 3 }),
  fc.string({ unit: 'grapheme', maxLength: 2 }).map(encodeURIComponent),
);
const target = fc.array(piece, { maxLength: 10 }).map((pieces) => `/${pieces.join('')}`);

test('what is taken is the same path to whoever reads it', () => {
  let taken = 0;
  fc.assert(
    fc.property(target, (text) => {
      const read = readRequestTarget(text);
      if (typeof read === 'string') return;
      taken++;
      // As browsers and Node do, as those do who decode first, and as those do who cut parameters off.
      assert.equal(new URL(text, 'http://a').pathname, read.path);
      const decoded = decodeURIComponent(read.path);
      assert.equal(path.posix.normalize(decoded), decoded);
      assert.equal(path.win32.normalize(decoded).replaceAll('\\', '/'), decoded);
      assert.equal(decoded.split('/').length, read.path.split('/').length);
      assert.equal(read.path.replace(/;[^/]*/g, ''), read.path);
      assert.equal(decoded.replace(/;[^/]*/g, ''), decoded);
      assert.equal(decoded.normalize('NFKC'), decoded);
    }),
    { numRuns: 5000 },
  );
  assert.ok(taken > 100, `${taken}`);
});
