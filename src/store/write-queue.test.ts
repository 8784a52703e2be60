import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Changes } from './changes.ts';
import { refused } from './contract-checks.ts';
import { WriteQueue } from './write-queue.ts';
import type { BatchRunner, Outcome, Write } from './writes.ts';

/** A runner whose batches end when the test says so. */
class HeldRunner implements BatchRunner {
  readonly batches: (readonly Write[])[] = [];
  #end: ((outcomes: readonly Outcome[] | Error) => void) | undefined;
  #started: (() => void) | undefined;

  run(batch: readonly Write[]): Promise<readonly Outcome[]> {
    this.batches.push(batch);
    this.#started?.();
    return new Promise((resolve, reject) => {
      this.#end = (ended) => (ended instanceof Error ? reject(ended) : resolve(ended));
    });
  }

  /** Resolves when the next batch is under way. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#started = resolve;
    });
  }

  /** Ends the batch under way well, each write with its own value. */
  succeed(): void {
    const batch = this.batches.at(-1) ?? [];
    this.#end?.(batch.map(({ args }) => ({ ok: true, result: String(args[1]), changes: [] })));
  }

  fail(error: Error): void {
    this.#end?.(error);
  }

  check(): void {}

  async close(): Promise<void> {}
}

const SHORT_MS = 1;
/** Longer than any test takes. */
const LONG_MS = 60_000;

function setup(
  writeQueueMax: number,
  writeBatchMax: number,
  { growMsMax = LONG_MS, gatherMsMax = SHORT_MS } = {},
) {
  const runner = new HeldRunner();
  const limits = { writeQueueMax, writeBatchMax, growMsMax, gatherMsMax };
  const queue = new WriteQueue(runner, new Changes(), limits);
  const submit = (name: string) => queue.submit('noteMeta', name, `value of ${name}`);
  const sizes = () => runner.batches.map((batch) => batch.length);
  return { runner, queue, submit, sizes };
}

/** Holds up the event loop. */
function beBusy(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

/** A turn of the event loop with something to do, which takes some milliseconds; the queue looks at it afterwards. */
async function busyTurn(work: () => void, ms: number): Promise<void> {
  const turn = nextTurn();
  work();
  beBusy(ms);
  await turn;
}

test('what arrives turn after turn is one batch, however slow the turns', async () => {
  const { runner, submit, sizes } = setup(100, 100);
  const started = runner.next();
  const answers: Promise<string>[] = [];
  for (const name of ['a', 'b', 'c']) {
    await busyTurn(() => answers.push(submit(name)), SHORT_MS * 2);
  }
  await started;
  assert.deepEqual(sizes(), [3]);
  runner.succeed();
  await Promise.all(answers);
});

test('what arrives while a batch is under way is the next batch, in its order', async () => {
  const { runner, submit, sizes } = setup(100, 3);
  let started = runner.next();
  const first = [submit('a'), submit('b')];
  await started;
  const then = ['c', 'd', 'e', 'f'].map(submit);
  for (const size of [[2], [2, 3], [2, 3, 1]]) {
    assert.deepEqual(sizes(), size);
    started = runner.next();
    runner.succeed();
    if (size.length < 3) await started;
  }
  assert.deepEqual(
    await Promise.all([...first, ...then]),
    ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => `value of ${name}`),
  );
});

/** A turn of the event loop, several times. */
async function someTurns(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await nextTurn();
}

/** With a batch of three behind it. */
async function setupAfterThree(gatherMsMax = LONG_MS) {
  const made = setup(100, 100, { gatherMsMax });
  const answers = ['a', 'b', 'c'].map(made.submit);
  await someTurns();
  made.runner.succeed();
  await Promise.all(answers);
  return made;
}

test('a batch waits for as many writes as the last one had', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { runner, submit, sizes } = await setupAfterThree();
  const answers: Promise<string>[] = [];
  for (const name of ['d', 'e']) {
    answers.push(submit(name));
    await someTurns();
    assert.deepEqual(sizes(), [3]);
  }
  answers.push(submit('f'));
  await someTurns();
  assert.deepEqual(sizes(), [3, 3]);
  runner.succeed();
  await Promise.all(answers);
});

test('a batch for which no more come begins all the same, and the next one waits for no more than it had', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { runner, submit, sizes } = await setupAfterThree();
  const alone = submit('d');
  await someTurns();
  assert.deepEqual(sizes(), [3]);
  t.mock.timers.tick(LONG_MS);
  await someTurns();
  assert.deepEqual(sizes(), [3, 1]);
  runner.succeed();
  await alone;
  const last = submit('e');
  await someTurns();
  assert.deepEqual(sizes(), [3, 1, 1]);
  runner.succeed();
  await last;
});

