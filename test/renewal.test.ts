/** SubscribeJwtRenewal: a token at once, a fresh one before each ends, and how the stream ends. */
import assert from 'node:assert/strict';
import { after, afterEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CallFailure, type Client, failureOf } from './clients/client.ts';
import { Four, inEach } from './clients/four.ts';
import { type InProcess, startHere } from './start.ts';
import { claimsOf, revokeKey, revokeSession, StepClock, writeKey } from './steps.ts';
import { linesOf, until } from './wait.ts';

const clock = new StepClock();
const server = await startHere([], { clock });
const four = new Four(server);
const { store } = server.server;
after(async () => {
  await four[Symbol.asyncDispose]();
  await server.stop();
});

/** Within this a stream must hear of a revocation. */
const HEARD_MS_MAX = 1000;

function secretOf(id: string, of: InProcess = server): string {
  const key = of.server.demoKeys.find((each) => each.id === id);
  assert.ok(key);
  return key.secret;
}

type Tokens = AsyncGenerator<string, void>;

let subscribed = 0;

function subscribe(client: Client, secret = server.secret): Tokens {
  subscribed++;
  return client.renewal(secret);
}

function linesOfStreams() {
  return linesOf(server.log).filter(({ method }) => method === 'SubscribeJwtRenewal');
}

// A stream of one test must not be there in the next, whose clock it would see.
afterEach(() => until('the end of all streams', () => linesOfStreams().length === subscribed));

async function next(tokens: Tokens): Promise<string> {
  const { value, done } = await tokens.next();
  assert.equal(done, false, 'the stream ended with OK, which makes clients subscribe in a loop');
  return value as string;
}

/** How the stream ends, and that it does in time. */
async function endOf(tokens: Tokens): Promise<CallFailure> {
  const startedMs = performance.now();
  const failure = await failureOf(tokens.next());
  assert.ok(performance.now() - startedMs < HEARD_MS_MAX);
  return failure;
}

/** How many sessions were recorded so far. */
async function sessionCount(): Promise<number> {
  const entries = await store.audit(0, 100_000);
  return entries.filter(({ action }) => action === 'session.create').length;
}

/** Lets the streams of this key look at the clock. */
async function lookAt(keyId: string): Promise<void> {
  await writeKey(store, keyId);
}

async function withSteps(check: () => Promise<void>): Promise<void> {
  try {
    await check();
  } finally {
    clock.offsetMs = 0;
  }
}

inEach(four.streaming, 'a token comes at once, and is one like any other', async (client) => {
  const tokens = subscribe(client);
  const token = await next(tokens);
  const { message } = await client.tokenDetails(token);
  assert.deepEqual(message.accountIds, ['1899011']);
  assert.ok(await store.session(claimsOf(token).jti));
  await tokens.return();
});

inEach(four.streaming, 'renewals come before the end, each a session of its own', (client) =>
  withSteps(async () => {
    const tokens = subscribe(client);
    const seen = [await next(tokens)];
    for (let i = 0; i < 3; i++) {
      const { exp } = claimsOf(seen.at(-1) ?? '');
      const before = await sessionCount();
      // A minute and a half before the end is too early, a minute before it is late enough.
      clock.offsetMs += exp * 1000 - 91_000 - clock.now();
      await lookAt('demo');
      await sleep(20);
      assert.equal(await sessionCount(), before);
      clock.offsetMs += 31_000;
      const renewed = next(tokens);
      await lookAt('demo');
      seen.push(await renewed);
    }
    const claims = seen.map(claimsOf);
    assert.equal(new Set(claims.map(({ jti }) => jti)).size, 4);
    for (const { jti, exp } of claims) {
      const session = await store.session(jti);
      assert.equal(session?.expiresAtMs, exp * 1000);
      assert.equal(session?.keyId, 'demo');
    }
    await tokens.return();
  }),
);

test('with a life of 5 seconds the renewal comes by itself, in time', async () => {
  await using short = await startHere(['--session-ttl', '5s']);
  await using clients = new Four(short);
  await Promise.all(
    clients.streaming.map(async (client) => {
      const tokens = client.renewal(short.secret);
      const first = await next(tokens);
      const second = await next(tokens);
      const [a, b] = [claimsOf(first), claimsOf(second)];
      assert.ok(Date.now() < a.exp * 1000, 'before the first has ended');
      assert.ok(b.exp > a.exp && b.jti !== a.jti);
      // The first is not ended by its successor.
      assert.ok(await client.tokenDetails(first));
      assert.ok(await client.tokenDetails(second));
      await tokens.return();
    }),
  );
});

inEach(four.streaming, 'the revocation of the last session ends it', async (client) => {
  const tokens = subscribe(client);
  const token = await next(tokens);
  const end = endOf(tokens);
  await revokeSession(store, claimsOf(token).jti);
  const failure = await end;
  assert.equal(failure.code, 16);
  assert.equal(failure.reason, 'SECRET_INVALID');
});

