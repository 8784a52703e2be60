/**
 * A load of TokenDetails runs while rights are taken away at random. Not one success is answered after
 * the answer to the revocation: as its caller sees it, and as the server does, whose log has a line for
 * each answer in the order in which they were sent.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { DescMethodUnary, MessageInitShape } from '@bufbuild/protobuf';
import pino from 'pino';
import { AccountService } from '../src/gen/propusk/admin/v1/account_service_pb.js';
import { KeyService } from '../src/gen/propusk/admin/v1/key_service_pb.js';
import { SessionService } from '../src/gen/propusk/admin/v1/session_service_pb.js';
import { AdministeredServer, makeClient, makeKey } from './administration.ts';
import { CallFailure, type Client } from './clients/client.ts';
import { claimsOf } from './steps.ts';
import { until } from './wait.ts';

const VICTIMS = 60;
const CALLERS_PER_CLIENT = 8;
/** For each victim to be called once more; the machine may be busy. */
const ANSWERED_MS_MAX = 60_000;

/** The request ids of the answers in the order in which the server sent them; only those with OK. */
const sent: string[] = [];
const log = pino(
  { level: 'debug', base: null },
  {
    write: (line) => {
      const { requestId, code } = JSON.parse(line);
      if (code === 'OK') sent.push(requestId);
    },
  },
);
const limits = ['--limit=1000000', '--address-calls-max=1000000'];
const scene = await AdministeredServer.startWith({ log }, ...limits);
after(() => scene[Symbol.asyncDispose]());
const operator = scene.as('operator', scene.inside.grpc);

interface Victim {
  /** The request ids of its calls, and of its revocation. */
  readonly calls: string;
  readonly revocation: string;
  readonly token: string;
  /** Takes the right away; resolves when that is answered. */
  readonly revoke: () => Promise<unknown>;
  /** What its calls meet from then on. */
  readonly reason: string;
  /** True once the revocation was answered. */
  isOver: boolean;
  /** Calls that were answered well, and refused, so far. */
  good: number;
  refused: number;
}

/** A token, and one of four ways in which it loses its right. */
async function victim(i: number): Promise<Victim> {
  const client = await makeClient(operator);
  const { id, secret } = await makeKey(operator, client.id);
  const token = await scene.outside.rest1.auth(secret);
  const [calls, revocation] = [`calls.${i}`, `revocation.${i}`];
  const metadata = { authorization: operator.token, 'x-request-id': revocation };
  const way = <M extends DescMethodUnary>(
    method: M,
    input: MessageInitShape<M['input']>,
    reason = 'TOKEN_INVALID',
  ) => [() => operator.client.call(method, input, { metadata }), reason] as const;
  const keyWay = way(KeyService.method.revokeKey, { id });
  const ways = [
    keyWay,
    way(SessionService.method.revokeSession, { id: claimsOf(token).jti }),
    way(AccountService.method.deleteAccount, { id: client.account }, 'ACCOUNT_NOT_IN_TOKEN'),
    way(SessionService.method.revokeSessions, { clientId: client.id }),
  ];
  const [revoke, reason] = ways[i % ways.length] ?? keyWay;
  return { calls, revocation, token, revoke, reason, isOver: false, good: 0, refused: 0 };
}

function anyOf<T>(items: readonly T[]): T {
  const item = items[Math.floor(Math.random() * items.length)];
  if (item === undefined) throw new Error('there is none');
  return item;
}

test('no token is good any more once its revocation is answered', async () => {
  const all = await Promise.all(Array.from({ length: VICTIMS }, (_, i) => victim(i)));
  const late: string[] = [];
  let isRunning = true;
  const load = async (client: Client) => {
    while (isRunning) {
      const one = anyOf(all);
      const wasOver = one.isOver;
      const metadata = { 'x-request-id': one.calls };
      const failure = await client.tokenDetails(one.token, { metadata }).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (failure === undefined) {
        one.good++;
        if (wasOver) late.push(`${one.calls} over ${client.name}`);
      } else {
        if (!(failure instanceof CallFailure)) throw failure;
        assert.equal(failure.reason, one.reason);
        one.refused++;
      }
    }
  };
  const callers = scene.outside.all.flatMap((client) =>
    Array.from({ length: CALLERS_PER_CLIENT }, () => load(client)),
  );
  // A caller ends early only with what went wrong.
  const ended = Promise.all(callers);
  const untilAll = (has: (one: Victim) => boolean, of: readonly Victim[]) =>
    Promise.race([until('calls of each', () => of.every(has), ANSWERED_MS_MAX), ended]);
  const rest = [...all];
  while (rest.length > 0) {
    const taken = rest.splice(Math.floor(Math.random() * rest.length), 1 + (rest.length % 3));
    await untilAll(({ good }) => good > 0, taken);
    await Promise.all(
      taken.map(async (one) => {
        await one.revoke();
        one.isOver = true;
      }),
    );
  }
  const before = new Map(all.map((one) => [one, one.refused]));
  await untilAll((one) => one.refused > (before.get(one) ?? 0), all);
  isRunning = false;
  await ended;
  assert.deepEqual(late, []);
  for (const { calls, revocation } of all) {
    const revokedAt = sent.indexOf(revocation);
    assert.ok(revokedAt > sent.indexOf(calls) && sent.includes(calls), 'it was good before');
    assert.ok(sent.lastIndexOf(calls) < revokedAt, `${calls} was answered after ${revocation}`);
  }
});
