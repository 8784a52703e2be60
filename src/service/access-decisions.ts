/** Whether the holder of a token may do something, as it is now and as it becomes. */
import { AppError } from '../domain/errors.ts';
import {
  checkAccount,
  checkMarketData,
  checkTrade,
  checkTradeSomewhere,
  type Grant,
} from '../domain/grant.ts';
import type { Market, Permission, QuoteLevel } from '../domain/permission.ts';
import type { Claims } from '../domain/token.ts';
import type { Admission } from '../grants/admission.ts';
import type { Grants } from '../grants/grants.ts';
import type { Call } from '../pipeline/call.ts';
import { Bell } from './bell.ts';

/** What is asked about a token. */
export interface Asked {
  readonly token: string;
  /** undefined for none. */
  readonly accountId: string | undefined;
  readonly isTrade: boolean;
  /** undefined for none. */
  readonly market: Market | undefined;
  /** The least at which the market is to be seen; UNSPECIFIED: whatever there is. */
  readonly quoteLevel: QuoteLevel;
}

/** What holds at an instant. */
export interface Decision {
  /** Why not; empty where it is allowed. */
  readonly refusal: string;
  /** The same as a sentence. */
  readonly message: string;
  /** undefined where the token is not genuine. */
  readonly claims: Claims | undefined;
  /** undefined where the token is not good. */
  readonly grant: Grant | undefined;
  /** What shows the market that is asked about; undefined where none is, or it is refused. */
  readonly permission: Permission | undefined;
}

/** What a genuine token is refused for, as the log knows it. */
const TOKEN_REFUSALS: Readonly<Record<string, string>> = {
  TOKEN_EXPIRED: 'the token has expired',
  SESSION_REVOKED: 'the session was revoked',
  KEY_REVOKED: 'the key that signed in was revoked',
  KEY_EXPIRED: 'the key that signed in has expired',
  KEY_UNKNOWN: 'the key that signed in is there no more',
};

/** What stands for all that is wrong with a token that is not genuine. */
const NOT_GENUINE: Decision = {
  refusal: 'TOKEN_INVALID',
  message: 'the token is empty, malformed or forged',
  claims: undefined,
  grant: undefined,
  permission: undefined,
};

/** Behind these nothing can change any more. */
const FINAL: ReadonlySet<string> = new Set(['TOKEN_INVALID', 'TOKEN_EXPIRED', 'SESSION_REVOKED']);

/** The instant at which a decision changes by itself, milliseconds; Infinity where it does not. */
export function changesAtMs({ claims, grant }: Decision): number {
  const endsAtMs = claims === undefined ? Number.POSITIVE_INFINITY : claims.expiresAt * 1000;
  return Math.min(endsAtMs, grant?.changesAtMs ?? Number.POSITIVE_INFINITY);
}

/** Decides by what lets in callers of the public API, and by nothing else. */
export class Decisions {
  readonly #admission: Admission;
  readonly #grants: Grants;

  constructor({ admission, grants }: { admission: Admission; grants: Grants }) {
    this.#admission = admission;
    this.#grants = grants;
  }

  /**
   * What holds now.
   * @throws AppError UNAVAILABLE where that cannot be known; it is then no refusal
   */
  async of(asked: Asked): Promise<Decision> {
    const claims = await this.#claimsOf(asked.token);
    if (claims === undefined) return NOT_GENUINE;
    const refused = { claims, permission: undefined };
    let grant: Grant;
    try {
      ({ grant } = await this.#admission.ofGenuine(claims));
    } catch (error) {
      const refusal = tokenFaultOf(error);
      const message = TOKEN_REFUSALS[refusal];
      if (message === undefined) throw error;
      return { ...refused, refusal, message, grant: undefined };
    }
    try {
      return { refusal: '', message: '', claims, grant, permission: judge(asked, grant) };
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return { ...refused, refusal: error.reason, message: error.message, grant };
    }
  }

  /**
   * What holds now, and whenever it is something else; ends behind what cannot change any more. Who is
   * slow to take one hears of the newest next.
   * @throws AppError what ended the call, or UNAVAILABLE where what holds cannot be known
   */
  async *follow(asked: Asked, call: Call): AsyncGenerator<Decision, void> {
    const claims = await this.#claimsOf(asked.token);
    if (claims === undefined) return yield NOT_GENUINE;
    const bell = new Bell();
    let newest: Decision | undefined;
    let failure: { readonly error: unknown } | undefined;
    const end = this.#grants.attendClosely(claims, {
      look: async () => {
        newest = await this.of(asked);
        bell.ring();
        return FINAL.has(newest.refusal) ? Number.POSITIVE_INFINITY : changesAtMs(newest);
      },
      failed: (error) => {
        failure = { error };
        bell.ring();
      },
    });
    // Who does not take what is told keeps this from going on: the call's end alone is heard.
    call.onEnd(end);
    let told = '';
    for (;;) {
      bell.isRung = false;
      if (failure !== undefined) throw failure.error;
      const decision = newest;
      if (decision === undefined || textOf(decision) === told) {
        await bell.rung(call);
        continue;
      }
      told = textOf(decision);
      yield decision;
      if (FINAL.has(decision.refusal)) return;
    }
  }

  async #claimsOf(token: string): Promise<Claims | undefined> {
    try {
      return await this.#admission.claimsOf(token);
    } catch (error) {
      if (tokenFaultOf(error) === '') throw error;
      return undefined;
    }
  }
}

/** What is wrong with a token, as the log knows it; empty where the error says something else. */
function tokenFaultOf(error: unknown): string {
  const isFault = error instanceof AppError && error.reason === 'TOKEN_INVALID';
  return isFault ? (error.options.logReason ?? '') : '';
}

/**
 * Lets the holder of a grant do what is asked.
 * @returns what shows the market that is asked about
 * @throws AppError ACCOUNT_NOT_IN_TOKEN, READONLY_SESSION, READONLY_ACCOUNT, QUOTE_LEVEL_TOO_LOW or
 * ACCESS_FORBIDDEN
 */
function judge(asked: Asked, grant: Grant): Permission | undefined {
  const { accountId, isTrade, market, quoteLevel } = asked;
  if (accountId === undefined) {
    if (isTrade) checkTradeSomewhere(grant);
  } else if (isTrade) checkTrade(grant, accountId);
  else checkAccount(grant, accountId);
  return market && checkMarketData(grant, market, quoteLevel);
}

/** What tells one decision about a token from another. */
function textOf({ refusal, message, grant, permission }: Decision): string {
  const { quoteLevel, delayMinutes } = permission ?? {};
  return JSON.stringify([refusal, message, grant?.readonly, quoteLevel, delayMinutes]);
}
