/** Who calls, by what the contract says that the method's callers show. */
import { type DescMethod, getOption, type Message } from '@bufbuild/protobuf';
import {
  method as methodContract,
  Caller as Shown,
} from '../gen/propusk/contract/v1/contract_pb.js';
import type { Admission, Caller } from '../grants/admission.ts';
import type { CallHead } from './call.ts';

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
   * Who calls, where the head alone tells; undefined where it does not.
   * @throws AppError TOKEN_INVALID
   */
  async ofHead(method: DescMethod, head: CallHead): Promise<Caller | undefined> {
    if (shownTo(method) !== Shown.AUTHORIZATION) return undefined;
    const { authorization } = head.headers;
    const text = typeof authorization === 'string' ? authorization : '';
    return this.#admission.ofToken(text.replace(/^Bearer +/i, '').trim());
  }

  /**
   * Who calls, where the request tells; undefined where anyone may.
   * @throws AppError SECRET_INVALID or TOKEN_INVALID
   */
  async ofRequest(method: DescMethod, request: Message): Promise<Caller | undefined> {
    const shown = shownTo(method);
    const name = FIELDS[shown];
    if (name === undefined) return undefined;
    const value = (request as unknown as Record<string, unknown>)[name];
    if (typeof value !== 'string') throw new Error(`${method.input.typeName} has no text ${name}`);
    return shown === Shown.SECRET
      ? this.#admission.ofSecret(value)
      : this.#admission.ofToken(value);
  }
}

function shownTo(method: DescMethod): Shown {
  return getOption(method, methodContract).caller;
}
