/**
 * Before a service hears of a call: who makes it, is it one too many, what does it ask, and may its
 * caller do that.
 */
import type { DescMethod, DescService, Message } from '@bufbuild/protobuf';
import type { Operator } from '../domain/model.ts';
import { Role } from '../gen/propusk/contract/v1/contract_pb.js';
import type { Access } from './access.ts';
import type { Authenticator } from './authenticate.ts';
import type { Call } from './call.ts';
import type { Limiter } from './limit.ts';
import { type OperatorAccess, roleNeeded } from './operator-access.ts';
import { asAppError } from './status.ts';

/** The request of a call: one message, or those of a stream. */
export type Request = Message | AsyncIterable<Message>;

/**
 * Lets a call in, or throws or rejects with the AppError that its caller hears.
 * @param read reads the request; not called where the head is enough to refuse
 */
export type Admit = (
  call: Call,
  method: DescMethod,
  read: () => Request | Promise<Request>,
) => Request | Promise<Request>;

export interface AdmitParts {
  readonly authenticator: Authenticator;
  readonly access: Access;
  readonly limiter: Limiter;
  readonly operatorAccess: OperatorAccess;
  /** Services that anyone may call here, whatever the contract says: none but for trials. */
  readonly openServices: readonly DescService[];
}

/** True for programs at what is there for programs: what they may ask how often is a setting. */
function isService({ role }: Operator, method: DescMethod): boolean {
  return role === 'service' && roleNeeded(method) === Role.SERVICE;
}

/** Lets in whom the contract lets in, as often as it does. */
export function admitter(parts: AdmitParts): Admit {
  const { authenticator, access, limiter, operatorAccess, openServices } = parts;
  return async (call, method, read) => {
    if (roleNeeded(method) !== undefined && !openServices.includes(method.parent)) {
      const operator = await operatorAccess.check(call, method);
      if (isService(operator, method)) await limiter.countService(call, operator);
      const request = await read();
      // Once more: the request may have taken its time to arrive.
      await operatorAccess.checkAgain(call, method, operator);
      return request;
    }
    try {
      // What is there is not waited for: each promise costs, and of a call with a known token only the
      // request is still to come.
      const shown = authenticator.ofHead(method, call.head);
      call.caller = shown instanceof Promise ? await shown : shown;
      if (call.caller !== undefined) {
        const counted = limiter.count(call, method, call.caller);
        if (counted instanceof Promise) await counted;
        const request = await read();
        await access.check(call, method, request);
        return request;
      }
      const request = await read();
      const named = authenticator.ofRequest(method, request as Message, call.head);
      call.caller = named instanceof Promise ? await named : named;
      if (call.caller !== undefined) {
        const counted = limiter.count(call, method, call.caller);
        if (counted instanceof Promise) {
          await counted;
          // Once more: what was taken away while the counters were asked is gone.
          const still = authenticator.again(call.caller);
          call.caller = still instanceof Promise ? await still : still;
        }
      }
      return request;
    } catch (thrown) {
      const error = asAppError(thrown);
      throw call.caller === undefined ? await limiter.countRefused(call, method, error) : error;
    }
  };
}
