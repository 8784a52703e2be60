import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../domain/clock.ts';
import { DatabaseFailure } from './connection.ts';
import { Pulse } from './pulse.ts';

/** As long as nobody may be answered, and a little more. */
const SILENT_MS = 1_200;

test('who asks a database that answers nobody is not left waiting, and few more are asked', async () => {
  const pulse = new Pulse(systemClock, 2);
  const { promise, resolve } = Promise.withResolvers<string>();
  let asked = 0;
  const question = () => {
    asked += 1;
    return promise;
  };
  const hung = Array.from({ length: 3 }, () => pulse.ask(question));
  for (const end of await Promise.allSettled(hung)) {
    assert.ok(end.status === 'rejected' && end.reason instanceof DatabaseFailure);
    assert.ok(end.reason.isOfConnection);
  }
  await assert.rejects(pulse.ask(question), DatabaseFailure);
  assert.equal(asked, 3, 'those that hang are enough to see that it does');
  resolve('an answer');
  await promise;
  assert.equal(await pulse.ask(question), 'an answer');
});

test('who asks a database that answers others waits, and hears what becomes of the question', async () => {
  const pulse = new Pulse(systemClock, 1);
  const beating = setInterval(() => pulse.beat(), 100);
  const slow = (answer: () => string) => () => sleep(SILENT_MS).then(answer);
  const refusal = new Error('refused');
  const refuse = () => {
    throw refusal;
  };
  const asked = [pulse.ask(slow(() => 'an answer')), pulse.ask(slow(refuse))];
  const [answered, refused] = await Promise.allSettled(asked);
  clearInterval(beating);
  assert.deepEqual(answered, { status: 'fulfilled', value: 'an answer' });
  assert.deepEqual(refused, { status: 'rejected', reason: refusal });
});

test('a process that slept reads its answers before it gives a database up', async () => {
  let offsetMs = 0;
  const pulse = new Pulse({ monotonic: () => performance.now() + offsetMs }, 0);
  offsetMs = 60_000;
  setImmediate(() => pulse.beat());
  assert.equal(await pulse.ask(async () => 'an answer'), 'an answer');
});
