/** Who asks for what behind a proxy, and what must come of it: by the words of the rules, row by row. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Clock, systemClock, systemRandom } from '../src/domain/clock.ts';
import { httpStatusOf, type Reason } from '../src/domain/errors.ts';
import { MasterKey } from '../src/domain/master-key.ts';
import { signToken } from '../src/domain/token.ts';
import { readMasterKey } from '../src/ops/files.ts';
import { openSigningKeys } from '../src/ops/signing-keys.ts';
import type { Headers } from './clients/client.ts';
import { Rest1Client, type RestAnswer, type RestClient } from './clients/rest.ts';
import { secretOf } from './orders.ts';
import { type InProcess, startHere, temporaryFolder, unique } from './start.ts';
import { claimsOf, putKey, revokeKey, revokeSession, writeKey } from './steps.ts';

/** Who holds a token that is good. */
const HOLDERS = ['good', 'bearer', 'readonly', 'mixed', 'levels'] as const;
type Holder = (typeof HOLDERS)[number];
/** Who is refused wherever a token is asked for. */
const STRANGERS = ['none', 'garbage', 'forged', 'expired', 'session', 'key'] as const;
type Stranger = (typeof STRANGERS)[number];
/** Who has used up each of its limits. */
const LIMITED = 'limited';
export const KINDS = [...HOLDERS, ...STRANGERS, LIMITED] as const;
export type Kind = Holder | Stranger | typeof LIMITED;

export type Outcome = 'ok' | Reason;

/** One request, and what those hear of it who hold a token. */
export interface Row {
  readonly verb: string;
  readonly uri: string;
  /** For `good`, `readonly`, `mixed` and `levels`, in this order. */
  readonly outcomes: readonly [Outcome, Outcome, Outcome, Outcome];
  /** The same for everybody, whatever is shown. */
  readonly isForAll?: boolean;
  /** Nobody counts it. */
  readonly isUncounted?: boolean;
  /** The public API has this route. */
  readonly isPublic?: boolean;
}

const NOT = 'ACCOUNT_NOT_IN_TOKEN';
const LOW = 'QUOTE_LEVEL_TOO_LOW';
const OWN = ['ok', 'ok', NOT, NOT] as const;
const OWN_TRADE = ['ok', 'READONLY_SESSION', NOT, NOT] as const;
const ALL = ['ok', 'ok', 'ok', 'ok'] as const;
const NOBODY = (reason: Reason) => [reason, reason, reason, reason] as const;
/** The demo keys see the book of #RBRD; the one of every quote level all markets, more or less. */
const OTHERS = (levels: Outcome) => [LOW, LOW, LOW, levels] as const;

const row = (
  verb: string,
  uri: string,
  outcomes: Row['outcomes'],
  more: Partial<Row> = {},
): Row => ({ verb, uri, outcomes, ...more });
const publicRow = (verb: string, uri: string, outcomes: Row['outcomes']) =>
  row(verb, uri, outcomes, { isPublic: true });
const forAll = (verb: string, uri: string, outcome: Outcome) =>
  row(verb, uri, [outcome, outcome, outcome, outcome], { isForAll: true });

