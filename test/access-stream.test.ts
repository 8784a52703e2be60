/** propusk.access.v1.AccessService/CheckStream: who holds one hears of each change at once. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { QuoteLevel } from '../src/domain/permission.ts';
import { Action, type CheckResponse } from '../src/gen/propusk/access/v1/access_service_pb.js';
import { type Asked, checkStream, granted, Holder } from './access-scene.ts';
import { AdministeredServer, putOperator } from './administration.ts';
import { type Client, endOf, failureOf } from './clients/client.ts';
import { inEach } from './clients/four.ts';
import { claimsOf, revokeKey, revokeSession, StepClock, write, writeKey } from './steps.ts';

const clock = new StepClock();
const scene = await AdministeredServer.startWith(
  { clock },
  ...['--operator-failures-max=100000', '--address-calls-max=100000', '--session-ttl=5s'],
);
after(() => scene[Symbol.asyncDispose]());
const { store } = scene.server;
const service = scene.operators.service.token;
const { streaming } = scene.inside;

/** Within this a backend must hear of what has changed. */
const HEARD_MS_MAX = 1000;
const BOOK = [granted('XNAS', QuoteLevel.DEPTH_OF_BOOK)];

/** A stream about a new session, and what it hears. */
class Listener {
  readonly holder: Holder;
  readonly token: string;
  readonly answers: AsyncGenerator<CheckResponse, void>;

  constructor(holder: Holder, token: string, client: Client, asked: Asked) {
    this.holder = holder;
    this.token = token;
    this.answers = checkStream(client, service, { token, ...asked });
  }

  static async begin(client: Client, asked: (holder: Holder) => Asked): Promise<Listener> {
    const holder = await Holder.make(store, BOOK);
    const token = await scene.outside.rest1.auth(holder.secret);
    return new Listener(holder, token, client, asked(holder));
  }

  /** The next answer's refusal; `end` behind the last. */
  async next(): Promise<string> {
    const { value, done } = await this.answers.next();
    return done ? 'end' : (value as CheckResponse).refusal;
  }

  /** Asserts that what `change` does is heard in time. */
  async hears(refusal: string, change: () => Promise<unknown>): Promise<void> {
    const next = this.next();
    await change();
    const changedMs = performance.now();
    assert.equal(await next, refusal);
    assert.ok(performance.now() - changedMs < HEARD_MS_MAX, `heard of ${refusal} in time`);
  }
}

inEach(streaming, 'each change of what its holder may do is heard', async (client) => {
  const listener = await Listener.begin(client, ({ trading }) => ({
    accountId: trading,
    action: Action.TRADE,
    mic: 'XNAS',
    quoteLevel: QuoteLevel.BEST_BID_OFFER,
  }));
  const { holder } = listener;
  const { trading } = holder;
  assert.equal(await listener.next(), '', 'the first answer comes at once');
  await listener.hears('READONLY_ACCOUNT', () =>
    holder.putAccount({ id: trading, readonly: true }),
  );
  await listener.hears('', () => holder.putAccount({ id: trading }));
  await listener.hears('ACCOUNT_NOT_IN_TOKEN', () =>
    writeKey(store, holder.key, { allAccounts: false }),
  );
  await listener.hears('', () => writeKey(store, holder.key, { allAccounts: true }));
  await listener.hears('QUOTE_LEVEL_TOO_LOW', () =>
    holder.putPlan([granted('XNAS', QuoteLevel.LAST_PRICE)]),
  );
  await listener.hears('', () => holder.putPlan(BOOK));
  await listener.hears('ACCESS_FORBIDDEN', () =>
    holder.putPlan([granted('XNAS', QuoteLevel.ACCESS_FORBIDDEN)]),
  );
  await listener.hears('', () => holder.putPlan(BOOK));
  await listener.hears('READONLY_SESSION', () => writeKey(store, holder.key, { readonly: true }));
  await listener.hears('KEY_REVOKED', () => revokeKey(store, holder.key));
  await listener.hears('SESSION_REVOKED', () => revokeSession(store, claimsOf(listener.token).jti));
  assert.equal(await listener.next(), 'end', 'nothing can change any more');
});

