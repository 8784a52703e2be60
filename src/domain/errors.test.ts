import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError, Code, codeName, httpStatusOf, isReason, type Reason } from './errors.ts';

/** As the contract lists them. */
const HTTP_STATUS: Readonly<Record<number, number>> = {
  3: 400,
  9: 400,
  11: 400,
  16: 401,
  7: 403,
  5: 404,
  6: 409,
  10: 409,
  8: 429,
  1: 499,
  2: 500,
  13: 500,
  15: 500,
  12: 501,
  14: 503,
  4: 504,
};
/** The few whose HTTP status says more than their code. */
const OWN_STATUS: Readonly<Record<string, number>> = {
  VERB_NOT_ALLOWED: 405,
  BODY_TOO_LARGE: 413,
  CONTENT_TYPE_UNSUPPORTED: 415,
};
const REASONS: readonly Reason[] = [
  'INVALID_REQUEST',
  'SECRET_INVALID',
  'TOKEN_INVALID',
  'ACCOUNT_NOT_IN_TOKEN',
  'ROUTE_NOT_FOUND',
  'VERB_NOT_ALLOWED',
  'METHOD_NOT_FOUND',
  'ENCODING_UNSUPPORTED',
  'CONTENT_TYPE_UNSUPPORTED',
  'MESSAGE_COUNT_WRONG',
  'COMPRESSION_UNDECLARED',
  'BODY_TOO_LARGE',
  'RATE_LIMITED',
  'INTERNAL',
  'UNAVAILABLE',
  'DEADLINE_EXCEEDED',
  'CANCELLED',
];

test('the HTTP status of a reason is that of its code, but for the documented few', () => {
  for (const reason of REASONS) {
    const { code } = new AppError(reason, '');
    assert.equal(httpStatusOf(reason), OWN_STATUS[reason] ?? HTTP_STATUS[code], reason);
  }
});

test('reasons are stable names, and only those of the table', () => {
  for (const reason of REASONS) assert.ok(isReason(reason));
  for (const other of ['', 'toString', '__proto__', 'NO_SUCH_REASON', 'internal']) {
    assert.ok(!isReason(other), other);
  }
});

test('codes have the names and numbers of google.rpc.Code', () => {
  assert.equal(Object.keys(Code).length, 17);
  assert.equal(codeName(Code.UNAUTHENTICATED), 'UNAUTHENTICATED');
  assert.equal(Code.UNAUTHENTICATED, 16);
});

test("the sentence of a limit holds the caller's own", () => {
  const { sentence } = new AppError('RATE_LIMITED', '', { limitPerMinute: 30 });
  assert.equal(sentence, 'Слишком много запросов. Доступный лимит - 30 запросов в минуту');
});

test('the cause is kept for the log', () => {
  const cause = new Error('really');
  assert.equal(new AppError('INTERNAL', 'told', { cause }).cause, cause);
});
