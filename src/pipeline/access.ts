/**
 * What a caller must hold to do what its request asks, by what the contract says of the method:
 * looked at with every call, and watched while a stream is open.
 */
import type { DescMethod, Message } from '@bufbuild/protobuf';
import type { Clock } from '../domain/clock.ts';
import { checkAccount, checkTrade, type Grant } from '../domain/grant.ts';
import type { Claims } from '../domain/token.ts';
import { Access as Needed } from '../gen/propusk/contract/v1/contract_pb.js';
import type { Admission, Caller } from '../grants/admission.ts';
import type { Grants } from '../grants/grants.ts';
import type { Call } from './call.ts';
import { contractOf } from './method-contract.ts';
import { asAppError } from './status.ts';

/** How often a stream looks at the wall clock, which a timer would not see step. */
const CLOCK_LOOK_MS = 15_000;

export interface AccessOptions {
  readonly admission: Admission;
  readonly grants: Grants;
  readonly clock: Pick<Clock, 'now'>;
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
   * @throws AppError TOKEN_INVALID, ACCOUNT_NOT_IN_TOKEN, READONLY_SESSION or READONLY_ACCOUNT
   */
  async check(call: Call, method: DescMethod, request: object): Promise<void> {
    const claims = call.caller?.claims;
    if (claims === undefined) throw new Error(`${method}: its callers show no token`);
    const look = async (): Promise<Caller> => {
      const caller = await this.#options.admission.ofClaims(claims);
      checkHeld(method, request, caller.grant);
      return caller;
    };
    // Once more after the head: the request may have taken its time to arrive.
    call.caller = await look();
    if (method.methodKind !== 'unary') this.#watch(call, claims, look);
  }

  #watch(call: Call, claims: Claims, check: () => Promise<Caller>): void {
    const { grants, clock } = this.#options;
    let timer: NodeJS.Timeout | undefined;
    const look = () => {
      check().then(
        ({ grant }) => {
          clearTimeout(timer);
          if (call.ended !== undefined || grant.changesAtMs === Number.POSITIVE_INFINITY) return;
          const restMs = Math.max(grant.changesAtMs - clock.now(), 1);
          timer = setTimeout(look, Math.min(restMs, CLOCK_LOOK_MS));
        },
        (error) => call.end(asAppError(error)),
      );
    };
    const unwatch = grants.watch(claims, look);
    call.onEnd(() => {
      clearTimeout(timer);
      unwatch();
    });
    // What changed since the check and before the watch.
    look();
  }
}

function checkHeld(method: DescMethod, request: object, grant: Grant): void {
  const { access } = contractOf(method);
  if (access === Needed.UNSPECIFIED) return;
  const { accountId } = request as Message & { accountId?: unknown };
  if (typeof accountId !== 'string') throw new Error(`${method}: its request names no account`);
  if (access === Needed.TRADE) checkTrade(grant, accountId);
  else checkAccount(grant, accountId);
}