test('those that the last commit kept waiting begin at once', async () => {
  const { runner, submit, sizes } = setup(100, 100);
  const started = runner.next();
  const answers = ['a', 'b'].map(submit);
  await started;
  answers.push(...['c', 'd'].map(submit));
  const next = runner.next();
  runner.succeed();
  const turn = nextTurn('the turn was over');
  assert.equal(await Promise.race([next, turn]), undefined);
  assert.deepEqual(sizes(), [2, 2]);
  runner.succeed();
  await Promise.all(answers);
});

test('a batch whose turn took longer than it may wait begins at once', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { runner, submit, sizes } = await setupAfterThree(SHORT_MS);
  const late = submit('d');
  beBusy(SHORT_MS * 2);
  await someTurns();
  assert.deepEqual(sizes(), [3, 1]);
  runner.succeed();
  await late;
});

/** Submits a write in each turn until a batch is under way, and tells how many turns that took. */
async function submitEachTurn({ runner, submit, sizes }: ReturnType<typeof setup>) {
  const answers: Promise<string>[] = [];
  while (sizes().length === 0 && answers.length < 100) {
    await busyTurn(() => answers.push(submit(`of turn ${answers.length}`)), SHORT_MS);
  }
  const turns = answers.length;
  answers.push(submit('of the next batch'));
  const all = Promise.all(answers).then(() => true);
  do runner.succeed();
  while (!(await Promise.race([all, nextTurn(false)])));
  return turns;
}

test('a batch begins also where each turn brings one more', async () => {
  const turns = await submitEachTurn(setup(8192, 8192, { growMsMax: SHORT_MS * 5 }));
  assert.ok(turns < 10, `${turns} turns`);
});

test('a batch that is full begins where each turn brings one more', async () => {
  const made = setup(8192, 10);
  const turns = await submitEachTurn(made);
  assert.equal(made.sizes()[0], 10);
  assert.ok(turns <= 11, `${turns} turns`);
});

test('a write is not answered before its batch is done', async () => {
  const { runner, submit } = setup(100, 100);
  const started = runner.next();
  let answered = false;
  const write = submit('a').then(() => {
    answered = true;
  });
  await started;
  await new Promise(setImmediate);
  assert.equal(answered, false);
  runner.succeed();
  await write;
  assert.equal(answered, true);
});

test('one write more than may wait is refused; there is room again afterwards', async () => {
  const { runner, submit } = setup(3, 2);
  let started = runner.next();
  const accepted = ['a', 'b', 'c'].map(submit);
  await refused(submit('d'), 'UNAVAILABLE', /3 writes are waiting/);
  await started;
  await refused(submit('e'), 'UNAVAILABLE', /3 writes are waiting/);
  started = runner.next();
  runner.succeed();
  await started;
  const later = submit('f');
  started = runner.next();
  runner.succeed();
  await started;
  runner.succeed();
  await Promise.all([...accepted, later]);
});

test('a batch that nobody knows the end of is UNAVAILABLE, and the next one is run', async () => {
  const { runner, submit } = setup(100, 2);
  let started = runner.next();
  const [one, two, three] = ['a', 'b', 'c'].map(submit);
  await started;
  started = runner.next();
  runner.fail(new Error('it broke'));
  await refused(Promise.resolve(one), 'UNAVAILABLE');
  await refused(Promise.resolve(two), 'UNAVAILABLE');
  await started;
  runner.succeed();
  assert.equal(await three, 'value of c');
});

test('an outcome that is missing is no success', async () => {
  const runner: BatchRunner = {
    run: async () => [],
    check() {},
    async close() {},
  };
  const limits = { writeQueueMax: 1, writeBatchMax: 1, growMsMax: SHORT_MS, gatherMsMax: SHORT_MS };
  const queue = new WriteQueue(runner, new Changes(), limits);
  await refused(queue.submit('noteMeta', 'a', 'b'), 'UNAVAILABLE');
});

test('close waits for what was accepted, and refuses the rest', async () => {
  const { runner, queue, submit } = setup(100, 100);
  const started = runner.next();
  const accepted = submit('a');
  let closed = false;
  const closing = queue.close().then(() => {
    closed = true;
  });
  await refused(submit('b'), 'UNAVAILABLE', /closed/);
  await started;
  assert.equal(closed, false);
  runner.succeed();
  assert.equal(await accepted, 'value of a');
  await closing;
});