export const ROWS: readonly Row[] = [
  publicRow('GET', '/v1/accounts/1899011/orders', OWN),
  publicRow('GET', '/v1/accounts/1899011/orders/x', OWN),
  publicRow('POST', '/v1/accounts/1899011/orders', OWN_TRADE),
  publicRow('DELETE', '/v1/accounts/1899011/orders/x', OWN_TRADE),
  // Of the contract, and not offered here.
  row('POST', '/v1/accounts/1899011/sltp-orders', OWN_TRADE),
  publicRow('GET', '/v1/accounts/2100002/orders', [NOT, NOT, 'ok', NOT]),
  publicRow('POST', '/v1/accounts/2100002/orders', [NOT, NOT, 'READONLY_ACCOUNT', NOT]),
  publicRow('POST', '/v1/accounts/2100001/orders', [NOT, NOT, 'ok', NOT]),
  publicRow('GET', '/v1/accounts/TRQD05%3A146559/orders?a=b', [NOT, NOT, NOT, 'ok']),
  row('GET', '/v1/accounts/1899011', OWN),
  row('GET', '/v1/accounts/1899011/trades/%23a', OWN),
  row('PUT', '/v1/accounts/1899011', OWN_TRADE),
  row('HEAD', '/v1/accounts/1899011/orders', OWN_TRADE),
  row('PATCH', '/v1/accounts/2100002/settings', [NOT, NOT, 'READONLY_ACCOUNT', NOT]),
  row('GET', '/v1/instruments/AAPL%40%23RBRD/bars', ALL),
  row('GET', '/v1/instruments/AAPL%40%23RBRD/trades/latest', ALL),
  row('GET', '/v1/instruments/AAPL%40%23RBRD/quotes/latest', ALL),
  row('GET', '/v1/instruments/AAPL%40%23RBRD/orderbook', ALL),
  row('GET', '/v1/instruments/AAPL@XNAS/orderbook', OTHERS('ok')),
  row('GET', '/v1/instruments/SBER@MISX/orderbook', OTHERS('ok')),
  row('GET', '/v1/instruments/SHEL@XLON/orderbook', OTHERS(LOW)),
  row('GET', '/v1/instruments/SHEL@XLON/quotes/latest', OTHERS('ok')),
  row('GET', '/v1/instruments/T@XNYS/quotes/latest', OTHERS(LOW)),
  row('GET', '/v1/instruments/T@XNYS/bars', OTHERS('ok')),
  row('GET', '/v1/instruments/T@_SPBZ/bars', OTHERS('ACCESS_FORBIDDEN')),
  row('GET', '/v1/instruments/T/bars', NOBODY('INVALID_REQUEST')),
  row('GET', '/v1/assets', ALL),
  row('GET', '/v1/assets/SBER@MISX/params', ALL),
  row('GET', '/v1/assets/SBER@MISX/params?account_id=1899011', OWN),
  row('GET', '/v1/assets/SBER@MISX?accountId=TRQD05%3A146559&a=b', [NOT, NOT, NOT, 'ok']),
  row('GET', '/v1/assets/x?account_id=1899011&account_id=1899011', NOBODY('INVALID_REQUEST')),
  row('GET', '/v1/assets/x?account_id=1899011&accountId=1899011', NOBODY('INVALID_REQUEST')),
  row('GET', '/v1/exchanges', ALL),
  row('GET', '/v1/usage', ALL, { isUncounted: true }),
  forAll('POST', '/v1/sessions', 'ok'),
  forAll('POST', '/v1/sessions/details', 'ok'),
  forAll('GET', '/v1/sessions', 'VERB_NOT_ALLOWED'),
  forAll('POST', '/v1/instruments/T@XNYS/bars', 'VERB_NOT_ALLOWED'),
  forAll('GET', '/v1/nothing', 'ROUTE_NOT_FOUND'),
  forAll('GET', '/', 'ROUTE_NOT_FOUND'),
  forAll('GET', '/v1/accounts/1899011/ORDERS', 'ROUTE_NOT_FOUND'),
  // Of the rules file.
  forAll('GET', '/free', 'ok'),
  row('GET', '/news/a/b', ALL),
  row('POST', '/v9/move/1899011', OWN_TRADE),
  row('GET', '/v9/books/XNAS', OTHERS('ok')),
  // Instead of the contract's rule, which asks for the account.
  row('GET', '/v1/accounts/1899011/open', ALL),
];

const RULES = `
version: 1
rules:
  - { name: Free, method: GET, path: /free, requires: nothing }
  - { name: News, method: [GET], path: "/news/{rest=**}", requires: token }
  - { name: Move, method: "*", path: "/v9/move/{account_id}", requires: trade, calls_per_minute: 500 }
  - name: Books
    method: GET
    path: /v9/books/{mic}
    requires: market_data
    quote_level: QUOTE_LEVEL_DEPTH_OF_BOOK
  - { name: Open, method: GET, path: "/v1/accounts/{account_id}/open", requires: token }
`;

/** What must come of a request. */
export function outcomeOf({ outcomes, isForAll, isUncounted }: Row, kind: Kind): Outcome {
  const [good, readonly, mixed, levels] = outcomes;
  if (isForAll === true) return good;
  if ((STRANGERS as readonly string[]).includes(kind)) return 'TOKEN_INVALID';
  if (kind === LIMITED) return isUncounted === true ? good : 'RATE_LIMITED';
  const of = { good, bearer: good, readonly, mixed, levels };
  return of[kind as Holder];
}

/** The status of its answer. */
export function statusOfOutcome(outcome: Outcome): number {
  return outcome === 'ok' ? 200 : httpStatusOf(outcome);
}

/** Who is let in as which client. */
export const CLIENTS: Readonly<Partial<Record<Kind, string>>> = {
  ...{ good: 'demo', bearer: 'demo', readonly: 'demo', limited: 'demo' },
  ...{ mixed: 'demo-mixed', levels: 'demo-levels' },
};

/** Asks at /authz about a request, by headers. */
export function ask(
  client: RestClient,
  verb: string,
  uri: string,
  headers: Headers,
): Promise<RestAnswer> {
  const forwarded = { 'x-forwarded-method': verb, 'x-forwarded-uri': uri };
  return client.send('GET', '/authz', { headers: { ...headers, ...forwarded } });
}