inEach(four.streaming, 'the revocation of an earlier session does not', (client) =>
  withSteps(async () => {
    const tokens = subscribe(client);
    const first = await next(tokens);
    clock.offsetMs += 850_000;
    const renewed = next(tokens);
    await lookAt('demo');
    const second = await renewed;
    await revokeSession(store, claimsOf(first).jti);
    // Still there: it renews again, and the revocation of the newest ends it.
    clock.offsetMs += 850_000;
    const again = next(tokens);
    await lookAt('demo');
    const third = await again;
    await revokeSession(store, claimsOf(second).jti);
    assert.ok(await client.tokenDetails(third));
    const end = endOf(tokens);
    await revokeSession(store, claimsOf(third).jti);
    assert.equal((await end).code, 16);
  }),
);

test('the revocation of the key ends all its streams, and no others', async () => {
  const streams = four.streaming.flatMap((client) =>
    Array.from({ length: 10 }, () => subscribe(client, secretOf('demo-levels'))),
  );
  const other = subscribe(four.grpc);
  await Promise.all([...streams, other].map(next));
  const ends = streams.map(endOf);
  await revokeKey(store, 'demo-levels');
  const failures = await Promise.all(ends);
  for (const failure of failures) {
    assert.equal(failure.code, 16);
    assert.deepEqual(failure.status, failures[0]?.status);
  }
  const auth = await failureOf(four.grpc.auth(secretOf('demo-levels')));
  assert.deepEqual(failures[0]?.status, auth.status, 'as Auth refuses it');
  await withSteps(async () => {
    clock.offsetMs += 850_000;
    const renewed = next(other);
    await lookAt('demo');
    assert.ok(await renewed);
  });
  await other.return();
});

test('a key that expires ends its streams at that moment', async () => {
  const inMs = 300;
  const streams = four.streaming.map((client) => subscribe(client, secretOf('demo-readonly')));
  await Promise.all(streams.map(next));
  const ends = streams.map(endOf);
  const expiresAtMs = Date.now() + inMs;
  await writeKey(store, 'demo-readonly', { expiresAtMs });
  for (const failure of await Promise.all(ends)) assert.equal(failure.code, 16);
  assert.ok(Date.now() >= expiresAtMs - 1);
  const lines = linesOf(server.log).filter(({ reason }) => reason === 'KEY_EXPIRED');
  assert.equal(lines.length, streams.length);
});

inEach(four.streaming, 'a bad secret is refused as by Auth', async (client) => {
  for (const secret of ['', 'nonsense', secretOf('demo-readonly')]) {
    const failure = await failureOf(subscribe(client, secret).next());
    assert.deepEqual(failure.status, (await failureOf(client.auth(secret))).status);
  }
});

inEach(four.streaming, 'a clock that jumps ahead makes a fresh token come at once', (client) =>
  withSteps(async () => {
    const tokens = subscribe(client);
    const first = claimsOf(await next(tokens));
    clock.offsetMs += 86_400_000;
    const renewed = next(tokens);
    await lookAt('demo');
    const second = claimsOf(await renewed);
    assert.ok(second.exp * 1000 > clock.now());
    assert.ok(second.exp > first.exp + 80_000);
    await tokens.return();
  }),
);

inEach(four.streaming, 'a clock that is set back neither ends nor floods the stream', (client) =>
  withSteps(async () => {
    const tokens = subscribe(client);
    await next(tokens);
    const before = await sessionCount();
    clock.offsetMs -= 3_600_000;
    for (let i = 0; i < 5; i++) await lookAt('demo');
    await sleep(20);
    assert.equal(await sessionCount(), before);
    clock.offsetMs += 3_600_000 + 850_000;
    const renewed = next(tokens);
    await lookAt('demo');
    assert.ok(await renewed);
    await tokens.return();
  }),
);

inEach(four.streaming, 'a reader that leaves is let go', async (client) => {
  const streams = Array.from({ length: 5 }, () => subscribe(client));
  await Promise.all(streams.map(next));
  const before = await sessionCount();
  await Promise.all(streams.map((tokens) => tokens.return()));
  await until('the end of the calls', () => linesOfStreams().length === subscribed);
  // Writes are done in their order: one that the end of a stream had begun would be done by now.
  await lookAt('demo');
  assert.equal(await sessionCount(), before, 'nobody is there for another session');
  const lines = linesOfStreams().filter(({ protocol }) => protocol === client.protocol);
  for (const line of lines.slice(-5)) assert.equal(line.code, 'CANCELLED');
});

/** A server of its own, with a stream of each protocol, that is stopped. */
async function drained(check: (client: Client, failure: CallFailure) => void): Promise<void> {
  const stopping = await startHere();
  await using clients = new Four(stopping);
  const streams = clients.streaming.map((client) => client.renewal(stopping.secret));
  await Promise.all(streams.map(next));
  const ends = streams.map(endOf);
  const stopped = stopping.stop();
  const failures = await Promise.all(ends);
  await stopped;
  for (const [i, client] of clients.streaming.entries()) check(client, failures[i] as CallFailure);
}

test('a server that stops ends it with UNAVAILABLE, so that clients come back', async () => {
  await drained((client, failure) => {
    assert.equal(failure.code, 14, client.name);
    assert.equal(failure.reason, 'UNAVAILABLE');
    assert.ok(failure.detail('RetryInfo'));
    assert.deepEqual(failure.localized, {
      locale: 'ru',
      message: 'Сервис на данный момент не доступен. Попробуйте позже',
    });
  });
});
