/**
 * What a caller must hold to do what its request asks, by what the contract says of the method:
 * looked at with every call, and watched while a stream is open.
 */
import type { DescMethod, Message } from '@bufbuild/protobuf';
import { refuseFields } from '../domain/errors.ts';
import { checkAccount, checkMarketData, checkTrade, type Grant } from '../domain/grant.ts';
import { isMic, type Markets, MIC_RULE } from '../domain/mic.ts';
import type { QuoteLevel } from '../domain/permission.ts';
import { micOf, SYMBOL_RULE } from '../domain/symbol.ts';
import type { Claims } from '../domain/token.ts';
import { Access as Needed } from '../gen/propusk/contract/v1/contract_pb.js';
import type { Admission, Caller } from '../grants/admission.ts';
import type { Grants } from '../grants/grants.ts';
import type { AccessTo, Call } from './call.ts';
import { contractOf } from './method-contract.ts';
import { asAppError } from './status.ts';

export interface AccessOptions {
  readonly admission: Admission;
  readonly grants: Grants;
  readonly markets: Pick<Markets, 'find'>;
}

export class Access {
  readonly #options: AccessOptions;

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  /**
   * Lets the caller of a token do what its request asks, by what its key may do now. A stream is from
   * then on ended, with the error that a new one would meet, as soon as its caller may no longer have
   * it. That the token ends does not end it.
   * @param request the message; of a stream of messages, which names no account, the stream
   * @throws AppError TOKEN_INVALID, ACCOUNT_NOT_IN_TOKEN, READONLY_SESSION, READONLY_ACCOUNT,
   * QUOTE_LEVEL_TOO_LOW or ACCESS_FORBIDDEN; INVALID_REQUEST where the request names no market
   */
  async check(call: Call, method: DescMethod, request: object): Promise<void> {
    const claims = call.caller?.claims;
    if (claims === undefined) throw new Error(`${method}: its callers show no token`);
    const look = async (): Promise<Caller> => {
      const caller = await this.#options.admission.ofClaims(claims);
      call.access = this.#held(method, request, caller.grant);
      return caller;
    };
    // Once more after the head: the request may have taken its time to arrive.
    call.caller = await look();
    if (method.methodKind !== 'unary') this.#watch(call, claims, look);
  }

  #watch(call: Call, claims: Claims, check: () => Promise<Caller>): void {
    const { grants } = this.#options;
    call.beforeAnswer = () => (grants.isCurrent() ? undefined : check());
    // At once, too: for what changed since the check.
    const end = grants.attend(claims, {
      look: async () => (await check()).grant.changesAtMs,
      failed: (error) => call.end(asAppError(error)),
    });
    call.onEnd(end);
  }

  #held(method: DescMethod, request: object, grant: Grant): AccessTo | undefined {
    const { access, quoteLevel } = contractOf(method);
    if (access === Needed.UNSPECIFIED) return undefined;
    if (access === Needed.MARKET_DATA) {
      const market = this.#options.markets.find(micNamed(method, request));
      // The levels of the two contracts have the same numbers.
      return { permission: checkMarketData(grant, market, quoteLevel as number as QuoteLevel) };
    }
    const { accountId } = request as Message & { accountId?: unknown };
    if (typeof accountId !== 'string') throw new Error(`${method}: its request names no account`);
    if (access === Needed.ACCOUNT_IF_NAMED && accountId === '') return undefined;
    if (access === Needed.TRADE) checkTrade(grant, accountId);
    else checkAccount(grant, accountId);
    return { accountId };
  }
}

/** The MIC of the market whose data a request is about. */
function micNamed(method: DescMethod, request: object): string {
  const { symbol, mic } = request as Message & { symbol?: unknown; mic?: unknown };
  if (typeof symbol === 'string') {
    const found = micOf(symbol);
    if (found !== undefined) return found;
    throw refuseFields([{ field: 'symbol', description: SYMBOL_RULE }]);
  }
  if (typeof mic !== 'string') throw new Error(`${method}: its request names no market`);
  if (isMic(mic)) return mic;
  throw refuseFields([{ field: 'mic', description: MIC_RULE }]);
}