/** No window ends while a test runs, so that what is used up stays so. */
const STILL: Clock = { now: () => systemClock.now(), monotonic: () => 1e6 };

/** A server that proxies ask, and a token of each kind. */
export class AuthzScene implements AsyncDisposable {
  readonly server: InProcess;
  readonly rest: Rest1Client;
  /** As the header `authorization` has them. */
  readonly shown: Readonly<Record<Kind, string>>;
  readonly masterKey: MasterKey;

  private constructor(server: InProcess, masterKey: MasterKey, shown: AuthzScene['shown']) {
    this.server = server;
    this.rest = new Rest1Client(server.url);
    this.masterKey = masterKey;
    this.shown = shown;
  }

  static async open(): Promise<AuthzScene> {
    const file = path.join(temporaryFolder(), 'rules.yaml');
    writeFileSync(file, RULES);
    const flags = ['--limit', '1000000', '--address-calls-max', '1000000'];
    flags.push('--authz-rules', file, '--trusted-proxy', '127.0.0.1');
    const server = await startHere(flags, { clock: STILL });
    const masterKey = new MasterKey(readMasterKey(path.join(server.folder, 'master.key')));
    return new AuthzScene(server, masterKey, await tokensOf(server, masterKey));
  }

  /** A new key of the demo client, and a token of it. */
  signedIn(): Promise<{ keyId: string; token: string }> {
    return signedIn(this.server, this.masterKey);
  }

  /**
   * Revokes a key in the midst of requests with its token: whatever is sent after the revocation must be
   * refused.
   * @param callers each sends one request of those that the demo client may, and tells its status
   */
  async revokeUnderLoad(
    callers: readonly ((headers: Headers) => Promise<number>)[],
  ): Promise<void> {
    const { keyId, token } = await this.signedIn();
    const state = { isOver: false, isRunning: true, good: 0, refused: 0, late: 0 };
    const load = async (send: (headers: Headers) => Promise<number>) => {
      while (state.isRunning) {
        const { isOver } = state;
        const status = await send({ authorization: token });
        assert.ok(status === 200 || status === 401, `${status}`);
        if (status === 401) state.refused++;
        else if (isOver) state.late++;
        else state.good++;
      }
    };
    const loads = callers.map(load);
    const until = async (is: () => boolean) => {
      // A caller ends early only with what went wrong.
      while (!is()) await Promise.race([new Promise(setImmediate), ...loads]);
    };
    await until(() => state.good > 50);
    await revokeKey(this.server.server.store, keyId);
    state.isOver = true;
    await until(() => state.refused > 50);
    state.isRunning = false;
    await Promise.all(loads);
    assert.equal(state.late, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.rest.close();
    await this.server.stop();
  }
}

async function signedIn(server: InProcess, masterKey: MasterKey) {
  const [keyId, secret] = [`k${unique()}`, unique()];
  await putKey(server.server.store, keyId, 'demo', masterKey.macOfSecret(secret));
  const rest = new Rest1Client(server.url);
  return { keyId, token: await rest.auth(secret) };
}

async function tokensOf(server: InProcess, masterKey: MasterKey): Promise<AuthzScene['shown']> {
  const { store } = server.server;
  const rest = new Rest1Client(server.url);
  const good = await rest.auth(server.secret);
  const of = (id: string) => rest.auth(secretOf(server, id));
  const session = await of('demo');
  await revokeSession(store, claimsOf(session).jti);
  const key = await signedIn(server, masterKey);
  await revokeKey(store, key.keyId);
  const limited = await signedIn(server, masterKey);
  const { quotas } = (await rest.usage(good)).message;
  const callsMax = Object.fromEntries(quotas.map(({ name }) => [name, 1]));
  await writeKey(store, limited.keyId, { callsMax });
  const [signingKey] = await openSigningKeys(store, masterKey, systemClock, systemRandom);
  const seconds = Math.floor(systemClock.now() / 1000);
  const times = { issuedAt: seconds - 1000, expiresAt: seconds - 1 };
  const claims = { clientId: 'demo', keyId: 'demo', sessionId: unique(), ...times };
  return {
    ...{ good, bearer: `Bearer ${good}`, readonly: await of('demo-readonly') },
    ...{ mixed: await of('demo-mixed'), levels: await of('demo-levels') },
    ...{
      none: '',
      garbage: 'garbage',
      forged: `${good.slice(0, -4)}${good.at(-4) === 'x' ? 'y' : 'x'}${good.slice(-3)}`,
    },
    ...{ expired: signToken(claims, signingKey), session, key: key.token, limited: limited.token },
  };
}
