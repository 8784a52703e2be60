import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../domain/errors.ts';
import type { Grant } from '../domain/grant.ts';
import { QuoteLevel } from '../domain/permission.ts';
import type { Admission } from '../grants/admission.ts';
import type { Grants } from '../grants/grants.ts';
import { lookAgain } from '../grants/look-again.ts';
import { Call } from '../pipeline/call.ts';
import { type Asked, changesAtMs, Decisions } from './access-decisions.ts';

const CLAIMS = { clientId: 'c', sessionId: 's', keyId: 'k', issuedAt: 1, expiresAt: 2_000 };
const GRANT = {
  ...{ readonly: false, keyReadonly: false, permissions: [], readonlyAccountIds: [] },
  changesAtMs: Number.POSITIVE_INFINITY,
};
const ASKED: Asked = {
  ...{ token: 't', accountId: 'a', isTrade: false, market: undefined },
  quoteLevel: QuoteLevel.UNSPECIFIED,
};

/** Decisions about one token, whose grant or fault the test decides. */
function make() {
  const state = { accounts: ['a'], fault: undefined as AppError | undefined, looks: 0 };
  const listeners = new Set<() => void>();
  const admission = {
    claimsOf: () => CLAIMS,
    ofGenuine: async () => {
      state.looks++;
      if (state.fault !== undefined) throw state.fault;
      return { claims: CLAIMS, grant: { ...GRANT, accountIds: state.accounts } as never as Grant };
    },
  } as never as Admission;
  const listen = (listener: () => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  const grants = {
    attendClosely: (_watched: unknown, looker: Parameters<typeof lookAgain>[2]) =>
      lookAgain({ now: () => 0 }, listen, looker),
  } as never as Grants;
  const change = async (accounts: string[]) => {
    state.accounts = accounts;
    for (const listener of [...listeners]) listener();
    await new Promise(setImmediate);
  };
  return { decisions: new Decisions({ admission, grants }), state, listeners, change };
}

const away = () => new AppError('UNAVAILABLE', 'the disk is gone');
const refused = (logReason: string) => new AppError('TOKEN_INVALID', 'no', { logReason });

test('a database that is away is no answer, and nothing of it is kept', async () => {
  const { decisions, state } = make();
  state.fault = away();
  await assert.rejects(decisions.of(ASKED), { reason: 'UNAVAILABLE' });
  state.fault = undefined;
  assert.equal((await decisions.of(ASKED)).refusal, '');
  state.fault = refused('SOMETHING_NEW');
  await assert.rejects(decisions.of(ASKED), { reason: 'TOKEN_INVALID' });
});

test('a decision changes with its grant, and with the end of its token at the latest', async () => {
  const { decisions, state } = make();
  const decision = await decisions.of(ASKED);
  assert.equal(changesAtMs(decision), 2_000_000);
  const grant = { ...decision.grant, changesAtMs: 5 } as Grant;
  assert.equal(changesAtMs({ ...decision, grant }), 5);
  state.fault = refused('KEY_REVOKED');
  assert.equal(changesAtMs(await decisions.of(ASKED)), 2_000_000);
});

test('who is slow to take an answer hears of the newest next', async () => {
  const { decisions, state, change, listeners } = make();
  const call = new Call({} as never, 'id');
  const answers = decisions.follow(ASKED, call);
  assert.equal((await answers.next()).value?.refusal, '');
  for (let i = 0; i < 100; i++) await change(i % 2 === 0 ? [] : ['a']);
  assert.equal(state.looks, 101);
  await change([]);
  assert.equal((await answers.next()).value?.refusal, 'ACCOUNT_NOT_IN_TOKEN');
  // What was so before, and is so again, is not told.
  await change(['a']);
  await change([]);
  const next = answers.next();
  await change(['a']);
  assert.equal((await next).value?.refusal, '');
  state.fault = refused('TOKEN_EXPIRED');
  await change([]);
  assert.equal((await answers.next()).value?.refusal, 'TOKEN_EXPIRED');
  assert.equal((await answers.next()).done, true);
  call.end(away());
  assert.equal(listeners.size, 0);
});

test('a stream ends with what cannot be looked up, and with its call', async () => {
  for (const isCall of [false, true]) {
    const { decisions, state, change, listeners } = make();
    const call = new Call({} as never, 'id');
    const answers = decisions.follow(ASKED, call);
    await answers.next();
    const ends = assert.rejects(answers.next(), { reason: 'UNAVAILABLE' });
    if (isCall) call.end(away());
    else {
      state.fault = away();
      await change([]);
    }
    await ends;
    assert.equal(listeners.size, 0);
  }
});
