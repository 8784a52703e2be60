/**
 * Before a service hears of a call: who makes it, is it one too many, what does it ask, and may its
 * caller do that.
 */
import type { DescMethod, Message } from '@bufbuild/protobuf';
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
}

/** Lets in whom the contract lets in, as often as it does. */
export function admitter({ authenticator, access, limiter, operatorAccess }: AdmitParts): Admit {
  return async (call, method, read) => {
    if (roleNeeded(method) !== undefined) {
      const operator = await operatorAccess.check(call, method);
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
        if (counted instanceof Promise) await counted;
      }
      return request;
    } catch (thrown) {
      const error = asAppError(thrown);
      throw call.caller === undefined ? await limiter.countRefused(call, method, error) : error;
    }
  };
}