inEach(streaming, 'what changes by itself is heard when it does', async (client) => {
  const { answers, holder, token } = await Listener.begin(client, () => ({ mic: 'XNAS' }));
  const next = async () => {
    const { value } = await answers.next();
    return [(value as CheckResponse).refusal, clock.now()] as const;
  };
  assert.equal((await next())[0], '');
  const startMs = clock.now();
  const assertAt = async (expected: string, atMs: number) => {
    const [refusal, heardMs] = await next();
    assert.equal(refusal, expected);
    assert.ok(heardMs >= atMs && heardMs < atMs + HEARD_MS_MAX, `${heardMs - atMs} ms late`);
  };
  // A subscription that ends by itself, and then one that begins by itself.
  await holder.subscribe(0, startMs + 300);
  await assertAt('QUOTE_LEVEL_TOO_LOW', startMs + 300);
  await holder.subscribe(startMs + 600, null);
  await assertAt('', startMs + 600);
  await assertAt('TOKEN_EXPIRED', claimsOf(token).exp * 1000);
  assert.equal((await answers.next()).done, true);
});

inEach(streaming, 'a key that expires, and a readonly account that joins', async (client) => {
  const { answers, holder } = await Listener.begin(client, ({ trading }) => ({
    accountId: trading,
  }));
  const next = async () => (await answers.next()).value as CheckResponse;
  assert.equal((await next()).readonly, false);
  await holder.putAccount({ id: holder.trading, readonly: true });
  assert.equal((await next()).readonly, true, 'what is told beside the refusal counts, too');
  await writeKey(store, holder.key, { expiresAtMs: clock.now() + 100 });
  assert.equal((await next()).refusal, 'KEY_EXPIRED');
  await writeKey(store, holder.key, { expiresAtMs: null });
  assert.equal((await next()).refusal, '');
  await answers.return();
});

inEach(streaming, 'what changes nothing of the answer is not told', async (client) => {
  const listener = await Listener.begin(client, () => ({ mic: 'XNAS' }));
  const { holder } = listener;
  assert.equal(await listener.next(), '');
  await holder.putAccount({ id: holder.readonly, readonly: false });
  await holder.putPlan([...BOOK, granted('XLON', QuoteLevel.LAST_PRICE)]);
  await writeKey(store, holder.key, { label: 'another' });
  await listener.hears('SESSION_REVOKED', () => revokeSession(store, claimsOf(listener.token).jti));
});

inEach(streaming, 'a token that is none is answered, and that is all', async (client) => {
  const answers = await Array.fromAsync(checkStream(client, service, { token: 'x' }));
  assert.deepEqual(
    answers.map(({ refusal }) => refusal),
    ['TOKEN_INVALID'],
  );
  const failure = await endOf(checkStream(client, service, { token: 'x', mic: 'nasdaq' }));
  const violations = failure.detail('BadRequest')?.field_violations as { field: string }[];
  assert.deepEqual([failure.code, violations[0]?.field], [3, 'check.mic']);
});

inEach(streaming, 'a stream ends when its operator may ask no more', async (client) => {
  const ways = [
    [{ revokedAtMs: 1 }, 'OPERATOR_TOKEN_INVALID', 16],
    [{ tokenMac: `mac ${client.name}` }, 'OPERATOR_TOKEN_INVALID', 16],
    [{ expiresAtMs: 150 }, 'OPERATOR_TOKEN_INVALID', 16],
  ] as const;
  const { token } = await Listener.begin(client, () => ({}));
  for (const [change, reason, code] of ways) {
    const { id, token: credential } = await putOperator(scene.server, 'service');
    const answers = checkStream(client, credential, { token });
    await answers.next();
    const { version, createdAtMs, updatedAtMs, ...operator } =
      (await store.get('operator', id)) ?? assert.fail();
    const end = failureOf(answers.next());
    const isLater = 'expiresAtMs' in change;
    const atMs = clock.now() + (isLater ? change.expiresAtMs : 0);
    await write(store, 'operator', [
      { ...operator, ...change, ...(isLater && { expiresAtMs: atMs }) },
    ]);
    const failure = await end;
    assert.ok(clock.now() - atMs < HEARD_MS_MAX);
    assert.deepEqual([failure.reason, failure.code], [reason, code]);
  }
});

test('a server that stops ends it with UNAVAILABLE, so that backends come back', async () => {
  const stopping = await AdministeredServer.start();
  const holder = await Holder.make(stopping.server.store, BOOK);
  const token = await stopping.outside.rest1.auth(holder.secret);
  const ends = stopping.inside.streaming.map(async (client) => {
    const answers = checkStream(client, stopping.operators.service.token, { token });
    await answers.next();
    return answers;
  });
  const open = await Promise.all(ends);
  const codes = open.map(async (answers) => (await failureOf(answers.next())).code);
  await stopping.server.stop();
  assert.deepEqual(await Promise.all(codes), [14, 14]);
  await stopping[Symbol.asyncDispose]().catch(() => {});
});
