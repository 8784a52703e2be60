/** The test contract over REST: what the service understood, and what it refused. */
import assert from 'node:assert/strict';
import type { CallFailure } from './clients/client.ts';
import { failureOfAnswer, type RestClient } from './clients/rest.ts';

export type Json = Record<string, unknown>;

/** An Item with nothing in it, as it is answered. */
export const ITEM = {
  name: '',
  amount: '0',
  parts: [],
  tags: [],
  color: 'COLOR_UNSPECIFIED',
};

/** An answer to nothing: zero values are there; unset messages and oneof members are not. */
export const NOTHING = {
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

/** What the service understood. */
export async function echoed(
  client: RestClient,
  verb: string,
  target: string,
  body?: string | Json,
): Promise<Json> {
  const text = typeof body === 'object' ? JSON.stringify(body) : body;
  const answer = await client.send(verb, target, { body: text });
  assert.equal(answer.status, 200, answer.text);
  return JSON.parse(answer.text);
}

/** The failure of a request that must be refused as invalid. */
export async function refused(
  client: RestClient,
  verb: string,
  target: string,
  body?: string,
): Promise<CallFailure> {
  const failure = failureOfAnswer(await client.send(verb, target, { body }));
  assert.equal(failure.httpStatus, 400, `${target} ${body}`);
  assert.equal(failure.code, 3);
  return failure;
}

/** The one field that a failure names. */
export function fieldOf(failure: CallFailure): unknown {
  const violations = (failure.detail('BadRequest')?.field_violations ?? []) as Json[];
  assert.ok(violations.length <= 1);
  return violations[0]?.field;
}
