import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import { AppError, Code } from '../domain/errors.ts';
import {
  HealthCheckRequestSchema,
  type HealthCheckResponse,
  HealthListRequestSchema,
  type Health as HealthService,
  HealthCheckResponse_ServingStatus as Status,
} from '../gen/health/v1/health_pb.js';
import { Call, type ServiceImpl } from '../pipeline/call.ts';
import { Health } from './health.ts';

const AUTH = 'grpc.tradeapi.v1.auth.AuthService';

function makeCall(): Call {
  const head = {
    protocol: 'grpc',
    method: undefined,
    path: '/grpc.health.v1.Health/Watch',
    headers: {},
    remoteAddress: '',
    timeoutMs: undefined,
  } as const;
  return new Call(head, 'test');
}

function implOf(health: Health): ServiceImpl<typeof HealthService> {
  return health.registration.impl as unknown as ServiceImpl<typeof HealthService>;
}

async function check(health: Health, service: string): Promise<Status> {
  const request = create(HealthCheckRequestSchema, { service });
  return (await implOf(health).check(request, makeCall())).status;
}

function watch(health: Health, service: string, call: Call): AsyncIterator<HealthCheckResponse> {
  const request = create(HealthCheckRequestSchema, { service });
  return implOf(health).watch(request, call)[Symbol.asyncIterator]();
}

async function nextOf(answers: AsyncIterator<HealthCheckResponse>): Promise<Status> {
  const { value, done } = await answers.next();
  assert.equal(done, false);
  return value.status;
}

function isOver(): AppError {
  return new AppError('CANCELLED', 'the caller went away');
}

test('a server is not serving before it says so', async () => {
  const health = new Health([AUTH]);
  assert.equal(await check(health, ''), Status.NOT_SERVING);
  assert.equal(await check(health, AUTH), Status.NOT_SERVING);
});

test('Check tells the state of the server and of each service', async () => {
  const health = new Health([AUTH]);
  health.setServing(true);
  assert.equal(await check(health, ''), Status.SERVING);
  assert.equal(await check(health, AUTH), Status.SERVING);
  health.setServing(false);
  assert.equal(await check(health, AUTH), Status.NOT_SERVING);
});

test('Check of an unknown service is NOT_FOUND', async () => {
  const health = new Health([AUTH]);
  health.setServing(true);
  await assert.rejects(check(health, 'no.such.Service'), (error) => {
    assert.ok(error instanceof AppError);
    assert.equal(error.code, Code.NOT_FOUND);
    // What the caller made up is not told back: errors are logged.
    assert.doesNotMatch(error.message, /no\.such\.Service/);
    return true;
  });
});

test('List tells of all', async () => {
  const health = new Health([AUTH]);
  health.setServing(true);
  const { statuses } = await implOf(health).list(create(HealthListRequestSchema), makeCall());
  const plain = Object.entries(statuses).map(([name, { status }]) => [name, status]);
  assert.deepEqual(plain, [
    ['', Status.SERVING],
    [AUTH, Status.SERVING],
  ]);
});

test('Watch tells the state at once, then each change', async () => {
  const health = new Health([AUTH]);
  const call = makeCall();
  const answers = watch(health, AUTH, call);
  assert.equal(await nextOf(answers), Status.NOT_SERVING);
  for (const isServing of [true, false, true]) {
    const next = nextOf(answers);
    await nextTurn();
    health.setServing(isServing);
    assert.equal(await next, isServing ? Status.SERVING : Status.NOT_SERVING);
  }
  call.end(isOver());
});

test('Watch does not tell what has not changed', async () => {
  const health = new Health([AUTH]);
  const call = makeCall();
  const answers = watch(health, AUTH, call);
  await nextOf(answers);
  let isTold = false;
  const next = answers.next().finally(() => {
    isTold = true;
  });
  health.setServing(false);
  await nextTurn();
  assert.equal(isTold, false);
  call.end(isOver());
  assert.equal((await next).done, true);
});

test('a watcher that was not reading gets the newest state', async () => {
  const health = new Health([AUTH]);
  const call = makeCall();
  const answers = watch(health, AUTH, call);
  assert.equal(await nextOf(answers), Status.NOT_SERVING);
  health.setServing(true);
  assert.equal(await nextOf(answers), Status.SERVING);
  call.end(isOver());
});

test('Watch of an unknown service says so and stays open', async () => {
  const health = new Health([AUTH]);
  const call = makeCall();
  const answers = watch(health, 'no.such.Service', call);
  assert.equal(await nextOf(answers), Status.SERVICE_UNKNOWN);
  let isTold = false;
  const next = answers.next().finally(() => {
    isTold = true;
  });
  health.setServing(true);
  await nextTurn();
  assert.equal(isTold, false);
  call.end(isOver());
  assert.equal((await next).done, true);
});

test('Watch ends with its call, before or while it waits', async () => {
  const health = new Health([AUTH]);
  const waiting = makeCall();
  const answers = watch(health, '', waiting);
  await nextOf(answers);
  const next = answers.next();
  waiting.end(isOver());
  assert.equal((await next).done, true);

  const ended = makeCall();
  ended.end(isOver());
  assert.equal((await watch(health, '', ended).next()).done, true);
});

test('every watcher hears of a change', async () => {
  const health = new Health([AUTH]);
  const calls = Array.from({ length: 50 }, makeCall);
  const all = calls.map((call) => watch(health, AUTH, call));
  await Promise.all(all.map(nextOf));
  const next = Promise.all(all.map(nextOf));
  await nextTurn();
  health.setServing(true);
  assert.deepEqual(new Set(await next), new Set([Status.SERVING]));
  for (const call of calls) call.end(isOver());
});

test('nothing is kept of a watch that is over', async () => {
  const health = new Health([AUTH]);
  const read = makeCall();
  const readAnswers = watch(health, AUTH, read);
  await nextOf(readAnswers);
  const next = readAnswers.next();
  const unread = makeCall();
  await nextOf(watch(health, AUTH, unread));
  const returned = makeCall();
  const returnedAnswers = watch(health, AUTH, returned);
  await nextOf(returnedAnswers);
  assert.equal(health.watcherCount, 3);

  read.end(isOver());
  await next;
  assert.equal(health.watcherCount, 2);
  // Nobody reads this generator on, so that its finally never runs.
  unread.end(isOver());
  assert.equal(health.watcherCount, 1);
  await returnedAnswers.return?.();
  assert.equal(health.watcherCount, 0);
});
