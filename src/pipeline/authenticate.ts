/** Who calls, by what the contract says that the method's callers show. */
import type { DescMethod, Message } from '@bufbuild/protobuf';
import { Caller as Shown } from '../gen/propusk/contract/v1/contract_pb.js';
import type { Admission, Caller } from '../grants/admission.ts';
import type { CallHead } from './call.ts';
import { contractOf } from './method-contract.ts';

/** The field of the request that names its caller. */
const FIELDS: Readonly<Partial<Record<Shown, string>>> = {
  [Shown.SECRET]: 'secret',
  [Shown.TOKEN]: 'token',
};

export class Authenticator {
  readonly #admission: Admission;

  constructor(admission: Admission) {
    this.#admission = admission;
  }

  /**
   * Who calls, where the head alone tells; undefined where it does not. No promise where nothing waits.
   * @throws AppError TOKEN_INVALID
   */
  ofHead(method: DescMethod, head: CallHead): Caller | undefined | Promise<Caller> {
    if (shownTo(method) !== Shown.AUTHORIZATION) return undefined;
    return this.#admission.ofToken(authorizationOf(head));
  }

  /**
   * Who calls, where the request tells; undefined where anyone may.
   * @throws AppError SECRET_INVALID or TOKEN_INVALID
   */
  ofRequest(
    method: DescMethod,
    request: Message,
    head: CallHead,
  ): Caller | undefined | Promise<Caller> {
    const shown = shownTo(method);
    const name = FIELDS[shown];
    if (name === undefined) return undefined;
    const value = (request as unknown as Record<string, unknown>)[name];
    if (typeof value !== 'string') throw new Error(`${method.input.typeName} has no text ${name}`);
    return shown === Shown.SECRET
      ? this.#admission.ofSecret(value, head.remoteAddress)
      : this.#admission.ofToken(value);
  }

  /**
   * Who calls, after a wait: by its token as it is now. Whether a secret is still good is seen where its
   * session is recorded. No promise where nothing waits.
   * @throws AppError TOKEN_INVALID
   */
  again(caller: Caller): Caller | Promise<Caller> {
    const { claims } = caller;
    return claims === undefined ? caller : this.#admission.ofGenuine(claims);
  }
}

/** What the header `authorization` holds, raw or behind `Bearer`; empty when there is none. */
export function authorizationOf({ headers: { authorization } }: CallHead): string {
  const text = typeof authorization === 'string' ? authorization : '';
  return text.replace(/^Bearer +/i, '').trim();
}

function shownTo(method: DescMethod): Shown {
  return contractOf(method).caller;
}
