import assert from 'node:assert/strict';
import { createSecretKey, randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { AppError } from '../domain/errors.ts';
import { newSigningKeyId, type SigningKey, signToken, TokenReader } from '../domain/token.ts';
import { SharedTokens } from './shared-tokens.ts';

const CLAIMS = { clientId: 'c', sessionId: 's', keyId: 'k', issuedAt: 1000, expiresAt: 1903 };

function newKey(): SigningKey {
  return { id: newSigningKeyId(randomBytes), key: createSecretKey(randomBytes(32)) };
}

/** Tokens of a node that knows one of the keys in its store; time passes when the test says so. */
function make(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const own = newKey();
  const state = { nowMs: 5000, looks: 0, keys: [own], isAway: false };
  const tokens = new SharedTokens({
    reader: new TokenReader([own]),
    readKeys: async () => {
      state.looks++;
      if (state.isAway) throw new AppError('UNAVAILABLE', 'the database is away');
      return state.keys;
    },
    clock: { monotonic: () => state.nowMs },
  });
  const pass = async (ms: number) => {
    state.nowMs += ms;
    t.mock.timers.tick(ms);
    await new Promise(setImmediate);
  };
  /** Another node makes a key, and a token with it. */
  const tokenOfAnother = () => {
    const key = newKey();
    state.keys = [key, ...state.keys];
    return signToken(CLAIMS, key);
  };
  return { own, state, tokens, pass, tokenOfAnother };
}

const madeUp = () => signToken(CLAIMS, newKey());

test('a token of a key that is known is read without a promise', (t) => {
  const { own, state, tokens } = make(t);
  assert.deepEqual(tokens.read(signToken(CLAIMS, own)), CLAIMS);
  assert.equal(tokens.read(''), 'TOKEN_EMPTY');
  assert.equal(tokens.read(signToken(CLAIMS, { ...newKey(), id: own.id })), 'TOKEN_FORGED');
  assert.equal(tokens.read(signToken(CLAIMS, { ...newKey(), id: 'of-none' })), 'TOKEN_FORGED');
  assert.equal(state.looks, 0);
});

test('a key that another node made is found with the first token of it, then known', async (t) => {
  const { state, tokens, tokenOfAnother } = make(t);
  const token = tokenOfAnother();
  assert.deepEqual(await tokens.read(token), CLAIMS);
  assert.deepEqual(tokens.read(token), CLAIMS);
  assert.equal(state.looks, 1);
});

test('made-up keys have the store asked once in a second, and nobody is refused for them', async (t) => {
  const { state, tokens, pass, tokenOfAnother } = make(t);
  assert.equal(await tokens.read(madeUp()), 'TOKEN_FORGED');
  const waiting = Array.from({ length: 20 }, () => tokens.read(madeUp()));
  const good = tokens.read(tokenOfAnother());
  await pass(999);
  assert.equal(state.looks, 1);
  await pass(1);
  assert.deepEqual(await good, CLAIMS);
  assert.deepEqual(new Set(await Promise.all(waiting)), new Set(['TOKEN_FORGED']));
  assert.equal(state.looks, 2);
});

test('only so many wait', async (t) => {
  const { state, tokens, pass } = make(t);
  await tokens.read(madeUp());
  const read = Array.from({ length: 150 }, () => tokens.read(madeUp()));
  assert.equal(read.filter((each) => each instanceof Promise).length, 100);
  await pass(1000);
  await Promise.all(read);
  assert.equal(state.looks, 2);
  assert.ok(tokens.read(madeUp()) instanceof Promise, 'there is room again');
});

test('a key that is made while the store answers is not missed', async (t) => {
  const { state, tokens, pass, tokenOfAnother } = make(t);
  const first = tokens.read(madeUp());
  // The first look has begun, and its answer is that of now.
  await Promise.resolve();
  assert.equal(state.looks, 1);
  const good = tokens.read(tokenOfAnother());
  assert.equal(await first, 'TOKEN_FORGED');
  await pass(1000);
  assert.deepEqual(await good, CLAIMS);
});

test('a database that is away is no answer, and is asked again', async (t) => {
  const { state, tokens, pass, tokenOfAnother } = make(t);
  const token = tokenOfAnother();
  state.isAway = true;
  await assert.rejects(
    Promise.try(() => tokens.read(token)),
    { reason: 'UNAVAILABLE' },
  );
  state.isAway = false;
  const again = tokens.read(token);
  await pass(1000);
  assert.deepEqual(await again, CLAIMS);
});
